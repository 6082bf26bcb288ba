# The control table and, unless create-tables makes them, the v2 tables: with the keys, indexes and streams that it would make.
resource "aws_dynamodb_table" "control" {
  #checkov:skip=CKV_AWS_119:a key of your own is an input (kms_key_arn); by default AWS manages the key, which costs no month
  name                        = var.control_table_name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection
  tags                        = var.tags

  attribute {
    name = "pk"
    type = "S"
  }
  attribute {
    name = "sk"
    type = "S"
  }
  point_in_time_recovery {
    enabled = var.point_in_time_recovery
  }
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}

resource "aws_dynamodb_table" "v2" {
  #checkov:skip=CKV_AWS_119:a key of your own is an input (kms_key_arn); by default AWS manages the key, which costs no month
  for_each = var.create_v2_tables ? var.v2_tables : {}

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
}
