# What one needs afterwards: where to push the image, the commands to run, and the names to look at.
locals {
  where = "awsvpcConfiguration={subnets=[${join(",", var.subnet_ids)}],securityGroups=[${aws_security_group.tasks.id}],assignPublicIp=${var.assign_public_ip ? "ENABLED" : "DISABLED"}}"
}

output "repository_url" {
  description = "Where the image is pushed."
  value       = aws_ecr_repository.this.repository_url
}

output "backfill_command" {
  description = "Starts the backfill; 16 is the number of jobs."
  value       = "aws batch submit-job --job-name ${var.name}-backfill --job-queue ${aws_batch_job_queue.backfill.name} --job-definition ${aws_batch_job_definition.backfill.name} --array-properties size=16"
}

output "operator_command" {
  description = "Runs a command of tablesplit, here `preflight`; its answer is in the log group of the operator."
  value       = "aws ecs run-task --cluster ${aws_ecs_cluster.this.name} --launch-type FARGATE --task-definition ${aws_ecs_task_definition.operator.family} --network-configuration '${local.where}' --overrides '${jsonencode({ containerOverrides = [{ name = "operator", command = ["tablesplit", "preflight"] }] })}'"
}

output "api_token_command" {
  description = "Prints the API token."
  value       = "aws secretsmanager get-secret-value --secret-id ${aws_secretsmanager_secret.api_token.name} --query SecretString --output text"
}

output "role_arns" {
  description = "The role of each component."
  value       = { for component, role in aws_iam_role.component : component => role.arn }
}

output "policies" {
  description = "The policy of each component, as JSON."
  value       = { for component, document in data.aws_iam_policy_document.component : component => document.json }
}

output "security_group_id" {
  description = "The security group of the tasks."
  value       = aws_security_group.tasks.id
}

output "cluster_name" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
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
