# Inputs: where it runs, and the tables. variables_compute.tf has those of the service and the backfill.
variable "name" {
  description = "What every name of this migration begins with."
  type        = string
  default     = "tablesplit"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,23}$", var.name))
    error_message = "name: 2 to 24 characters of a-z, 0-9 and -, the first a letter."
  }
}

variable "vpc_id" {
  description = "The VPC in which service and backfill run."
  type        = string
  validation {
    condition     = can(regex("^vpc-[0-9a-f]{8,17}$", var.vpc_id))
    error_message = "vpc_id: the id of a VPC, vpc- and 8 to 17 hexadecimal digits."
  }
}

variable "subnet_ids" {
  description = "Subnets of that VPC, in two availability zones at least: a standby in the owner's zone does not outlive it."
  type        = list(string)
  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2 && length(var.subnet_ids) <= 16 && alltrue([for id in var.subnet_ids : can(regex("^subnet-[0-9a-f]{8,17}$", id))])
    error_message = "subnet_ids: 2 to 16 different subnets, each subnet- and 8 to 17 hexadecimal digits."
  }
}

variable "route_table_ids" {
  description = "Route tables of the subnets, into which the gateway endpoints of DynamoDB and S3 (free) are entered; empty: none are made."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for id in var.route_table_ids : can(regex("^rtb-[0-9a-f]{8,17}$", id))])
    error_message = "route_table_ids: each rtb- and 8 to 17 hexadecimal digits."
  }
}

variable "interface_endpoints" {
  description = "The services of which an interface endpoint is made, paid by the hour, for subnets without a way to the internet: dynamodb-streams, ecr.api, ecr.dkr, logs, secretsmanager, ssm. Leave out those of which the VPC has one."
  type        = set(string)
  default     = []
  validation {
    condition     = length(setsubtract(var.interface_endpoints, ["dynamodb-streams", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm"])) == 0
    error_message = "interface_endpoints: any of dynamodb-streams, ecr.api, ecr.dkr, logs, secretsmanager, ssm; nothing else is called."
  }
}

variable "assign_public_ip" {
  description = "Give tasks public addresses: for public subnets, where there is neither NAT nor interface endpoint."
  type        = bool
  default     = false
}

variable "client_security_group_ids" {
  description = "Security groups whose members may reach port 8080: console page, metrics, HTTP side."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for id in var.client_security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "client_security_group_ids: each sg- and 8 to 17 hexadecimal digits."
  }
}

variable "old_table_name" {
  description = "The old table. It is only referred to: nothing here changes or deletes it."
  type        = string
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.old_table_name))
    error_message = "old_table_name: 3 to 255 characters of A-Z, a-z, 0-9, _, . and -."
  }
}

variable "control_table_name" {
  description = "The control table, one for each migration."
  type        = string
  default     = "tablesplit-control"
  validation {
    condition     = can(regex("^[A-Za-z0-9_.-]{3,255}$", var.control_table_name)) && var.control_table_name != var.old_table_name
    error_message = "control_table_name: 3 to 255 characters of A-Z, a-z, 0-9, _, . and -, and not the old table's."
  }
}

variable "v2_tables" {
  description = "The names of the v2 tables, by the variable that names each in the mapping. The default is the packaged CRM mapping's."
  type        = map(string)
  default = {
    LEADS_TABLE     = "CRM-Leads-v2"
    DEALS_TABLE     = "CRM-Deals-v2"
    RESOURCES_TABLE = "CRM-Resources-v2"
    PIPELINES_TABLE = "CRM-Pipelines-v2"
  }
  validation {
    condition     = length(var.v2_tables) >= 1 && length(var.v2_tables) <= 50
    error_message = "v2_tables: 1 to 50 tables."
  }
  validation {
    condition     = alltrue([for variable, name in var.v2_tables : can(regex("^[A-Z][A-Z0-9_]*$", variable)) && can(regex("^[A-Za-z0-9_.-]{3,255}$", name))])
    error_message = "v2_tables: each under its variable (A-Z, 0-9, _), with a name of 3 to 255 characters of A-Z, a-z, 0-9, _, . and -."
  }
  validation {
    condition     = length(distinct(concat([var.old_table_name, var.control_table_name], values(var.v2_tables)))) == length(var.v2_tables) + 2
    error_message = "v2_tables: every table needs a name of its own, neither the old table's nor the control table's."
  }
}

variable "point_in_time_recovery" {
  description = "Point-in-time recovery, over 35 days, of the control table."
  type        = bool
  default     = true
}

variable "deletion_protection" {
  description = "Deletion protection of the control table: false, applied, comes before a destroy and before `drop-tables`."
  type        = bool
  default     = true
}

variable "kms_key_arn" {
  description = "A KMS key of yours for the control table, images, logs, parameters and token; its policy must let the services use it. Null: keys that AWS owns or manages."
  type        = string
  default     = null
  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$", var.kms_key_arn))
    error_message = "kms_key_arn: the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; not an alias."
  }
}

variable "tags" {
  description = "Tags of everything that takes tags."
  type        = map(string)
  default     = {}
  validation {
    condition     = length(var.tags) <= 40
    error_message = "tags: at most 40; AWS allows 50, and others may add theirs."
  }
}
