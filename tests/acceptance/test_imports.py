"""What a short command imports: most of its time is that, and what it does not use it does not import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.in_process import World

pytestmark = pytest.mark.local

ROOT = Path(__file__).parents[2]
LARGE = {"aiohttp", "boto3", "botocore", "fastapi", "opentelemetry", "rich", "structlog", "urllib3", "uvicorn"}
KEYS = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@pytest.fixture
def started(world: World) -> World:
    """A migration that has been started, on a server that answers."""
    world.make("OLD_TABLE_NAME")
    assert world.run("create-tables").status == 0
    return world


def imported(home: Path, *arguments: str, **keys: str) -> set[str]:
    """Which of LARGE a command imports that succeeds in this environment, with ``home`` and ``keys`` for all that AWS is told."""
    code = (
        f"import sys; sys.argv = ['tablesplit', *{arguments!r}]; from service.cli import main\n"
        f"try: main()\nfinally: print(); print(*({LARGE!r} & set(sys.modules)))"
    )
    told = {name: value for name, value in os.environ.items() if name != "AWS_PROFILE" and name not in KEYS}
    files = {"AWS_CONFIG_FILE": str(home / "config"), "AWS_SHARED_CREDENTIALS_FILE": str(home / "credentials")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**told, **files, "PYTHONPATH": str(ROOT), **keys},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("status",), ("audit",)])
def test_what_reads_the_control_table_alone_imports_neither_botocore_nor_the_log(
    started: World, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert imported(tmp_path, *arguments, **KEYS) == set()


def test_a_profile_is_read_by_botocore(started: World, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("[default]\naws_access_key_id = a\naws_secret_access_key = b\n")
    assert imported(tmp_path, "status") == {"boto3", "botocore", "urllib3"}
