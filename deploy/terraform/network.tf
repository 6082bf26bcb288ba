# Who may reach what: a security group for the tasks, and VPC endpoints.
# DynamoDB Streams has interface endpoints only, and without private DNS: the tasks get its address (containers.tf).
locals {
  security_group_ids = length(var.security_group_ids) == 0 ? [aws_security_group.tasks[0].id] : var.security_group_ids

  gateways = length(var.route_table_ids) > 0 ? toset(["dynamodb", "s3"]) : toset([])
}

resource "aws_security_group" "tasks" {
  #checkov:skip=CKV2_AWS_5:service and backfill are in it, by local.security_group_ids
  count       = length(var.security_group_ids) == 0 ? 1 : 0
  name_prefix = "${var.name}-tasks-"
  description = "tablesplit: tasks of the service, the backfill and the commands"
  vpc_id      = var.vpc_id
  tags        = var.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_egress_rule" "https" {
  count             = length(aws_security_group.tasks)
  security_group_id = aws_security_group.tasks[0].id
  description       = "AWS's endpoints"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "http" {
  count                        = length(var.client_security_group_ids)
  security_group_id            = aws_security_group.tasks[0].id
  description                  = "console page, metrics, HTTP side"
  referenced_security_group_id = var.client_security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = 8080
  to_port                      = 8080
}

resource "aws_security_group" "endpoints" {
  count       = length(var.interface_endpoints) > 0 ? 1 : 0
  name_prefix = "${var.name}-endpoints-"
  description = "tablesplit: interface endpoints"
  vpc_id      = var.vpc_id
  tags        = var.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  count                        = length(var.interface_endpoints) > 0 ? length(local.security_group_ids) : 0
  security_group_id            = aws_security_group.endpoints[0].id
  description                  = "the tasks"
  referenced_security_group_id = local.security_group_ids[count.index]
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_endpoint" "gateway" {
  for_each          = local.gateways
  vpc_id            = var.vpc_id
  vpc_endpoint_type = "Gateway"
  service_name      = "com.amazonaws.${local.region}.${each.key}"
  route_table_ids   = var.route_table_ids
  tags              = var.tags
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = var.interface_endpoints
  vpc_id              = var.vpc_id
  vpc_endpoint_type   = "Interface"
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  subnet_ids          = var.subnet_ids
  security_group_ids  = [aws_security_group.endpoints[0].id]
  private_dns_enabled = each.key != "dynamodb-streams"
  tags                = var.tags
}
