"""What the copies of the examples need to be applied on moto; modules and examples know nothing of it.

Beside the addresses, two things differ. moto 5.2 wants a service role of every compute environment, while AWS uses the
service-linked role of Batch where none is named. And it forgets a service's availability_zone_rebalancing, which every plan would
want to set again.
"""

from pathlib import Path

from tests.terraform.program import Terraform

SERVICES = (
    "batch cloudwatch cloudwatchlogs dynamodb ec2 ecr ecs events iam secretsmanager sns ssm sts".split()  # noqa: SIM905
)

PROVIDER = """
provider "aws" {{
  access_key              = "test"
  secret_key              = "test"
  skip_metadata_api_check = true
  endpoints {{
{endpoints}
  }}
}}
"""

LACKING = """
resource "aws_batch_compute_environment" "backfill" {
  service_role = aws_iam_role.execution.arn
}

resource "aws_ecs_service" "sync" {
  lifecycle {
    ignore_changes = [availability_zone_rebalancing]
  }
}
"""


def aim_at(example: Terraform, endpoint: str) -> None:
    """Have an example's copy ask the moto at ``endpoint``; Terraform lays ``*_override.tf`` over the rest."""
    endpoints = "\n".join(f'    {service} = "{endpoint}"' for service in SERVICES)
    (example.folder / "moto_override.tf").write_text(PROVIDER.format(endpoints=endpoints))


def complete(module: Path) -> None:
    """Give the module's copy what moto wants, and AWS does not."""
    (module / "moto_override.tf").write_text(LACKING)
