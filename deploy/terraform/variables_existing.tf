# Inputs: what exists already and is used instead of being made, and what an organisation demands of roles and logs.
variable "image" {
  description = "The image by its whole name, with tag or digest, from a registry of yours. Null: image_tag of a repository made here."
  type        = string
  default     = null
  validation {
    condition     = var.image == null || can(regex("^[^/:@]+(:[0-9]+)?/[^:@]+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$", var.image)) && !endswith(coalesce(var.image, "-"), ":latest")
    error_message = "image: REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST, and not the tag `latest`, which does not say what runs."
  }
}

variable "cluster_arn" {
  description = "An ECS cluster in which sync runs, with Container Insights on, which two alarms need. Null: one is made."
  type        = string
  default     = null
  validation {
    condition     = var.cluster_arn == null || can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]{1,255}$", var.cluster_arn))
    error_message = "cluster_arn: arn:aws:ecs:REGION:ACCOUNT:cluster/NAME."
  }
}

variable "security_group_ids" {
  description = "Security groups of the tasks: out to 443, in at 8080 for whom you let in. Empty: one is made."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.security_group_ids) <= 5 && alltrue([for id in var.security_group_ids : can(regex("^sg-[0-9a-f]{8,17}$", id))])
    error_message = "security_group_ids: at most 5 (AWS's bound), each sg- and 8 to 17 hexadecimal digits."
  }
  validation {
    condition     = length(var.security_group_ids) == 0 || length(var.client_security_group_ids) == 0
    error_message = "security_group_ids: client_security_group_ids is for the group made here; let clients into your own groups yourself."
  }
}

variable "permissions_boundary_arn" {
  description = "The permissions boundary of every role made here."
  type        = string
  default     = null
  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn: the ARN of a policy, arn:aws:iam::ACCOUNT:policy/NAME."
  }
}

variable "role_path" {
  description = "The path of every role made here."
  type        = string
  default     = "/"
  validation {
    condition     = can(regex("^/([A-Za-z0-9_+=,.@-]+/)*$", var.role_path)) && length(var.role_path) <= 512
    error_message = "role_path: begins and ends with /, at most 512 characters."
  }
}

variable "log_group_prefix" {
  description = "What the names of the log groups begin with, before /sync, /backfill and /operator. Null: / and the name."
  type        = string
  default     = null
  validation {
    condition     = var.log_group_prefix == null || can(regex("^[A-Za-z0-9_/.#-]{1,400}[A-Za-z0-9_.#-]$", var.log_group_prefix))
    error_message = "log_group_prefix: 2 to 401 characters of A-Z, a-z, 0-9, _, /, ., # and -, the last no /."
  }
}

variable "streams_endpoint_url" {
  description = "The address of an interface endpoint of DynamoDB Streams that the VPC has: it has no private DNS. Null: the public one, or that of the endpoint made here."
  type        = string
  default     = null
  validation {
    condition     = var.streams_endpoint_url == null || can(regex("^https://[a-z0-9.-]+$", var.streams_endpoint_url))
    error_message = "streams_endpoint_url: https:// and the endpoint's DNS name."
  }
  validation {
    condition     = var.streams_endpoint_url == null || !contains(var.interface_endpoints, "dynamodb-streams")
    error_message = "streams_endpoint_url: leave it out where interface_endpoints has dynamodb-streams: the tasks get that one's address."
  }
}

variable "table_kms_key_arns" {
  description = "Keys of yours with which the old table and the v2 tables are encrypted, where they are others than kms_key_arn. A table with a key that AWS manages needs none."
  type        = list(string)
  default     = []
  validation {
    condition     = alltrue([for arn in var.table_kms_key_arns : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-f-]{36}$", arn))])
    error_message = "table_kms_key_arns: each the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID; not an alias."
  }
}

variable "target_group_arns" {
  description = "Target groups, of type ip, of a load balancer of yours in front of the console page; their health check is /healthz at port 8080."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.target_group_arns) <= 5 && alltrue([for arn in var.target_group_arns : can(regex("^arn:[a-z-]+:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/.+$", arn))])
    error_message = "target_group_arns: at most 5 (AWS's bound), each arn:aws:elasticloadbalancing:REGION:ACCOUNT:targetgroup/NAME/ID."
  }
}
