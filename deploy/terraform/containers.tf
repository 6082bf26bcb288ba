# What all containers have in common: image, settings, secrets, user, log, and the file system that nothing is written to.
locals {
  image = var.image == null ? "${aws_ecr_repository.this[0].repository_url}:${var.image_tag}" : var.image

  streams_endpoint = contains(var.interface_endpoints, "dynamodb-streams") ? "https://${aws_vpc_endpoint.interface["dynamodb-streams"].dns_entry[0].dns_name}" : var.streams_endpoint_url
  environment = concat(
    [{ name = "AWS_REGION", value = local.region }],
    local.streams_endpoint == null ? [] : [{ name = "AWS_ENDPOINT_URL_DYNAMODB_STREAMS", value = local.streams_endpoint }],
  )
  parameters = [for name in sort(keys(local.settings)) : { name = name, valueFrom = aws_ssm_parameter.setting[name].arn }]
  token      = { name = "TABLESPLIT_API_TOKEN", valueFrom = aws_secretsmanager_secret.api_token.arn }

  logging = { for component in local.components : component => {
    logDriver = "awslogs"
    options = {
      "awslogs-group"         = aws_cloudwatch_log_group.this[component].name
      "awslogs-region"        = local.region
      "awslogs-stream-prefix" = component
    }
  } }
}
