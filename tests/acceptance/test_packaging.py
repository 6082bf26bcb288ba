"""What `pip install` installs: the command, and every file that it needs, and nothing else."""

import subprocess
import sys
from importlib.metadata import EntryPoint, PathDistribution
from pathlib import Path
from zipfile import ZipFile

import pytest

PROJECT = Path(__file__).parents[2]
PACKAGES = ("service", "backfill")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel of this work tree."""
    built, folder = tmp_path_factory.mktemp("wheel"), tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, timeout=600)
    with ZipFile(next(built.glob("tablesplit-*.whl"))) as wheel:
        wheel.extractall(folder)
    return folder


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(installed):
    assert _files(installed) == _files(PROJECT)
    assert {path.name for path in installed.iterdir() if path.suffix != ".dist-info"} == set(PACKAGES)


@pytest.mark.parametrize(
    "path",
    [
        "service/mappings/crm.yaml",
        "service/mappings/mapping.schema.json",
        "service/dynamodb/prices.yaml",
        "service/rehearsal/demo/crm-sales/sales_pipeline.csv",
        "service/rehearsal/servers/dynamodb_local.pom.xml",
        "service/py.typed",
        "backfill/py.typed",
    ],
)
def test_other_files_ship_inside_the_packages(installed, path):
    assert (installed / path).is_file()


def test_the_command_runs_from_the_wheel_alone(installed, tmp_path):
    script = next(iter(_distribution(installed).entry_points.select(name="tablesplit")))
    assert script == EntryPoint("tablesplit", "service.cli:main", "console_scripts")
    shown = _run(installed, tmp_path, "from service.cli import main; main()", "--help")
    assert "full-migration" in shown


def test_the_demonstration_needs_nothing_beside_the_wheel(installed, tmp_path):
    code = "import sys, service.cli.demo, service.cli.seed; print(*sys.modules)"
    modules = _run(installed, tmp_path, code).split()
    assert "service.rehearsal.demo.run" in modules
    assert not {"examples", "tests"} & set(modules)


def test_the_packaged_mapping_loads_from_the_wheel_alone(installed, tmp_path):
    code = "from service.environment import *; print(sorted(load_configured_mapping(load_settings()).entities))"
    assert _run(installed, tmp_path, code) == "['DEAL', 'LEAD', 'PIPELINE', 'RESOURCE']\n"


def _files(root: Path) -> set[str]:
    paths = (path for package in PACKAGES for path in (root / package).rglob("*") if path.is_file())
    return {str(path.relative_to(root)) for path in paths if not _is_cache(path.relative_to(root))}


def _is_cache(path: Path) -> bool:
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def _distribution(folder: Path) -> PathDistribution:
    return PathDistribution(next(folder.glob("tablesplit-*.dist-info")))


def _run(installed: Path, folder: Path, code: str, *arguments: str) -> str:
    """The output of ``code`` in ``folder``, with tablesplit from the unpacked wheel."""
    pathed = f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"
    command = [sys.executable, "-P", "-c", pathed, *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600).stdout
