# What had no number before it could also be given.
moved {
  from = aws_ecs_cluster.this
  to   = aws_ecs_cluster.this[0]
}
moved {
  from = aws_ecr_repository.this
  to   = aws_ecr_repository.this[0]
}
moved {
  from = aws_ecr_lifecycle_policy.this
  to   = aws_ecr_lifecycle_policy.this[0]
}
moved {
  from = aws_security_group.tasks
  to   = aws_security_group.tasks[0]
}
moved {
  from = aws_vpc_security_group_egress_rule.https
  to   = aws_vpc_security_group_egress_rule.https[0]
}
