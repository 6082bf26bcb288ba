# Inputs: image, settings, the engine, the service, the backfill, logs and alarms.
variable "image_tag" {
  description = "Tag of the image in the repository made here. Tags cannot be moved: a new image gets a new one. Null: image says all."
  type        = string
  default     = null
  validation {
    condition     = (var.image == null) != (var.image_tag == null)
    error_message = "image_tag: give it, or image, and not both."
  }
  validation {
    condition     = var.image_tag == null || can(regex("^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$", var.image_tag)) && var.image_tag != "latest"
    error_message = "image_tag: 1 to 128 characters of A-Z, a-z, 0-9, _, . and -, and not `latest`, which does not say what runs."
  }
}

variable "cpu_architecture" {
  description = "What the image was built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"
  validation {
    condition     = contains(["X86_64", "ARM64"], var.cpu_architecture)
    error_message = "cpu_architecture: X86_64 or ARM64."
  }
}

variable "settings" {
  description = "Settings of tablesplit (docs/settings.md), kept as SSM parameters: service, backfill and commands read the same."
  type        = map(string)
  default     = {}
  validation {
    condition     = alltrue([for name, value in var.settings : can(regex("^TABLESPLIT_[A-Z_]+$", name)) && length(value) >= 1 && length(value) <= 4096])
    error_message = "settings: names are TABLESPLIT_..., values 1 to 4096 characters."
  }
  validation {
    condition     = length(setintersection(keys(var.settings), ["TABLESPLIT_API_TOKEN", "TABLESPLIT_HOOK_SECRET", "TABLESPLIT_CONTROL_TABLE", "TABLESPLIT_CLOUDWATCH_NAMESPACE", "TABLESPLIT_ENGINE", "TABLESPLIT_KCL_APPLICATION", "TABLESPLIT_KCL_JARS", "TABLESPLIT_HTTP_HOST", "TABLESPLIT_HTTP_PORT"])) == 0
    error_message = "settings: TABLESPLIT_API_TOKEN and TABLESPLIT_HOOK_SECRET are secrets; TABLESPLIT_CONTROL_TABLE is control_table_name, TABLESPLIT_CLOUDWATCH_NAMESPACE name, TABLESPLIT_ENGINE engine and TABLESPLIT_KCL_APPLICATION kcl_application; TABLESPLIT_HTTP_HOST, TABLESPLIT_HTTP_PORT and TABLESPLIT_KCL_JARS are the image's."
  }
}

variable "engine" {
  description = "How streams are read: embedded, by one task, or kcl, by all of them with the Kinesis Client Library; the image must then be that of the target kcl."
  type        = string
  default     = "embedded"
  validation {
    condition     = contains(["embedded", "kcl"], var.engine)
    error_message = "engine: embedded or kcl."
  }
}

variable "kcl_application" {
  description = "What the names of KCL's tables begin with, three for each stream; nothing else may begin so. Null: name and -kcl."
  type        = string
  default     = null
  validation {
    condition     = var.kcl_application == null || can(regex("^[A-Za-z0-9_.-]{3,100}$", var.kcl_application))
    error_message = "kcl_application: 3 to 100 characters of A-Z, a-z, 0-9, _, . and -."
  }
  validation {
    condition     = alltrue([for name in concat([var.old_table_name, var.control_table_name], values(var.v2_tables)) : !startswith(name, "${coalesce(var.kcl_application, "${var.name}-kcl")}-")])
    error_message = "kcl_application: the name of no other table may begin with it and -, since the service may write every such table."
  }
}

variable "api_token" {
  description = "The API token, or several with names (alice:...,bob:...): what a request must bear. It is written only: neither plan nor state has it."
  type        = string
  ephemeral   = true
  sensitive   = true
  validation {
    condition     = length(var.api_token) >= 16 && length(var.api_token) <= 4096
    error_message = "api_token: 16 to 4096 characters."
  }
}

variable "api_token_version" {
  description = "Raise it by one when api_token is a new one; then deploy the service again."
  type        = number
  default     = 1
  validation {
    condition     = var.api_token_version >= 1 && floor(var.api_token_version) == var.api_token_version
    error_message = "api_token_version: a whole number, at least 1."
  }
}

variable "sync_tasks" {
  description = "Tasks of `tablesplit sync`. Embedded: one owns the lease, the others stand by, and more carry no more. kcl: all read, each its share of the shards."
  type        = number
  default     = 2
  validation {
    condition     = floor(var.sync_tasks) == var.sync_tasks && var.sync_tasks >= 0 && var.sync_tasks <= (var.engine == "kcl" ? 32 : 3)
    error_message = "sync_tasks: 0 to 3 tasks, 0 to 32 with engine kcl; 0 stops the sync, and after 24 hours changes are lost."
  }
}

variable "sync_cpu" {
  description = "CPU units of a sync task (1024 are one vCPU); the service uses one CPU at most, with engine kcl its daemons too."
  type        = number
  default     = 1024
  validation {
    condition     = contains([256, 512, 1024, 2048], var.sync_cpu)
    error_message = "sync_cpu: 256, 512, 1024 or 2048 CPU units."
  }
  validation {
    condition     = var.engine != "kcl" || var.sync_cpu >= 512
    error_message = "sync_cpu: at least 512 CPU units with engine kcl, which starts two Java processes."
  }
}

