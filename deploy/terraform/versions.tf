# What the module needs of Terraform and of the provider: write-only arguments keep the API token out of the state.
terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.87, < 7"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}

locals {
  region = data.aws_region.this.name # provider 6 calls it `region`, and still answers to `name`
}
