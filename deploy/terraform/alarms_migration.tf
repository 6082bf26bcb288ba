# Alarms about the migration, on the metrics that sync writes into its log each minute (docs/METRICS.md). Every task says the same.
# What is not known is not there, and raises nothing, except for `no-metrics`: while that one is raised, the others see nothing.
locals {
  runbook = "deploy/RUNBOOK.md"
  # Minimum: it has lasted for the whole period
  migration_alarms = merge(
    {
      no-metrics = { metric = "tablesplit_status_readable", statistic = "Maximum", comparison = "LessThanThreshold", threshold = 1, missing = "breaching", said = "No sync can read the state of the migration, or none says so: the other alarms about the migration see nothing. ${local.runbook}#service-down" }
      headroom   = { metric = "tablesplit_retention_headroom_seconds", statistic = "Minimum", comparison = "LessThanThreshold", threshold = var.headroom_alarm_seconds, missing = "notBreaching", said = "Unread changes will be trimmed in less than ${var.headroom_alarm_seconds} s. ${local.runbook}#headroom" }
      gap        = { metric = "tablesplit_gap", statistic = "Maximum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", said = "Stream records were lost, or the stream is another one: a repair is owed. ${local.runbook}#down-for-a-day" }
      quarantine = { metric = "tablesplit_quarantine_keys", statistic = "Minimum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", said = "Keys are in quarantine: `tablesplit quarantine list` says why. ${local.runbook}#quarantine" }
      conflicts  = { metric = "tablesplit_conflicts_open", statistic = "Minimum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", said = "Conflicts wait for a decision: `tablesplit conflicts list` shows them. ${local.runbook}#conflicts" }
    },
    { for direction in ["forward", "reverse"] :
      "lag-${direction}" => { metric = "tablesplit_lag_seconds_${direction}", statistic = "Minimum", comparison = "GreaterThanThreshold", threshold = var.lag_alarm_seconds, missing = "notBreaching", said = "The oldest ${direction} change that is not applied is older than ${var.lag_alarm_seconds} s. ${local.runbook}#lag" }
    },
    { for direction in ["forward", "reverse"] :
      "stopped-${direction}" => { metric = "tablesplit_lane_stopped_${direction}", statistic = "Minimum", comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching", said = "The ${direction} lane has stopped, and no other worker carries it: `tablesplit status` says why. ${local.runbook}#stalled" }
    },
  )
}

resource "aws_cloudwatch_metric_alarm" "migration" {
  for_each            = local.migration_alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.said
  namespace           = var.name
  metric_name         = each.value.metric
  dimensions          = { control_table = var.control_table_name }
  statistic           = each.value.statistic
  period              = 300
  evaluation_periods  = 1
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
