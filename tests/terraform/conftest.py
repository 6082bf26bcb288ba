"""Terraform, set up once for each module and each example."""

from pathlib import Path

import pytest

from service.errors import Misconfigured
from tests.terraform.program import Terraform, copied


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The module by itself."""
    return _ready(copied(tmp_path_factory.mktemp("module")))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The module of the v2 tables by itself."""
    return _ready(copied(tmp_path_factory.mktemp("tables")) / "tables")


@pytest.fixture(scope="module")
def tables_example(example: Terraform) -> Terraform:
    """The example of the v2 tables, beside the complete one."""
    return _ready(example.folder.parent / "tables")


@pytest.fixture(scope="module")
def existing_example(module: Terraform) -> Terraform:
    """The example that deploys into what exists, beside a copy of the module."""
    return _ready(module.folder / "examples" / "existing")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The complete example, beside a copy of the module."""
    return _ready(copied(tmp_path_factory.mktemp("example")) / "examples" / "complete")


def _ready(folder: Path) -> Terraform:
    terraform = Terraform(folder)
    try:
        terraform.init()
    except Misconfigured as missing:  # in CI as well: there is no package of the provider to install
        pytest.skip(f"{missing}: {missing.remedy}")
    return terraform
