# The v2 tables with a state of their own. It is applied first, and stays when the migration is taken down.
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

module "tables" {
  source = "../../tables"
  tags   = { application = "crm" }
}

output "v2_tables" {
  description = "The names of the tables: what the migration's module takes as `v2_tables`."
  value       = module.tables.names
}
