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
