"""`quarantine list|show|retry|drop`: a key is named by the first characters of its id."""

import asyncio
import json
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from service.cli.main import main
from service.control.quarantine import Quarantine, quarantine_id
from service.core.item.wire import Item
from service.errors import Poison
from service.migration.settlement.quarantine import RetryResult
from tests.worlds.both_ways_world import BothWays, dual_for_commands
from tests.worlds.conflict_world import AuditNotes

KEYS: list[Item] = [{"pk": {"S": f"LEAD#{name}"}, "sk": {"S": "x"}} for name in "ab"]
IDS = [quarantine_id("old", key) for key in KEYS]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    """A migration in dual with two keys in quarantine, in memory."""
    world = dual_for_commands(monkeypatch)

    async def move_context(_: object) -> Any:
        return SimpleNamespace(by="ann", audit=SimpleNamespace(append=AuditNotes()))

    async def retry_key(_: object, key_id: str) -> RetryResult:
        return RetryResult(key_id, "no name")

    monkeypatch.setattr("service.cli.quarantine.move_context", move_context)
    monkeypatch.setattr("service.cli.quarantine.retry_key", retry_key)

    async def add() -> None:
        for key in KEYS:
            await Quarantine(world.control, world.clock).add_copy("old", key, Poison("no name", reason="no_name"))

    asyncio.run(add())
    return world


@pytest.fixture
def run(world: BothWays, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `tablesplit quarantine`; returns exit status, stdout and stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tablesplit", "quarantine", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


def test_the_list_names_each_key_by_the_first_characters_of_its_id(run: Run) -> None:
    assert sorted(line.split()[0] for line in run("list")[1].splitlines()) == sorted(one[:8] for one in IDS)
    assert sorted(row["id"] for row in json.loads(run("list", "--json")[1])["items"]) == sorted(IDS)


def test_show_and_drop_take_the_first_characters(run: Run) -> None:
    assert json.loads(run("show", IDS[0][:8])[1])["id"] == IDS[0]
    assert run("drop", IDS[0][:6], "--yes")[:2] == (0, f"dropped {IDS[0]}: 0 changes lost\n")
    assert [row["id"] for row in json.loads(run("list", "--json")[1])["items"]] == [IDS[1]]


@pytest.mark.parametrize("command", ["show", "retry", "drop"])
def test_an_id_of_no_key_is_refused_and_nothing_is_done(run: Run, command: str) -> None:
    status, out, err = run(command, "zzzz", *(["--yes"] if command == "drop" else []))
    assert (status, out) == (2, "")
    assert "error: nothing in quarantine has the id zzzz" in err
    assert len(run("list")[1].splitlines()) == 2


def test_retry_takes_the_first_characters_and_retries_each_key_once(run: Run) -> None:
    lines = run("retry", IDS[0][:8], IDS[0], IDS[1][:8])[1].splitlines()
    assert lines == [f"{one}  stays: no name" for one in IDS]
