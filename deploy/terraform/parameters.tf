# Settings as SSM parameters, and the API token in Secrets Manager, which is never in the plan or the state.
locals {
  settings = merge(
    { OLD_TABLE_NAME = var.old_table_name, TABLESPLIT_CONTROL_TABLE = var.control_table_name },
    var.v2_tables,
    local.kcl ? { TABLESPLIT_ENGINE = "kcl", TABLESPLIT_KCL_APPLICATION = local.kcl_application } : {},
    var.settings,
  )
}

resource "aws_ssm_parameter" "setting" {
  #checkov:skip=CKV2_AWS_34:names of tables and limits are no secrets; the secret is in Secrets Manager
  for_each = local.settings
  name     = "/${var.name}/${each.key}"
  type     = "String"
  value    = each.value
  tags     = var.tags
}

resource "aws_secretsmanager_secret" "api_token" {
  #checkov:skip=CKV_AWS_149:a key of your own is an input (kms_key_arn); by default aws/secretsmanager
  #checkov:skip=CKV2_AWS_57:the service reads its token when it starts: a new one is api_token_version, and a deployment
  name                    = "${var.name}/api-token"
  description             = "What a POST to tablesplit's HTTP side must bear"
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = 7
  tags                    = var.tags
}

resource "aws_secretsmanager_secret_version" "api_token" {
  secret_id                = aws_secretsmanager_secret.api_token.id
  secret_string_wo         = var.api_token
  secret_string_wo_version = var.api_token_version
}
