"""Terraform, set up once for the module and once for the example."""

from pathlib import Path

import pytest

from tests.servers import or_skip
from tests.terraform.program import Terraform, copied


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The module by itself."""
    return _ready(copied(tmp_path_factory.mktemp("module")))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The complete example, beside a copy of the module."""
    return _ready(copied(tmp_path_factory.mktemp("example")) / "examples" / "complete")


def _ready(folder: Path) -> Terraform:
    terraform = Terraform(folder)
    with or_skip():
        terraform.init()
    return terraform
