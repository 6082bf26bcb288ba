"""The Terraform modules: their form, and their own tests, which try every input with a mocked provider."""

import json
import re
from pathlib import Path

import pytest

from service.environment import load_mapping_file
from service.migration.status.gauges import MigrationGauges
from service.telemetry.cloudwatch import told_gauges
from service.telemetry.metrics import DIRECTIONS, Metrics
from tests.builders.statuses import KNOWN
from tests.documents.runbook import sections
from tests.terraform.program import SOURCE, Terraform

pytestmark = pytest.mark.slow

MODULES = (SOURCE, SOURCE / "tables")


def test_they_are_formatted_and_valid(module: Terraform, tables: Terraform, existing_example: Terraform) -> None:
    module.run("fmt", "-check", "-recursive", "-diff")
    for one in (module, tables, existing_example):
        one.run("validate")


@pytest.mark.parametrize("name", ["module", "tables"])
def test_its_own_tests_pass(name: str, request: pytest.FixtureRequest) -> None:
    said = request.getfixturevalue(name).run("test").stdout
    assert re.search(r"Success! [1-9]\d* passed, 0 failed\.", said), said


@pytest.mark.parametrize("module", MODULES)
def test_every_input_is_tried_by_them(module: Path) -> None:
    tests = "".join(path.read_text() for path in sorted((module / "tests").glob("*.tftest.hcl")))
    for name, body in declared_inputs(module).items():
        assert re.search(rf"^\s+{name}\s*=", tests, re.MULTILINE), f"no test sets {name}"
        assert ("validation {" not in body) or f"var.{name}," in tests, f"no test sets {name} out of its bounds"


@pytest.mark.parametrize("module", MODULES)
def test_every_message_begins_with_the_inputs_name(module: Path) -> None:
    for name, body in declared_inputs(module).items():
        for message in re.findall(r'error_message = "(.*)"', body):
            assert message.startswith((f"{name}: ", f"{name} ")), message


def test_no_destroy_of_the_migration_reaches_the_v2_tables() -> None:
    """By the text, so that it is also checked where there is no Terraform. They were in the migration's state, and went with it."""
    migration = "".join(path.read_text() for path in SOURCE.glob("*.tf"))
    assert re.findall(r'^resource "aws_dynamodb_table" "(\w+)"', migration, re.MULTILINE) == ["control"]
    assert re.search(r"removed \{\s+from = aws_dynamodb_table.v2\s+lifecycle \{\s+destroy = false", migration)
    assert "prevent_destroy = true" in (SOURCE / "tables" / "main.tf").read_text()


def test_both_modules_name_the_packaged_mappings_tables() -> None:
    wanted = sorted(load_mapping_file(None).tables)
    for module in MODULES:
        declared = declared_inputs(module)["v2_tables"]
        assert sorted(re.findall(r'"(CRM-[\w-]+)"', declared)) == wanted


def test_only_sync_may_write_the_old_table_and_only_once_an_input_says_so() -> None:
    """By the text, so that it is also checked where there is no Terraform."""
    permissions = json.loads((SOURCE / "permissions.json").read_text())
    granted = {
        (component, resource)
        for component in ("sync", "backfill", "operator")
        for resource, actions in permissions[component].items()
        if resource.startswith("old")
        and any(re.search("Put|UpdateItem|DeleteItem|Write|PartiQL[^S]", one) for one in actions)
    }
    assert granted == {("sync", "old_writes")}
    assert re.search(
        r"old_writes += var\.sync_may_write_old_table \? .* : \[\]$", (SOURCE / "roles.tf").read_text(), re.MULTILINE
    )
    assert re.search(r"default += false", declared_inputs(SOURCE)["sync_may_write_old_table"])


def test_every_alarm_about_the_migration_is_about_a_metric_that_sync_tells_and_leads_to_the_runbook() -> None:
    text = (SOURCE / "alarms_migration.tf").read_text()
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    told = {name for name, _ in told_gauges(metrics.registry)}
    watched = {
        name.replace("${direction}", direction)
        for name in re.findall(r'metric = "([^"]+)"', text)
        for direction in DIRECTIONS
    }
    assert watched == told
    assert set(re.findall(r"\$\{local.runbook\}#([\w-]+)", text)) <= sections().keys()


def declared_inputs(module: Path) -> dict[str, str]:
    """Each variable of a module, with its declaration."""
    text = "".join(path.read_text() for path in sorted(module.glob("*.tf")))
    found = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
    assert found
    return found
