"""The image with the kcl engine: what it adds to the plain one, and a migration read by it under the restrictions of Compose."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.container.engine import ROOT, STARTED_WITHIN, Compose, compose, docker, require_engine
from tests.documents.own_repository import copied

pytestmark = [pytest.mark.container, pytest.mark.slow]

IMAGE = "tablesplit-kcl:local"
OVERLAYS = ("deploy/compose.kcl.yml", "tests/container/quick_kcl.yml")
STREAMS = 5
"""Of the old table, and of four v2 tables."""

ADDED_MEGABYTES = 150
"""What it adds to the plain image: a Java runtime of 95 MB, the daemon's jars of 33, amazon_kclpy."""

PRESENT = """
import shutil, sysconfig, tempfile
from importlib.metadata import distributions
from pathlib import Path
from service.environment import load_settings
from service.streams.kcl.daemon import JAR, require_daemon
jars = load_settings().kcl_jars
print(shutil.which("java"), (jars / JAR).is_file(), len(list((jars / "lib").glob("amazon-kinesis-client-3*.jar"))))
print(*sorted(f"{one.name}=={one.version}".lower().replace("_", "-") for one in distributions()))
print(*Path(sysconfig.get_path("purelib")).rglob("*.jar"), tempfile.gettempdir())
"""


def test_it_is_the_plain_image_with_java_the_daemon_and_the_locked_child() -> None:
    require_engine()
    docker("build", "--quiet", "--tag", "tablesplit:local", ".")
    docker("build", "--quiet", "--target", "kcl", "--tag", IMAGE, ".")
    plain, kcl = (json.loads(docker("image", "inspect", name))[0] for name in ("tablesplit:local", IMAGE))
    assert (kcl["Size"] - plain["Size"]) / 1e6 < ADDED_MEGABYTES
    shared = len(plain["RootFS"]["Layers"])
    assert kcl["RootFS"]["Layers"][:shared] == plain["RootFS"]["Layers"]
    same = ("User", "Cmd", "Healthcheck", "StopSignal")
    assert {name: kcl["Config"][name] for name in same} == {name: plain["Config"][name] for name in same}
    assert own_labels(kcl) == own_labels(plain) != {}
    found, packages, writable = docker("run", "--rm", "--read-only", IMAGE, "python", "-c", PRESENT).splitlines()
    assert found == "/opt/java/bin/java True 1"
    assert locked("kcl.lock") | locked("image.lock") <= set(packages.split())
    assert writable == "/tmp"


def own_labels(image: dict[str, Any]) -> dict[str, str]:
    """Without those that compose adds where it builds the image."""
    return {
        name: text for name, text in image["Config"]["Labels"].items() if not name.startswith("com.docker.compose.")
    }


def test_built_again_elsewhere_it_is_the_same(tmp_path: Path) -> None:
    require_engine()
    tree = copied(tmp_path)
    subprocess.run(["chmod", "--recursive", "go-rwx", tree], check=True, timeout=600)  # as with another umask
    made = [
        "docker",
        "build",
        "--quiet",
        "--provenance=false",
        "--build-arg=SOURCE_DATE_EPOCH=1700000000",
        "--target=kcl",
    ]
    here, elsewhere = (
        subprocess.run([*made, *more, "."], cwd=folder, capture_output=True, text=True, check=True, timeout=600).stdout
        for folder, more in ((ROOT, ()), (tree, ("--no-cache-filter=daemon,kclpy",)))
    )
    docker("image", "rm", "--force", elsewhere.strip())
    assert here == elsewhere


def locked(name: str) -> set[str]:
    """The packages of a lock file."""
    return {line.split()[0] for line in (ROOT / "deploy" / name).read_text().splitlines() if "==" in line}


def test_a_migration_is_read_by_it_and_it_stops_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPPORTUNITIES", "50")
    with compose(*OVERLAYS) as stack:
        stack("up", "--detach", "--build", "dynamodb-local", "seed", "create-tables", "sync", "backfill")
        stack.until(lambda: stack.get("SYNC_PORT", "/readyz")[0] == 200, STARTED_WITHIN)
        assert stack.cli("status", f"--until-caught-up={STARTED_WITHIN:.0f}")["forward"]["caught_up"]
        _what_the_application_writes_arrives(stack)
        _stops_within_its_grace(stack)


def _what_the_application_writes_arrives(stack: Compose) -> None:
    """To the last write, by the daemon of each lane."""
    stack.until(lambda: stack.cli("status")["forward"]["outcomes"].get("applied", 0) > 0)
    stack("stop", "--timeout", "10", "seed")
    assert stack.cli("validate")["result"] == "equal"
    assert len(re.findall(r'"event":"ready"', stack("logs", "--no-log-prefix", "sync"))) >= STREAMS


def _stops_within_its_grace(stack: Compose) -> None:
    stack("stop", "sync")
    assert stack.state("sync")["State"]["ExitCode"] == 0  # 137 had it not ended by itself
    assert "sync stopped; what was applied is saved" in stack("logs", "--no-log-prefix", "--tail", "5", "sync")
