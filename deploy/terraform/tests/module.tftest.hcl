# What the module makes of its inputs: the defaults, and each input that adds or takes something.
mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  vpc_id         = "vpc-0123456789abcdef0"
  subnet_ids     = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
  old_table_name = "expressnext-crm"
  image_tag      = "0.1.0"
  api_token      = "0123456789abcdef"
}

run "defaults" {
  assert {
    condition     = aws_dynamodb_table.control.deletion_protection_enabled && aws_dynamodb_table.control.point_in_time_recovery[0].enabled && aws_dynamodb_table.control.server_side_encryption[0].enabled && aws_dynamodb_table.control.billing_mode == "PAY_PER_REQUEST" && aws_dynamodb_table.control.stream_enabled != true
    error_message = "the control table has deletion protection, recovery and encryption, and no stream"
  }
  assert {
    condition     = aws_ecs_service.sync.desired_count == 2 && !aws_ecs_service.sync.enable_execute_command && aws_ecs_service.sync.deployment_circuit_breaker[0].enable && aws_ecs_service.sync.deployment_circuit_breaker[0].rollback && !aws_ecs_service.sync.network_configuration[0].assign_public_ip
    error_message = "two tasks, without exec and public address, with circuit breaker and rollback"
  }
  assert {
    condition     = alltrue([for definition in [aws_ecs_task_definition.sync, aws_ecs_task_definition.operator] : jsondecode(definition.container_definitions)[0].readonlyRootFilesystem && jsondecode(definition.container_definitions)[0].user == "10001:10001"]) && jsondecode(aws_batch_job_definition.backfill.container_properties).readonlyRootFilesystem
    error_message = "containers run as 10001, on a read-only root file system"
  }
  assert {
    condition     = length([for secret in jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].secrets : secret if secret.name == "TABLESPLIT_API_TOKEN"]) == 1 && length([for secret in jsondecode(aws_batch_job_definition.backfill.container_properties).secrets : secret if secret.name == "TABLESPLIT_API_TOKEN"]) == 0
    error_message = "only the service gets the token"
  }
  assert {
    condition     = length(aws_vpc_endpoint.gateway) == 0 && length(aws_vpc_endpoint.interface) == 0 && length(aws_vpc_security_group_ingress_rule.http) == 0
    error_message = "no endpoint, and nobody may come in"
  }
  assert {
    condition     = local.resources.old == ["arn:aws:dynamodb:us-east-1:123456789012:table/expressnext-crm"] && local.resources.control == ["arn:aws:dynamodb:us-east-1:123456789012:table/tablesplit-control"] && length(local.resources.v2) == 4 && local.resources.v2_index[0] == "arn:aws:dynamodb:us-east-1:123456789012:table/CRM-Deals-v2/index/*" && length(local.resources.v2_index) == 4
    error_message = "policies name the tables and their indexes"
  }
  assert {
    condition     = output.backfill_command == "aws batch submit-job --job-name tablesplit-backfill --job-queue tablesplit-backfill --job-definition tablesplit-backfill --array-properties size=16"
    error_message = "the backfill is submitted as an array job"
  }
  assert {
    condition     = length(aws_cloudwatch_event_target.failed_jobs) == 0 && length(aws_cloudwatch_metric_alarm.throttled) == 6
    error_message = "an alarm for each of six tables"
  }
}

