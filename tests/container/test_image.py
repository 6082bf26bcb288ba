"""The image: what is in it, as whom it runs, and that both entry points work on a read-only root file system."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.container.engine import ROOT, docker, require_engine

pytestmark = [pytest.mark.container, pytest.mark.slow]

IMAGE = "tablesplit:described"
"""A name of its own: other tests build `tablesplit:local` at the same time, and say no version."""

BASE = "python:3.12-slim"
OWN_MEGABYTES = 110
"""What the image adds to Python's: most of it is botocore with its descriptions of every AWS service, and compiled modules."""

METRICS = """
import asyncio
from service.app import open_app
from service.environment import load_settings
async def shown():
    async with open_app(load_settings()) as app:
        print(app.metrics.page()[0].decode())
asyncio.run(shown())
"""

RESTRICTED = ("--rm", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@pytest.fixture(scope="module")
def image() -> dict[str, Any]:
    """What the engine says of the image, built now."""
    require_engine()
    docker("build", "--quiet", "--tag", IMAGE, "--build-arg", "VERSION=9.9", "--build-arg", "REVISION=abc", ".")
    return inspected(IMAGE)


def inspected(name: str) -> dict[str, Any]:
    (found,) = json.loads(docker("image", "inspect", name))
    assert isinstance(found, dict)
    return found


def run(*command: str, options: tuple[str, ...] = RESTRICTED, status: int = 0) -> str:
    return docker("run", *options, IMAGE, *command, status=status)


def test_it_is_nobody_in_particular_and_says_what_it_is(image: dict[str, Any]) -> None:
    config = image["Config"]
    assert config["User"] == "10001:10001"
    assert config["Cmd"] == ["tablesplit", "sync"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"][0] == "CMD"
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in config["Labels"].items()}
    assert labels["title"] == "tablesplit"
    assert (labels["revision"], labels["licenses"]) == ("abc", "Apache-2.0")


def test_label_command_and_metric_name_the_same_version(image: dict[str, Any]) -> None:
    assert run("tablesplit", "--version") == "tablesplit, version 9.9\n"
    (build,) = (line for line in run("python", "-c", METRICS).splitlines() if line.startswith("tablesplit_build_info{"))
    assert 'version="9.9"' in build
    assert image["Config"]["Labels"]["org.opencontainers.image.version"] == "9.9"


def test_both_entry_points_work_without_a_writable_file_system(image: dict[str, Any]) -> None:
    assert "Copy the old table into the v2 tables" in run("python", "-m", "backfill", "--help")
    assert "Move a live DynamoDB single table" in run("tablesplit", "--help")


def test_what_built_it_is_not_in_it(image: dict[str, Any]) -> None:
    assert (
        run("python", "-c", "import importlib.util as u; print(u.find_spec('hatchling'), u.find_spec('moto'))")
        == "None None\n"
    )
    assert run("python", "-c", "import shutil; print(shutil.which('gcc'), shutil.which('git'))") == "None None\n"


def test_it_holds_exactly_the_locked_packages(image: dict[str, Any]) -> None:
    listing = run(
        "python",
        "-c",
        "from importlib.metadata import distributions as d\nfor p in d(): print(p.name, p.version, sep='==')",
    )
    held = {line.lower().replace("_", "-") for line in listing.split()}
    locked = {line.split()[0] for line in (ROOT / "deploy" / "image.lock").read_text().splitlines() if "==" in line}
    own = {line for line in held if line.startswith("tablesplit==")}
    from_base = {line for line in held if line.partition("==")[0] in ("pip", "setuptools", "wheel")}
    assert held - own - from_base == locked


def test_it_is_no_larger_than_it_must_be(image: dict[str, Any]) -> None:
    added = (image["Size"] - inspected(BASE)["Size"]) / 1e6
    assert added < OWN_MEGABYTES, f"{added:.0f} MB on top of {BASE}"


def test_wrong_configuration_is_one_line_and_status_2(image: dict[str, Any]) -> None:
    done = subprocess.run(
        ["docker", "run", *RESTRICTED, "--env", "TABLESPLIT_SEGMENTS=0", IMAGE],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert "TABLESPLIT_SEGMENTS=0" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_dockerfile_is_clean() -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, timeout=600)
    assert (done.returncode, done.stdout) == (0, "")
