# A deployment into what exists: your network, cluster, security groups, image, key, permissions boundary and alarm topic.
# The v2 tables are in a state of their own (examples/tables), or made by `tablesplit create-tables`.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.87, < 7"
    }
  }
}

provider "aws" {
  region = var.region
}

variable "region" {
  description = "The region of the old table."
  type        = string
}

variable "old_table_name" {
  description = "The old table."
  type        = string
}

variable "image" {
  description = "The image in your registry, with its tag or digest."
  type        = string
}

variable "network" {
  description = "Where the tasks run."
  type        = object({ vpc_id = string, subnet_ids = list(string), security_group_ids = list(string) })
}

variable "cluster_arn" {
  description = "The ECS cluster."
  type        = string
}

variable "kms_key_arn" {
  description = "The key of control table, logs, parameters and token."
  type        = string
}

variable "permissions_boundary_arn" {
  description = "What no role may exceed."
  type        = string
}

variable "alarm_topic_arns" {
  description = "Where alarms are told."
  type        = list(string)
}

# made by AWS at each run, and written once for each api_token_version
ephemeral "aws_secretsmanager_random_password" "api_token" {
  password_length     = 48
  exclude_punctuation = true
}

module "tablesplit" {
  source                   = "../.."
  name                     = "crm-migration"
  vpc_id                   = var.network.vpc_id
  subnet_ids               = var.network.subnet_ids
  security_group_ids       = var.network.security_group_ids
  cluster_arn              = var.cluster_arn
  image                    = var.image
  old_table_name           = var.old_table_name
  control_table_name       = "crm-migration-control"
  api_token                = ephemeral.aws_secretsmanager_random_password.api_token.random_password
  kms_key_arn              = var.kms_key_arn
  permissions_boundary_arn = var.permissions_boundary_arn
  role_path                = "/migrations/"
  log_group_prefix         = "/migrations/crm"
  alarm_topic_arns         = var.alarm_topic_arns
  tags                     = { project = "crm-migration" }
}

output "tablesplit" {
  description = "Everything that the module answers."
  value       = module.tablesplit
}