run "nothing_may_write_the_old_table_before_the_first_cutover" {
  assert {
    condition     = [for component in ["sync", "backfill", "operator"] : length([for statement in data.aws_iam_policy_document.component[component].statement : statement if contains(statement.resources, local.resources.old[0]) && length(setintersection(statement.actions, ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"])) > 0])] == [0, 0, 0]
    error_message = "no role may write items of the old table"
  }
}

run "from_the_first_cutover_on_sync_alone_may_write_the_old_table" {
  variables {
    sync_may_write_old_table = true
  }
  assert {
    condition     = [for component in ["sync", "backfill", "operator"] : length([for statement in data.aws_iam_policy_document.component[component].statement : statement if contains(statement.resources, local.resources.old[0]) && length(setintersection(statement.actions, ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"])) > 0])] == [1, 0, 0]
    error_message = "sync alone may write items of the old table"
  }
}

run "the_embedded_engine_gets_nothing_of_kcls" {
  assert {
    condition     = length(aws_ecs_task_definition.sync.volume) == 0 && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].mountPoints == [] && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].stopTimeout == 15
    error_message = "no volume, and no time to stop that it does not need"
  }
  assert {
    condition     = length([for one in local.granted["sync"] : one if startswith(one.resource, "kcl")]) == 0 && !contains(keys(aws_ssm_parameter.setting), "TABLESPLIT_ENGINE")
    error_message = "no permission, and no setting"
  }
}

run "the_kcl_engine" {
  variables {
    engine     = "kcl"
    sync_tasks = 4
  }
  assert {
    condition     = aws_ssm_parameter.setting["TABLESPLIT_ENGINE"].value == "kcl" && aws_ssm_parameter.setting["TABLESPLIT_KCL_APPLICATION"].value == "tablesplit-kcl" && aws_ecs_service.sync.desired_count == 4
    error_message = "the settings say so, and every task reads"
  }
  assert {
    condition     = one(aws_ecs_task_definition.sync.volume).name == "tmp" && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].mountPoints == [{ containerPath = "/tmp", readOnly = false, sourceVolume = "tmp" }] && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].readonlyRootFilesystem && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].stopTimeout == 30
    error_message = "a /tmp that can be written, and time to give leases back"
  }
  assert {
    condition     = one(local.resources.kcl) == "arn:aws:dynamodb:us-east-1:123456789012:table/tablesplit-kcl-*" && one(local.resources.kcl_index) == "arn:aws:dynamodb:us-east-1:123456789012:table/tablesplit-kcl-*/index/LeaseOwnerToLeaseKeyIndex"
    error_message = "KCL's tables and their index, by the beginning of their names"
  }
  assert {
    condition     = [for component in ["sync", "backfill", "operator"] : length([for one in local.granted[component] : one if startswith(one.resource, "kcl")])] == [2, 0, 0]
    error_message = "the service alone may use KCL's tables"
  }
}

run "a_kcl_application_of_ones_own" {
  variables {
    engine          = "kcl"
    kcl_application = "mine"
  }
  assert {
    condition     = one(local.resources.kcl) == "arn:aws:dynamodb:us-east-1:123456789012:table/mine-*" && aws_ssm_parameter.setting["TABLESPLIT_KCL_APPLICATION"].value == "mine"
    error_message = "permissions and setting name it"
  }
}

run "protection_is_taken_away" {
  command = plan
  variables {
    deletion_protection    = false
    point_in_time_recovery = false
  }
  assert {
    condition     = !aws_dynamodb_table.control.deletion_protection_enabled && !aws_dynamodb_table.control.point_in_time_recovery[0].enabled
    error_message = "neither protection nor recovery"
  }
}

run "a_table_of_ones_own" {
  command = plan
  variables {
    v2_tables = { ORDERS_TABLE = "orders" }
  }
  assert {
    condition     = aws_ssm_parameter.setting["ORDERS_TABLE"].value == "orders" && local.resources.v2 == ["arn:aws:dynamodb:us-east-1:123456789012:table/orders"]
    error_message = "its variable is a parameter, and the policies name it"
  }
}

run "a_key_of_ones_own" {
  command = plan
  variables {
    kms_key_arn        = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
    table_kms_key_arns = ["arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"]
  }
  assert {
    condition     = aws_dynamodb_table.control.server_side_encryption[0].kms_key_arn == var.kms_key_arn && aws_secretsmanager_secret.api_token.kms_key_id == var.kms_key_arn && aws_cloudwatch_log_group.this["sync"].kms_key_id == var.kms_key_arn && aws_ecr_repository.this[0].encryption_configuration[0].kms_key == var.kms_key_arn
    error_message = "tables, token, logs and images are encrypted with it"
  }
  assert {
    condition     = length([for statement in data.aws_iam_policy_document.component["backfill"].statement : statement if statement.sid == "TableKey"]) == 1
    error_message = "the components may use it by way of DynamoDB"
  }
}

run "exec" {
  command = plan
  variables {
    enable_execute_command = true
  }
  assert {
    condition     = aws_ecs_service.sync.enable_execute_command && length([for statement in data.aws_iam_policy_document.component["sync"].statement : statement if statement.sid == "ExecuteCommand"]) == 1 && length([for statement in data.aws_iam_policy_document.component["backfill"].statement : statement if statement.sid == "ExecuteCommand"]) == 0
    error_message = "sync alone may open a session"
  }
}

run "dropping" {
  command = plan
  variables {
    operator_may_drop_tables = true
  }
  assert {
    condition     = [for component in ["sync", "backfill", "operator"] : length([for statement in data.aws_iam_policy_document.component[component].statement : statement if contains(statement.actions, "dynamodb:DeleteTable")])] == [0, 0, 1]
    error_message = "the operator alone may delete tables"
  }
}

run "network" {
  variables {
    route_table_ids           = ["rtb-0123456789abcdef0"]
    interface_endpoints       = ["dynamodb-streams", "ecr.api", "ecr.dkr", "logs", "secretsmanager", "ssm"]
    assign_public_ip          = true
    client_security_group_ids = ["sg-0123456789abcdef1"]
  }
  assert {
    condition     = toset(keys(aws_vpc_endpoint.gateway)) == toset(["dynamodb", "s3"]) && length(aws_vpc_endpoint.interface) == 6 && !aws_vpc_endpoint.interface["dynamodb-streams"].private_dns_enabled
    error_message = "gateways for DynamoDB and S3, an interface for each of six services"
  }
  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].environment[*].value, "https://vpce-0-0.streams.dynamodb.us-east-1.vpce.amazonaws.com")
    error_message = "the tasks get the address of the endpoint of DynamoDB Streams"
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.http[0].from_port == 8080 && aws_ecs_service.sync.network_configuration[0].assign_public_ip
    error_message = "the group may come in at 8080, tasks have public addresses"
  }
}

run "compute" {
  variables {
    cpu_architecture         = "ARM64"
    image_tag                = "1.2.3"
    settings                 = { TABLESPLIT_SEGMENTS = "4" }
    sync_tasks               = 1
    sync_cpu                 = 512
    sync_memory              = 1024
    backfill_vcpu            = 2
    backfill_memory          = 4096
    backfill_max_vcpus       = 64
    backfill_attempts        = 3
    backfill_timeout_seconds = 3600
    api_token_version        = 2
  }
  assert {
    condition     = aws_ecs_task_definition.sync.cpu == "512" && aws_ecs_task_definition.sync.memory == "1024" && aws_ecs_service.sync.desired_count == 1 && aws_ecs_task_definition.sync.runtime_platform[0].cpu_architecture == "ARM64"
    error_message = "the service's size"
  }
  assert {
    condition     = endswith(jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].image, ":1.2.3") && aws_ssm_parameter.setting["TABLESPLIT_SEGMENTS"].value == "4" && aws_secretsmanager_secret_version.api_token.secret_string_wo_version == 2
    error_message = "image, settings and token"
  }
  assert {
    condition     = aws_batch_compute_environment.backfill.compute_resources[0].max_vcpus == 64 && aws_batch_job_definition.backfill.retry_strategy[0].attempts == 3 && aws_batch_job_definition.backfill.timeout[0].attempt_duration_seconds == 3600 && [for one in jsondecode(aws_batch_job_definition.backfill.container_properties).resourceRequirements : one.value] == ["2", "4096"]
    error_message = "the backfill's size"
  }
}

run "the_migrations_metrics_and_their_alarms" {
  variables {
    name                   = "crm"
    control_table_name     = "crm-control"
    headroom_alarm_seconds = 7200
    lag_alarm_seconds      = 30
    alarm_topic_arns       = ["arn:aws:sns:us-east-1:123456789012:alarms"]
  }
  assert {
    condition     = contains(jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].environment, { name = "TABLESPLIT_CLOUDWATCH_NAMESPACE", value = "crm" })
    error_message = "sync writes metrics, under the migration's name"
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.migration : alarm.namespace == "crm" && alarm.dimensions == tomap({ control_table = "crm-control" }) && alarm.alarm_actions == toset(var.alarm_topic_arns)])
    error_message = "alarms look where sync writes"
  }
  assert {
    condition     = [for name, alarm in aws_cloudwatch_metric_alarm.migration : name if alarm.treat_missing_data == "breaching"] == ["no-metrics"]
    error_message = "that there is no metric at all raises an alarm, and only one"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.migration["headroom"].threshold == 7200 && aws_cloudwatch_metric_alarm.migration["lag-forward"].threshold == 30 && aws_cloudwatch_metric_alarm.migration["lag-reverse"].threshold == 30
    error_message = "the thresholds are inputs"
  }
}

