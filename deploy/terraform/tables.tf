# The control table: what the migration knows. The v2 tables are the application's and outlive it: tables/ makes them, with a state of their own.
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

# Until 0.1 the v2 tables were made here: a state that has them forgets them, and deletes none.
removed {
  from = aws_dynamodb_table.v2
  lifecycle {
    destroy = false
  }
}
