# The service: tasks of `tablesplit sync` on Fargate, an owner and a standby; and the task in which a command is run.
# With engine kcl all tasks read. Its daemons want a /tmp that can be written, which a read-only root file system has not; the image
# says whose that is (VOLUME).
locals {
  kcl             = var.engine == "kcl"
  kcl_application = coalesce(var.kcl_application, "${var.name}-kcl")
  cluster_arn     = var.cluster_arn == null ? aws_ecs_cluster.this[0].id : var.cluster_arn
  cluster_name    = var.cluster_arn == null ? var.name : element(split("/", var.cluster_arn), 1)
}

resource "aws_ecs_cluster" "this" {
  count = var.cluster_arn == null ? 1 : 0
  name  = var.name
  tags  = var.tags
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "sync" {
  family                   = "${var.name}-sync"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.sync_cpu
  memory                   = var.sync_memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.component["sync"].arn
  tags                     = var.tags
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }
  dynamic "volume" {
    for_each = local.kcl ? ["tmp"] : []
    content {
      name = volume.value
    }
  }
  container_definitions = jsonencode([{
    name                   = "sync"
    image                  = local.image
    command                = ["tablesplit", "sync"]
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = !var.enable_execute_command
    linuxParameters        = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    # a stopped owner gives its lease back within ten seconds, KCL's daemons give theirs within twenty
    stopTimeout      = local.kcl ? 30 : 15
    portMappings     = [{ containerPort = 8080, hostPort = 8080, protocol = "tcp" }]
    environment      = concat(local.environment, [{ name = "TABLESPLIT_CLOUDWATCH_NAMESPACE", value = var.name }])
    secrets          = concat(local.parameters, [local.token])
    logConfiguration = local.logging["sync"]
    # ECS does not look at the image's own: alive, not ready, for a restart would not mend a lane that has stopped
    healthCheck = {
      command     = ["CMD", "python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/healthz', timeout=3)"]
      interval    = 10
      timeout     = 10
      retries     = 3
      startPeriod = 60
    }
    mountPoints    = local.kcl ? [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }] : []
    systemControls = []
    volumesFrom    = []
  }])
}

resource "aws_ecs_service" "sync" {
  #checkov:skip=CKV_AWS_333:assign_public_ip is an input, false by default
  name                               = "${var.name}-sync"
  cluster                            = local.cluster_arn
  task_definition                    = aws_ecs_task_definition.sync.arn
  desired_count                      = var.sync_tasks
  launch_type                        = "FARGATE"
  platform_version                   = "LATEST"
  enable_execute_command             = var.enable_execute_command
  deployment_minimum_healthy_percent = 50
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED" # owner and standby in different zones
  propagate_tags                     = "SERVICE"
  tags                               = var.tags

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = local.security_group_ids
    assign_public_ip = var.assign_public_ip
  }
  dynamic "load_balancer" {
    for_each = var.target_group_arns
    content {
      target_group_arn = load_balancer.value
      container_name   = "sync"
      container_port   = 8080
    }
  }
  depends_on = [aws_iam_role_policy.component, aws_iam_role_policy.execution, aws_secretsmanager_secret_version.api_token]
}

resource "aws_ecs_task_definition" "operator" {
  family                   = "${var.name}-operator"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.sync_cpu
  memory                   = var.sync_memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.component["operator"].arn
  tags                     = var.tags
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.cpu_architecture
  }
  container_definitions = jsonencode([{
    name                   = "operator"
    image                  = local.image
    command                = ["tablesplit", "status"]
    essential              = true
    user                   = "10001:10001"
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true, capabilities = { add = [], drop = ["ALL"] } }
    stopTimeout            = 15
    environment            = local.environment
    secrets                = local.parameters
    logConfiguration       = local.logging["operator"]
    mountPoints            = []
    portMappings           = []
    systemControls         = []
    volumesFrom            = []
  }])
}