run "into_what_exists" {
  variables {
    image                    = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/tablesplit:1.2.3"
    image_tag                = null
    cluster_arn              = "arn:aws:ecs:us-east-1:123456789012:cluster/shared"
    security_group_ids       = ["sg-0123456789abcdef1", "sg-0123456789abcdef2"]
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    role_path                = "/team/"
    log_group_prefix         = "/team/crm"
    interface_endpoints      = ["ssm"]
    streams_endpoint_url     = "https://vpce-1-1.streams.dynamodb.us-east-1.vpce.amazonaws.com"
    table_kms_key_arns       = ["arn:aws:kms:us-east-1:123456789012:key/11234567-89ab-cdef-0123-456789abcdef"]
    target_group_arns        = ["arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/console/0123456789abcdef"]
  }
  assert {
    condition     = length(aws_ecr_repository.this) == 0 && output.repository_url == null && jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].image == var.image && jsondecode(aws_batch_job_definition.backfill.container_properties).image == var.image
    error_message = "the image is yours, and no repository is made"
  }
  assert {
    condition     = one(local.image_repositories) == "arn:aws:ecr:eu-west-1:123456789012:repository/team/tablesplit"
    error_message = "tasks may read the repository of the image"
  }
  assert {
    condition     = length(aws_ecs_cluster.this) == 0 && aws_ecs_service.sync.cluster == var.cluster_arn && aws_cloudwatch_metric_alarm.no_sync.dimensions.ClusterName == "shared" && strcontains(output.operator_command, "--cluster shared ")
    error_message = "service, alarms and commands are about your cluster"
  }
  assert {
    condition     = length(aws_security_group.tasks) == 0 && tolist(aws_ecs_service.sync.network_configuration[0].security_groups) == tolist(var.security_group_ids) && length(aws_vpc_security_group_ingress_rule.endpoints) == 2
    error_message = "tasks are in your security groups, which may reach the endpoints"
  }
  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.component), [aws_iam_role.execution]) : role.permissions_boundary == var.permissions_boundary_arn && role.path == "/team/"])
    error_message = "every role has the boundary and the path"
  }
  assert {
    condition     = keys(aws_vpc_endpoint.interface) == ["ssm"] && contains(jsondecode(aws_ecs_task_definition.sync.container_definitions)[0].environment[*].value, var.streams_endpoint_url)
    error_message = "only the endpoint that is missing is made, and the tasks get the address of yours"
  }
  assert {
    condition     = alltrue([for component in ["sync", "backfill", "operator"] : [for statement in data.aws_iam_policy_document.component[component].statement : tolist(statement.resources) if statement.sid == "TableKey"] == [tolist(var.table_kms_key_arns)]])
    error_message = "every component may use the tables' keys by way of DynamoDB"
  }
  assert {
    condition     = [for one in aws_ecs_service.sync.load_balancer : [one.target_group_arn, one.container_name, one.container_port]] == [[var.target_group_arns[0], "sync", 8080]]
    error_message = "the load balancer reaches the service at the port of the console page"
  }
  assert {
    condition     = output.log_groups["backfill"] == "/team/crm/backfill"
    error_message = "the log groups' names"
  }
}

