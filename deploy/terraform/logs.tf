# Log groups, one for each component, and what is counted in them: CloudWatch sees no other sign of a lane that has stopped.
locals {
  components = toset(["sync", "backfill", "operator"])
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:a key of your own is an input (kms_key_arn); logs are encrypted anyway, and never hold an item's content
  #checkov:skip=CKV_AWS_338:a migration lasts weeks; log_retention_days takes a year and more
  for_each          = local.components
  name              = "${coalesce(var.log_group_prefix, "/${var.name}")}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_cloudwatch_log_metric_filter" "errors" {
  for_each       = toset(["sync", "backfill"])
  name           = "${var.name}-${each.key}-errors"
  log_group_name = aws_cloudwatch_log_group.this[each.key].name
  # what KCL's daemon says is passed on as it is, and it goes on trying without a permission
  pattern = "{ $.level = \"error\" || $.level = \"critical\" || $.said = \"*is not authorized to perform*\" }"

  metric_transformation {
    name          = "${each.key}-errors"
    namespace     = var.name
    value         = "1"
    default_value = "0"
  }
}
