"""Worlds for the command line in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.acceptance.in_process import TABLES, World


@pytest.fixture(autouse=True)
def log_as_it_was() -> Iterator[None]:
    """A command in this process logs to the stderr that pytest captures, which is closed after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def offline(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table_prefix: str, tmp_path: Path
) -> World:
    monkeypatch.chdir(tmp_path)
    world = World(monkeypatch, capsys, table_prefix, tmp_path, "http://127.0.0.1:9")
    world.set(AWS_ENDPOINT_URL=world.url, TABLESPLIT_MAX_ATTEMPTS="1")
    world.set(**{variable: world.name(variable) for variable in TABLES})
    return world


@pytest.fixture
def world(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    table_prefix: str,
    tmp_path: Path,
    dynamodb_local: str,
) -> World:
    monkeypatch.chdir(tmp_path)
    world = World(monkeypatch, capsys, table_prefix, tmp_path, dynamodb_local)
    world.set(AWS_ENDPOINT_URL=world.url)
    world.set(**{variable: world.name(variable) for variable in TABLES})
    return world
