# Inputs: the tables, and what protects them.
variable "v2_tables" {
  description = "The v2 tables by the variable that names each in the mapping, with keys (strings) and indexes. The default is the packaged CRM mapping's."
  type = map(object({
    name          = string
    partition_key = string
    sort_key      = optional(string)
    indexes       = optional(map(object({ partition_key = string, sort_key = optional(string) })), {})
  }))
  default = {
    LEADS_TABLE = {
      name = "CRM-Leads-v2", partition_key = "PK", sort_key = "SK"
      indexes = {
        GSI1 = { partition_key = "GSI1PK", sort_key = "GSI1SK" }
        GSI2 = { partition_key = "GSI2PK", sort_key = "GSI2SK" }
      }
    }
    DEALS_TABLE = {
      name = "CRM-Deals-v2", partition_key = "PK", sort_key = "SK"
      indexes = {
        GSI1 = { partition_key = "GSI1PK", sort_key = "GSI1SK" }
        GSI2 = { partition_key = "GSI2PK", sort_key = "GSI2SK" }
      }
    }
    RESOURCES_TABLE = {
      name = "CRM-Resources-v2", partition_key = "PK", sort_key = "SK"
      indexes = {
        GSI1 = { partition_key = "GSI1PK", sort_key = "GSI1SK" }
        GSI2 = { partition_key = "GSI2PK", sort_key = "GSI2SK" }
      }
    }
    PIPELINES_TABLE = {
      name    = "CRM-Pipelines-v2", partition_key = "PK", sort_key = "SK"
      indexes = { GSI1 = { partition_key = "GSI1PK", sort_key = "GSI1SK" } }
    }
  }
  validation {
    condition     = length(var.v2_tables) >= 1 && length(var.v2_tables) <= 50
    error_message = "v2_tables: 1 to 50 tables."
  }
  validation {
    condition     = alltrue([for variable, table in var.v2_tables : can(regex("^[A-Z][A-Z0-9_]*$", variable)) && can(regex("^[A-Za-z0-9_.-]{3,255}$", table.name))])
    error_message = "v2_tables: each under its variable (A-Z, 0-9, _), with a name of 3 to 255 characters of A-Z, a-z, 0-9, _, . and -."
  }
  validation {
    condition     = length(distinct([for table in var.v2_tables : table.name])) == length(var.v2_tables)
    error_message = "v2_tables: every table needs a name of its own."
  }
}

variable "point_in_time_recovery" {
  description = "Point-in-time recovery, over 35 days."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Deletion protection. Terraform itself plans no deletion of these tables, whatever this says."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the tables. Null: the key that AWS manages."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$", var.kms_key_arn))
    error_message = "kms_key_arn: the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; not an alias."
  }
}

variable "tags" {
  description = "Tags of the tables."
  type        = map(string)
  default     = {}
  validation {
    condition     = length(var.tags) <= 40
    error_message = "tags: at most 40; AWS allows 50, and others may add theirs."
  }
}
