# Roles: one for each component, with the calls that permissions.json lists for it, on its tables only; and the one that starts containers.
locals {
  permissions = jsondecode(file("${path.module}/permissions.json"))
  table_arn   = "arn:${data.aws_partition.this.partition}:dynamodb:${local.region}:${data.aws_caller_identity.this.account_id}:table"
  v2_names    = sort(values(var.v2_tables))
  table_keys  = distinct(concat(compact([var.kms_key_arn]), var.table_kms_key_arns))

  # the label of a stream is the time at which it was enabled: it cannot be known before
  resources = {
    old = ["${local.table_arn}/${var.old_table_name}"]
    # nothing is written to the old table before the first cutover
    old_writes = var.sync_may_write_old_table ? ["${local.table_arn}/${var.old_table_name}"] : []
    old_stream = ["${local.table_arn}/${var.old_table_name}/stream/*"]
    v2         = [for name in local.v2_names : "${local.table_arn}/${name}"]
    v2_stream  = [for name in local.v2_names : "${local.table_arn}/${name}/stream/*"]
    v2_index   = [for name in local.v2_names : "${local.table_arn}/${name}/index/*"]
    control    = ["${local.table_arn}/${var.control_table_name}"]
    account    = ["*"]
    # KCL's tables: of each stream the leases, the workers' load and the coordination
    kcl       = local.kcl ? ["${local.table_arn}/${local.kcl_application}-*"] : []
    kcl_index = local.kcl ? ["${local.table_arn}/${local.kcl_application}-*/index/LeaseOwnerToLeaseKeyIndex"] : []
  }
  # an image of a registry other than ECR needs no permission
  ecr                      = regexall("^([0-9]{12})\\.dkr\\.ecr\\.([a-z0-9-]+)\\.amazonaws\\.com(?:\\.cn)?/([^:@]+)", coalesce(var.image, "-"))
  image_repositories       = var.image == null ? aws_ecr_repository.this[*].arn : [for one in local.ecr : "arn:${data.aws_partition.this.partition}:ecr:${one[1]}:${one[0]}:repository/${one[2]}"]
  image_repositories_known = var.image == null || length(local.ecr) > 0
  # without the kcl engine, or before the first cutover, there is nothing to name
  granted = { for component in local.components : component => [
    for resource, actions in local.permissions[component] :
    { resource = resource, actions = actions } if length(local.resources[resource]) > 0
  ] }
}

data "aws_iam_policy_document" "component" {
  #checkov:skip=CKV_AWS_356:ListTables, and what else preflight asks of the account, knows no resource or is asked of all; the rest names its tables
  for_each = local.components
  dynamic "statement" {
    for_each = local.granted[each.key]
    content {
      sid       = replace(title(replace(statement.value.resource, "_", " ")), " ", "")
      actions   = statement.value.actions
      resources = local.resources[statement.value.resource]
    }
  }
  dynamic "statement" {
    for_each = each.key == "operator" && var.operator_may_drop_tables ? [1] : []
    content {
      sid       = "Dropping"
      actions   = local.permissions.dropping
      resources = concat(local.resources.v2, local.resources.control)
    }
  }
  dynamic "statement" {
    for_each = each.key == "operator" && var.operator_may_drop_tables && local.kcl ? [1] : []
    content {
      sid       = "DroppingKcl"
      actions   = local.permissions.dropping_kcl
      resources = local.resources.kcl
    }
  }
  dynamic "statement" {
    for_each = length(local.table_keys) == 0 ? [] : [1]
    content {
      sid = "TableKey"
      # DynamoDB makes a grant for itself when it makes a table with the key
      actions   = concat(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey", "kms:ReEncryptFrom", "kms:ReEncryptTo"], each.key == "operator" ? ["kms:CreateGrant"] : [])
      resources = local.table_keys
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["dynamodb.${local.region}.amazonaws.com"]
      }
    }
  }
  dynamic "statement" {
    for_each = each.key == "sync" && var.enable_execute_command ? [1] : []
    content {
      sid       = "ExecuteCommand"
      actions   = ["ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"]
      resources = ["*"]
    }
  }
}

data "aws_iam_policy_document" "tasks_trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ecs-tasks.amazonaws.com"]
    }
    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_iam_role" "component" {
  for_each             = local.components
  name                 = "${var.name}-${each.key}"
  description          = "tablesplit: what its ${each.key} may call"
  assume_role_policy   = data.aws_iam_policy_document.tasks_trust.json
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "component" {
  for_each = local.components
  name     = "calls"
  role     = aws_iam_role.component[each.key].id
  policy   = data.aws_iam_policy_document.component[each.key].json
}

data "aws_iam_policy_document" "execution" {
  #checkov:skip=CKV_AWS_356:GetAuthorizationToken knows no resource
  statement {
    sid       = "Login"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
  dynamic "statement" {
    for_each = local.image_repositories_known ? [1] : []
    content {
      sid       = "Image"
      actions   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      resources = local.image_repositories
    }
  }
  statement {
    sid       = "Logs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [for group in aws_cloudwatch_log_group.this : "${group.arn}:*"]
  }
  statement {
    sid       = "Settings"
    actions   = ["ssm:GetParameters"]
    resources = [for parameter in aws_ssm_parameter.setting : parameter.arn]
  }
  statement {
    sid       = "Token"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.api_token.arn]
  }
  dynamic "statement" {
    for_each = var.kms_key_arn == null ? [] : [1]
    content {
      sid       = "TokenKey"
      actions   = ["kms:Decrypt"]
      resources = [var.kms_key_arn]
      condition {
        test     = "StringEquals"
        variable = "kms:ViaService"
        values   = ["secretsmanager.${local.region}.amazonaws.com"]
      }
    }
  }
}

resource "aws_iam_role" "execution" {
  name                 = "${var.name}-execution"
  description          = "tablesplit: starts its containers, with image, settings, token and log"
  assume_role_policy   = data.aws_iam_policy_document.tasks_trust.json
  path                 = var.role_path
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags
}

resource "aws_iam_role_policy" "execution" {
  name   = "start"
  role   = aws_iam_role.execution.id
  policy = data.aws_iam_policy_document.execution.json
}
