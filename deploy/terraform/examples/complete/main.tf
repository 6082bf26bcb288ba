# A complete deployment: a VPC with two private subnets behind one NAT gateway, an alarm topic, and the module.
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
  default     = "us-east-1"
}

variable "old_table_name" {
  description = "The old table."
  type        = string
  default     = "expressnext-crm"
}

variable "image_tag" {
  description = "Tag of the image, pushed to the repository of the module."
  type        = string
  default     = "0.1.0"
}

variable "sync_tasks" {
  description = "0 at first, while the repository has no image."
  type        = number
  default     = 2
}

variable "engine" {
  description = "embedded, or kcl: then the image is that of the target kcl."
  type        = string
  default     = "embedded"
}

variable "deletion_protection" {
  description = "False, applied, comes before a destroy."
  type        = bool
  default     = true
}

# made by AWS at each run, and written once for each api_token_version
ephemeral "aws_secretsmanager_random_password" "api_token" {
  password_length     = 48
  exclude_punctuation = true
}

module "tablesplit" {
  source              = "../.."
  vpc_id              = aws_vpc.this.id
  subnet_ids          = aws_subnet.private[*].id
  route_table_ids     = [aws_route_table.private.id]
  old_table_name      = var.old_table_name
  image_tag           = var.image_tag
  engine              = var.engine
  sync_tasks          = var.sync_tasks
  api_token           = ephemeral.aws_secretsmanager_random_password.api_token.random_password
  deletion_protection = var.deletion_protection
  alarm_topic_arns    = [aws_sns_topic.alarms.arn]
  settings            = { TABLESPLIT_MAX_WRITE_UNITS = "4000", TABLESPLIT_MAX_READ_UNITS = "4000" }
  tags                = { project = "tablesplit" }
}

output "tablesplit" {
  description = "Everything that the module answers."
  value       = module.tablesplit
}
