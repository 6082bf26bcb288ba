# Alarms about what AWS itself sees: tasks that run, throttled tables, errors in the logs, failed jobs.
# alarms_migration.tf has those about the migration.
locals {
  watched_tables = concat([var.old_table_name, var.control_table_name], local.v2_names)
}

resource "aws_cloudwatch_metric_alarm" "no_sync" {
  alarm_name          = "${var.name}-no-sync"
  alarm_description   = "No sync task runs: unread changes are lost after 24 hours. See the stopped tasks of the ECS service, and log group ${aws_cloudwatch_log_group.this["sync"].name}."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = local.cluster_name, ServiceName = aws_ecs_service.sync.name }
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 5
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "no_standby" {
  alarm_name          = "${var.name}-no-standby"
  alarm_description   = "Fewer sync tasks run than are wanted: nobody takes over when the owner is lost."
  namespace           = "ECS/ContainerInsights"
  metric_name         = "RunningTaskCount"
  dimensions          = { ClusterName = local.cluster_name, ServiceName = aws_ecs_service.sync.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 3
  comparison_operator = "LessThanThreshold"
  threshold           = var.sync_tasks
  treat_missing_data  = "breaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each            = aws_cloudwatch_log_metric_filter.errors
  alarm_name          = "${var.name}-${each.key}-errors"
  alarm_description   = "The log of ${each.key} has errors, each with its remedy: log group ${aws_cloudwatch_log_group.this[each.key].name}, { $.level = \"error\" }."
  namespace           = var.name
  metric_name         = "${each.key}-errors"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttled" {
  for_each            = toset(local.watched_tables)
  alarm_name          = "${var.name}-throttled-${each.key}"
  alarm_description   = "${each.key} throttles for a quarter of an hour: lower TABLESPLIT_MAX_WRITE_UNITS or TABLESPLIT_MAX_READ_UNITS, or raise the table's capacity."
  evaluation_periods  = 3
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = var.throttled_requests
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags

  metric_query {
    id          = "throttled"
    label       = "throttled"
    expression  = "FILL(reads, 0) + FILL(writes, 0)"
    return_data = true
  }
  dynamic "metric_query" {
    for_each = { reads = "ReadThrottleEvents", writes = "WriteThrottleEvents" }
    content {
      id          = metric_query.key
      return_data = false
      metric {
        namespace   = "AWS/DynamoDB"
        metric_name = metric_query.value
        dimensions  = { TableName = each.key }
        stat        = "Sum"
        period      = 300
      }
    }
  }
}

resource "aws_cloudwatch_event_rule" "failed_jobs" {
  name        = "${var.name}-failed-jobs"
  description = "A job of the backfill failed for good: all its attempts are used"
  tags        = var.tags
  event_pattern = jsonencode({
    source        = ["aws.batch"]
    "detail-type" = ["Batch Job State Change"]
    detail        = { status = ["FAILED"], jobQueue = [aws_batch_job_queue.backfill.arn] }
  })
}

resource "aws_cloudwatch_event_target" "failed_jobs" {
  # by number: the topics may be made in the same run
  count = length(var.alarm_topic_arns)
  rule  = aws_cloudwatch_event_rule.failed_jobs.name
  arn   = var.alarm_topic_arns[count.index]
}
