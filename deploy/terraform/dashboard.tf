# A dashboard of what CloudWatch sees. Gate, backfill and verdicts are on the console page and in deploy/grafana.
locals {
  told = { for name, metrics in {
    "lag, seconds"                             = ["tablesplit_lag_seconds_forward", "tablesplit_lag_seconds_reverse"]
    "seconds until unread changes are trimmed" = ["tablesplit_retention_headroom_seconds"]
    "quarantine, conflicts, gap"               = ["tablesplit_quarantine_keys", "tablesplit_conflicts_open", "tablesplit_gap"]
  } : name => [for metric in metrics : [var.name, metric, "control_table", var.control_table_name, { stat = "Maximum" }]] }
  graphs = concat([for name, metrics in local.told : { title = name, metrics = metrics }], [
    { title = "sync tasks that run", metrics = [["ECS/ContainerInsights", "RunningTaskCount", "ClusterName", local.cluster_name, "ServiceName", aws_ecs_service.sync.name, { stat = "Maximum" }]] },
    { title = "sync: CPU and memory, % of the task", metrics = [for metric in ["CPUUtilization", "MemoryUtilization"] : ["AWS/ECS", metric, "ClusterName", local.cluster_name, "ServiceName", aws_ecs_service.sync.name, { stat = "Maximum" }]] },
    { title = "errors logged", metrics = [for component in ["backfill", "sync"] : [var.name, "${component}-errors", { stat = "Sum" }]] },
    { title = "write units", metrics = [for table in local.watched_tables : ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName", table, { stat = "Sum" }]] },
    { title = "read units", metrics = [for table in local.watched_tables : ["AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName", table, { stat = "Sum" }]] },
    { title = "throttled", metrics = flatten([for table in local.watched_tables : [for metric in ["ReadThrottleEvents", "WriteThrottleEvents"] : { line = ["AWS/DynamoDB", metric, "TableName", table, { stat = "Sum" }] }]])[*].line },
  ])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [for place, graph in local.graphs : {
      type       = "metric"
      x          = 12 * (place % 2)
      y          = 6 * floor(place / 2)
      width      = 12
      height     = 6
      properties = { title = graph.title, region = local.region, view = "timeSeries", period = 60, metrics = graph.metrics }
    }]
  })
}
