"""The Terraform module: its form, and its own tests, which try every input with a mocked provider."""

import json
import re

import pytest

from tests.terraform.program import SOURCE, Terraform

pytestmark = pytest.mark.slow


def test_it_is_formatted_and_valid(module: Terraform) -> None:
    module.run("fmt", "-check", "-recursive", "-diff")
    module.run("validate")


def test_its_own_tests_pass(module: Terraform) -> None:
    said = module.run("test").stdout
    assert re.search(r"Success! [1-9]\d* passed, 0 failed\.", said), said


def test_every_input_is_tried_by_them() -> None:
    tests = "".join(path.read_text() for path in sorted((SOURCE / "tests").glob("*.tftest.hcl")))
    for name, body in declared_inputs().items():
        assert re.search(rf"^\s+{name}\s*=", tests, re.MULTILINE), f"no test sets {name}"
        assert ("validation {" not in body) or f"var.{name}," in tests, f"no test sets {name} out of its bounds"


def test_every_message_begins_with_the_inputs_name() -> None:
    for name, body in declared_inputs().items():
        for message in re.findall(r'error_message = "(.*)"', body):
            assert message.startswith((f"{name}: ", f"{name} ")), message


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
    assert re.search(r"default += false", declared_inputs()["sync_may_write_old_table"])


def declared_inputs() -> dict[str, str]:
    """Each variable of the module, with its declaration."""
    text = "".join(path.read_text() for path in sorted(SOURCE.glob("*.tf")))
    found = dict(re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, re.MULTILINE | re.DOTALL))
    assert found
    return found
