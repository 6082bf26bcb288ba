# What one needs afterwards: where to push the image, the commands to run, and the names to look at.
locals {
  where = "awsvpcConfiguration={subnets=[${join(",", var.subnet_ids)}],securityGroups=[${join(",", local.security_group_ids)}],assignPublicIp=${var.assign_public_ip ? "ENABLED" : "DISABLED"}}"
}

output "repository_url" {
  description = "Where the image is pushed; null when it is yours."
  value       = one(aws_ecr_repository.this[*].repository_url)
}

output "backfill_command" {
  description = "Starts the backfill; 16 is the number of jobs."
  value       = "aws batch submit-job --job-name ${var.name}-backfill --job-queue ${aws_batch_job_queue.backfill.name} --job-definition ${aws_batch_job_definition.backfill.name} --array-properties size=16"
}

output "operator_command" {
  description = "Runs a command of tablesplit, here `preflight`; its answer is in the log group of the operator."
  value       = "aws ecs run-task --cluster ${local.cluster_name} --launch-type FARGATE --task-definition ${aws_ecs_task_definition.operator.family} --network-configuration '${local.where}' --overrides '${jsonencode({ containerOverrides = [{ name = "operator", command = ["tablesplit", "preflight"] }] })}'"
}

output "api_token_command" {
  description = "Prints the API token."
  value       = "aws secretsmanager get-secret-value --secret-id ${aws_secretsmanager_secret.api_token.name} --query SecretString --output text"
}

output "tasks_command" {
  description = "Lists the running tasks of sync, with the private address of each: the console page is at port 8080."
  value       = "aws ecs describe-tasks --cluster ${local.cluster_name} --tasks $(aws ecs list-tasks --cluster ${local.cluster_name} --service-name ${aws_ecs_service.sync.name} --query 'taskArns[]' --output text) --query 'tasks[].[taskArn,containers[0].runtimeId,containers[0].networkInterfaces[0].privateIpv4Address]' --output text"
}

output "console_command" {
  description = "With enable_execute_command: makes the console page of one task, by the id and runtime id that tasks_command says, http://127.0.0.1:8080/."
  value       = "aws ssm start-session --target ecs:${local.cluster_name}_TASK-ID_RUNTIME-ID --document-name AWS-StartPortForwardingSession --parameters portNumber=8080,localPortNumber=8080"
}

output "role_arns" {
  description = "The role of each component."
  value       = { for component, role in aws_iam_role.component : component => role.arn }
}

output "policies" {
  description = "The policy of each component, as JSON."
  value       = { for component, document in data.aws_iam_policy_document.component : component => document.json }
}

output "security_group_ids" {
  description = "The security groups of the tasks."
  value       = local.security_group_ids
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = local.cluster_name
}

output "service_name" {
  description = "The ECS service of sync."
  value       = aws_ecs_service.sync.name
}

output "log_groups" {
  description = "The log group of each component."
  value       = { for component, group in aws_cloudwatch_log_group.this : component => group.name }
}

output "dashboard_name" {
  description = "The CloudWatch dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}
