"""The examples on moto: applied, planned again without a difference, taken up by `create-tables`, and the migration's destroyed.

The v2 tables are there before it, and after it.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from tests.acceptance.command_line import COMMAND
from tests.fakes.servers import moto_for_tests
from tests.terraform.moto import aim_at, complete
from tests.terraform.program import Terraform
from tests.terraform.scenario import V2

pytestmark = [pytest.mark.deployment, pytest.mark.moto, pytest.mark.slow]

REGION = "us-east-1"
UNPROTECTED = ("-var", "deletion_protection=false")


@dataclass(frozen=True)
class Applied:
    """The examples, applied: the migration, and the v2 tables with a state of their own."""

    terraform: Terraform
    tables: Terraform
    endpoint: str

    def client(self, service: str) -> Any:
        """A boto3 client of the moto that it was applied on."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def outputs(self) -> dict[str, Any]:
        """What the module answers."""
        return json.loads(self.terraform.run("output", "-json").stdout)["tablesplit"]["value"]

    def settings(self) -> dict[str, str]:
        """What ECS and Batch would hand to a container out of the parameters."""
        pages = self.client("ssm").get_paginator("get_parameters_by_path").paginate(Path="/tablesplit")
        return {one["Name"].rpartition("/")[2]: one["Value"] for page in pages for one in page["Parameters"]}


@pytest.fixture(scope="module")
def applied(example: Terraform, tables_example: Terraform) -> Iterator[Applied]:
    with moto_for_tests() as endpoint:
        complete(example.folder.parents[1])
        for one in (tables_example, example):
            aim_at(one, endpoint)
            one.run("apply", "-auto-approve")
        yield Applied(example, tables_example, endpoint)


def test_a_second_plan_is_empty(applied: Applied) -> None:
    for one in (applied.tables, applied.terraform):
        planned = one.run("plan", "-detailed-exitcode", status=None)
        assert planned.returncode == 0, planned.stdout + planned.stderr


def test_create_tables_finds_every_table_as_it_would_make_it(applied: Applied) -> None:
    applied.client("dynamodb").create_table(
        TableName="expressnext-crm",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    where = {"AWS_ENDPOINT_URL": applied.endpoint, "AWS_REGION": REGION}
    credentials = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    done = subprocess.run(
        [*COMMAND, "create-tables", "--json"],
        env=os.environ | where | credentials | applied.settings(),
        capture_output=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)["tables"]
    assert set(found.values()) == {"exists"}, found
    assert len(found) == 5


def test_the_token_is_a_secret_that_the_state_does_not_have(applied: Applied) -> None:
    token = applied.client("secretsmanager").get_secret_value(SecretId="tablesplit/api-token")["SecretString"]
    assert len(token) == 48
    assert token not in applied.terraform.run("show", "-json").stdout


def test_a_policy_says_what_permissions_json_says_of_each_table_and_nothing_of_kcls(applied: Applied) -> None:
    permissions = json.loads((applied.terraform.folder.parents[1] / "permissions.json").read_text())
    for component, document in applied.outputs()["policies"].items():
        statements = json.loads(document)["Statement"]
        granted = {one["Sid"]: _listed(one["Action"]) for one in statements}
        assert granted == {
            resource.replace("_", " ").title().replace(" ", ""): sorted(actions)
            for resource, actions in permissions[component].items()
            if not resource.startswith("kcl") and resource != "old_writes"
        }
        assert [one["Sid"] for one in statements if "*" in _listed(one["Resource"])] == ["Account"][
            : component == "operator"
        ]


def test_with_the_kcl_engine_a_second_plan_is_empty_too_and_sync_may_use_kcls_tables(applied: Applied) -> None:
    with_kcl = ("-var", "engine=kcl")
    applied.terraform.run("apply", "-auto-approve", *with_kcl)
    planned = applied.terraform.run("plan", "-detailed-exitcode", *with_kcl, status=None)
    assert planned.returncode == 0, planned.stdout + planned.stderr
    statements = {one["Sid"]: one for one in json.loads(applied.outputs()["policies"]["sync"])["Statement"]}
    assert statements["Kcl"]["Resource"].endswith(":table/tablesplit-kcl-*")
    assert statements["KclIndex"]["Action"] == "dynamodb:Query"


def test_protection_is_taken_away_first_and_then_the_v2_tables_alone_are_left(applied: Applied) -> None:
    refused = applied.terraform.run(
        "destroy", "-auto-approve", "-target=module.tablesplit.aws_dynamodb_table.control", status=None
    )
    assert refused.returncode == 1
    assert "DeletionProtectionEnabled" in refused.stderr
    applied.terraform.run("apply", "-auto-approve", *UNPROTECTED)
    # the provider waits a minute for the end of a queue that moto has deleted at once: it is left out, to go with moto
    applied.terraform.run("state", "rm", "module.tablesplit.aws_batch_job_queue.backfill")
    applied.terraform.run("destroy", "-auto-approve", *UNPROTECTED)
    assert applied.terraform.run("state", "list").stdout == ""
    left = set(applied.client("dynamodb").list_tables()["TableNames"])
    assert left - {"expressnext-crm"} == {*V2}


def test_terraform_plans_no_end_of_the_v2_tables(applied: Applied) -> None:
    refused = applied.tables.run("destroy", "-auto-approve", status=None)
    assert refused.returncode == 1
    assert refused.stderr.count("lifecycle.prevent_destroy") >= len(V2)
    assert {*V2} <= set(applied.client("dynamodb").list_tables()["TableNames"])


def test_a_state_that_has_the_v2_tables_forgets_them(applied: Applied) -> None:
    """Those of the first version of the module, which made them."""
    # under the addresses that they had there
    state = json.loads(applied.tables.run("state", "pull").stdout)
    (made,) = (one for one in state["resources"] if one["type"] == "aws_dynamodb_table")
    migration = json.loads(applied.terraform.run("state", "pull").stdout)
    migration["resources"] = [made | {"module": "module.tablesplit"}]
    before = applied.terraform.folder / "before.tfstate"
    before.write_text(json.dumps(migration | {"serial": migration["serial"] + 1}))
    applied.terraform.run("state", "push", str(before))
    said = applied.terraform.run("plan").stdout
    assert said.count("will no longer be managed by Terraform, but will not be destroyed") == len(V2), said
    assert " 0 to destroy" in said


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else sorted(value)