variable "sync_memory" {
  description = "Memory of a sync task, in MiB: 2 to 8 times what sync_cpu says (Fargate's rule), 512 too with 256."
  type        = number
  default     = 2048
  validation {
    condition     = (var.sync_memory % 1024 == 0 && var.sync_memory >= 2 * var.sync_cpu && var.sync_memory <= 8 * var.sync_cpu) || (var.sync_cpu == 256 && var.sync_memory == 512)
    error_message = "sync_memory: MiB, a multiple of 1024, 2 to 8 times sync_cpu; 512 too with 256 CPU units."
  }
  validation {
    condition     = var.engine != "kcl" || var.sync_memory >= 1024 + 2 * try(tonumber(var.settings["TABLESPLIT_KCL_HEAP_MB"]), 256)
    error_message = "sync_memory: with engine kcl at least 1024 MiB and twice TABLESPLIT_KCL_HEAP_MB (256, unless settings say otherwise)."
  }
}

variable "enable_execute_command" {
  description = "ECS Exec into sync tasks. Its agent writes: the root file system is then not read-only."
  type        = bool
  default     = false
}

variable "backfill_vcpu" {
  description = "vCPU of each job of the backfill."
  type        = number
  default     = 1
  validation {
    condition     = contains([0.25, 0.5, 1, 2, 4], var.backfill_vcpu)
    error_message = "backfill_vcpu: 0.25, 0.5, 1, 2 or 4 vCPU."
  }
}

variable "backfill_memory" {
  description = "Memory of each job, in MiB: 2048 to 8192 for each vCPU (Fargate's rule), 512 too with 0.25."
  type        = number
  default     = 2048
  validation {
    condition     = (var.backfill_memory % 1024 == 0 && var.backfill_memory >= 2048 * var.backfill_vcpu && var.backfill_memory <= 8192 * var.backfill_vcpu) || (var.backfill_vcpu == 0.25 && var.backfill_memory == 512)
    error_message = "backfill_memory: MiB, a multiple of 1024, 2048 to 8192 for each vCPU; 512 too with 0.25 vCPU."
  }
}

variable "backfill_max_vcpus" {
  description = "vCPU of all jobs that run at once."
  type        = number
  default     = 16
  validation {
    condition     = floor(var.backfill_max_vcpus) == var.backfill_max_vcpus && var.backfill_max_vcpus >= ceil(var.backfill_vcpu) && var.backfill_max_vcpus <= 10000
    error_message = "backfill_max_vcpus: a whole number of vCPU, from those of one job to 10000."
  }
}

variable "backfill_attempts" {
  description = "How often a job is started at most: each goes on where its last saved page ended."
  type        = number
  default     = 5
  validation {
    condition     = floor(var.backfill_attempts) == var.backfill_attempts && var.backfill_attempts >= 1 && var.backfill_attempts <= 10
    error_message = "backfill_attempts: 1 to 10 attempts (AWS Batch's bound)."
  }
}

variable "backfill_timeout_seconds" {
  description = "Time of one attempt of a job."
  type        = number
  default     = 86400
  validation {
    condition     = floor(var.backfill_timeout_seconds) == var.backfill_timeout_seconds && var.backfill_timeout_seconds >= 60 && var.backfill_timeout_seconds <= 1209600
    error_message = "backfill_timeout_seconds: 60 to 1209600 seconds (14 days, as long as Fargate lets a job run)."
  }
}

variable "sync_may_write_old_table" {
  description = "Let the role of sync write the old table. Needed from the first `cutover` on, until `complete`; set it right before."
  type        = bool
  default     = false
}

variable "operator_may_drop_tables" {
  description = "Let the operator role delete the v2 tables and the control table: `drop-tables`, there is no way back."
  type        = bool
  default     = false
}

variable "log_retention_days" {
  description = "How long logs are kept, in days."
  type        = number
  default     = 90
  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days: days that CloudWatch Logs has: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "alarm_topic_arns" {
  description = "SNS topics that alarms, and failed jobs of the backfill, are told to; the topics' policies must let cloudwatch and events publish."
  type        = list(string)
  default     = []
  validation {
    condition     = length(var.alarm_topic_arns) <= 5 && alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}$", arn))])
    error_message = "alarm_topic_arns: at most 5 (CloudWatch's bound), each arn:aws:sns:REGION:ACCOUNT:NAME."
  }
}

variable "throttled_requests" {
  description = "Throttled requests of one table in five minutes that raise its alarm: sync and backfill slow down by themselves, so some are normal."
  type        = number
  default     = 100
  validation {
    condition     = floor(var.throttled_requests) == var.throttled_requests && var.throttled_requests >= 1 && var.throttled_requests <= 1000000
    error_message = "throttled_requests: 1 to 1000000 requests in five minutes."
  }
}

variable "headroom_alarm_seconds" {
  description = "Time left until unread changes may be trimmed that raises the alarm. A stream keeps changes for 24 hours."
  type        = number
  default     = 14400
  validation {
    condition     = var.headroom_alarm_seconds >= 60 && var.headroom_alarm_seconds <= 86400
    error_message = "headroom_alarm_seconds: 60 to 86400 seconds."
  }
}

variable "lag_alarm_seconds" {
  description = "Lag of a direction that raises its alarm when it lasts for five minutes."
  type        = number
  default     = 60
  validation {
    condition     = var.lag_alarm_seconds >= 1 && var.lag_alarm_seconds <= 86400
    error_message = "lag_alarm_seconds: 1 to 86400 seconds."
  }
}
