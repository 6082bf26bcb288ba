# The v2 tables, with the keys, indexes and streams that `create-tables` would give them. They are the application's, not the migration's:
# this module has a state of its own, and no destroy of the migration reaches it.
resource "aws_dynamodb_table" "v2" {
  #checkov:skip=CKV_AWS_119:a key of your own is an input (kms_key_arn); by default AWS manages the key, which costs no month
  for_each = var.v2_tables

  name                        = each.value.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = each.value.partition_key
  range_key                   = each.value.sort_key
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  dynamic "attribute" {
    for_each = toset(compact(flatten([
      each.value.partition_key, each.value.sort_key,
      [for index in each.value.indexes : [index.partition_key, index.sort_key]],
    ])))
    content {
      name = attribute.value
      type = "S"
    }
  }
  dynamic "global_secondary_index" {
    for_each = each.value.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.partition_key
      range_key       = global_secondary_index.value.sort_key
      projection_type = "ALL"
    }
  }
  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }

  # the application's data: neither a destroy nor a change that would make a table anew is planned
  lifecycle {
    prevent_destroy = true
  }
}

output "names" {
  description = "The name of each table, by its variable: the input `v2_tables` of the migration's module."
  value       = { for variable, table in aws_dynamodb_table.v2 : variable => table.name }
}

output "arns" {
  description = "The ARN of each table."
  value       = { for variable, table in aws_dynamodb_table.v2 : variable => table.arn }
}

output "stream_arns" {
  description = "The ARN of each table's stream."
  value       = { for variable, table in aws_dynamodb_table.v2 : variable => table.stream_arn }
}
