# The backfill: an array job of AWS Batch on Fargate. Its size is said when it is submitted (output backfill_command).
resource "aws_batch_compute_environment" "backfill" {
  # without a name of ours: providers 5 and 6 call that argument differently
  type  = "MANAGED"
  state = "ENABLED"
  tags  = var.tags

  compute_resources {
    type               = "FARGATE"
    max_vcpus          = var.backfill_max_vcpus
    subnets            = var.subnet_ids
    security_group_ids = local.security_group_ids
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_batch_job_queue" "backfill" {
  name     = "${var.name}-backfill"
  state    = "ENABLED"
  priority = 1
  tags     = var.tags
  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.backfill.arn
  }
}

resource "aws_batch_job_definition" "backfill" {
  #checkov:skip=CKV_AWS_210:not a privileged container: Fargate has none
  name                  = "${var.name}-backfill"
  type                  = "container"
  platform_capabilities = ["FARGATE"]
  propagate_tags        = true
  tags                  = var.tags

  retry_strategy {
    attempts = var.backfill_attempts
    # a wrong setting (2) stays wrong; a lost task, or a failure on the way (3), goes on where it stopped
    evaluate_on_exit {
      action       = "EXIT"
      on_exit_code = "2"
    }
    evaluate_on_exit {
      action           = "RETRY"
      on_status_reason = "*"
    }
  }
  timeout {
    attempt_duration_seconds = var.backfill_timeout_seconds
  }
  container_properties = jsonencode({
    image                        = local.image
    command                      = ["python", "-m", "backfill"]
    user                         = "10001:10001"
    readonlyRootFilesystem       = true
    executionRoleArn             = aws_iam_role.execution.arn
    jobRoleArn                   = aws_iam_role.component["backfill"].arn
    environment                  = local.environment
    secrets                      = local.parameters
    logConfiguration             = local.logging["backfill"]
    linuxParameters              = { initProcessEnabled = true }
    fargatePlatformConfiguration = { platformVersion = "LATEST" }
    networkConfiguration         = { assignPublicIp = var.assign_public_ip ? "ENABLED" : "DISABLED" }
    runtimePlatform              = { operatingSystemFamily = "LINUX", cpuArchitecture = var.cpu_architecture }
    resourceRequirements = [
      { type = "VCPU", value = tostring(var.backfill_vcpu) },
      { type = "MEMORY", value = tostring(var.backfill_memory) },
    ]
  })
}
