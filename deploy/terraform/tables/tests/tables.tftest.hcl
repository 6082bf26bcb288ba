# What the module makes of its inputs, and which it refuses. Planned only: what is applied could not be destroyed again.
mock_provider "aws" {}

run "defaults" {
  command = plan
  assert {
    condition     = length(aws_dynamodb_table.v2) == 4 && alltrue([for table in aws_dynamodb_table.v2 : table.deletion_protection_enabled && table.point_in_time_recovery[0].enabled && table.server_side_encryption[0].enabled && table.billing_mode == "PAY_PER_REQUEST"])
    error_message = "four tables, each with deletion protection, recovery and encryption"
  }
  assert {
    condition     = alltrue([for table in aws_dynamodb_table.v2 : table.stream_enabled && table.stream_view_type == "NEW_AND_OLD_IMAGES"])
    error_message = "streams of both images"
  }
  assert {
    condition     = jsonencode([for table in values(aws_dynamodb_table.v2) : sort([for index in table.global_secondary_index : index.name])]) == jsonencode([["GSI1", "GSI2"], ["GSI1", "GSI2"], ["GSI1"], ["GSI1", "GSI2"]])
    error_message = "the indexes of the mapping"
  }
  assert {
    condition     = output.names["DEALS_TABLE"] == "CRM-Deals-v2" && toset(keys(output.arns)) == toset(keys(output.stream_arns))
    error_message = "the outputs say the tables by their variables"
  }
}

run "a_table_of_ones_own_without_protection" {
  command = plan
  variables {
    v2_tables              = { ORDERS_TABLE = { name = "orders", partition_key = "id" } }
    deletion_protection    = false
    point_in_time_recovery = false
    kms_key_arn            = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    tags                   = { team = "crm" }
  }
  assert {
    condition     = aws_dynamodb_table.v2["ORDERS_TABLE"].hash_key == "id" && aws_dynamodb_table.v2["ORDERS_TABLE"].range_key == null && aws_dynamodb_table.v2["ORDERS_TABLE"].tags.team == "crm"
    error_message = "key and tags"
  }
  assert {
    condition     = !aws_dynamodb_table.v2["ORDERS_TABLE"].deletion_protection_enabled && !aws_dynamodb_table.v2["ORDERS_TABLE"].point_in_time_recovery[0].enabled && aws_dynamodb_table.v2["ORDERS_TABLE"].server_side_encryption[0].kms_key_arn == var.kms_key_arn
    error_message = "protection, recovery and key as said"
  }
}

run "wrong_values_are_refused_1" {
  command = plan
  variables {
    v2_tables   = {}                                                  # are none
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:alias/mine"     # is an alias
    tags        = { for number in range(41) : "tag${number}" => "x" } # are too many
  }
  expect_failures = [
    var.v2_tables,
    var.kms_key_arn,
    var.tags,
  ]
}

run "wrong_values_are_refused_2" {
  command = plan
  variables {
    v2_tables = { leads = { name = "l", partition_key = "PK" } } # have neither a variable nor a name
  }
  expect_failures = [
    var.v2_tables,
  ]
}

run "wrong_values_are_refused_3" {
  command = plan
  variables {
    v2_tables = { A_TABLE = { name = "leads", partition_key = "PK" }, B_TABLE = { name = "leads", partition_key = "PK" } } # share a name
  }
  expect_failures = [
    var.v2_tables,
  ]
}