run "an_image_of_another_registry" {
  command = plan
  variables {
    image     = "registry.example.com:5000/tablesplit@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    image_tag = null
  }
  assert {
    condition     = length(local.image_repositories) == 0 && length([for statement in data.aws_iam_policy_document.execution.statement : statement if statement.sid == "Image"]) == 0
    error_message = "a statement without resources would be refused"
  }
}

run "names_logs_and_alarms" {
  variables {
    name               = "crm"
    control_table_name = "crm-control"
    log_retention_days = 30
    alarm_topic_arns   = ["arn:aws:sns:us-east-1:123456789012:alarms"]
    throttled_requests = 7
    tags               = { team = "crm" }
  }
  assert {
    condition     = [for name in ["sync", "backfill", "operator"] : output.log_groups[name]] == ["/crm/sync", "/crm/backfill", "/crm/operator"] && aws_cloudwatch_log_group.this["sync"].retention_in_days == 30 && aws_ecr_repository.this[0].name == "crm" && output.dashboard_name == "crm" && aws_dynamodb_table.control.name == "crm-control"
    error_message = "names"
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.no_sync.alarm_actions == toset(var.alarm_topic_arns) && length(aws_cloudwatch_event_target.failed_jobs) == 1 && aws_cloudwatch_metric_alarm.throttled["crm-control"].threshold == 7 && aws_cloudwatch_metric_alarm.no_sync.tags.team == "crm"
    error_message = "alarms"
  }
}
