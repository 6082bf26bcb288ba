"""`conflicts list|show|resolve` as an operator types them: answers, questions, refusals and exit statuses."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from service.cli.main import main
from service.config import Settings
from service.control.state import MigrationState, change_state
from service.control.stores import Stores
from tests.builders.small_crm import MAPPING
from tests.worlds.both_ways_world import BothWays
from tests.worlds.conflict_world import CHANGED, MERGED, AuditNotes, make_conflict, state_in_dual

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> AuditNotes:
    """The entries of the audit log, by ann."""
    notes = AuditNotes()

    async def move_context(_: object) -> Any:
        return SimpleNamespace(by="ann", audit=SimpleNamespace(append=notes))

    monkeypatch.setattr("service.cli.conflicts.move_context", move_context)
    return notes


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, notes: AuditNotes) -> BothWays:
    """A migration in dual, in memory, on which the commands work."""
    world = BothWays()

    async def describe(name: str) -> str:
        return name

    def dual(_: MigrationState) -> MigrationState:
        return state_in_dual()

    @asynccontextmanager
    async def open_app(_: object) -> AsyncIterator[Any]:
        await change_state(world.control, MAPPING, 0.0, dual)
        yield SimpleNamespace(
            settings=Settings(control_table="control", endpoint_url="http://localhost:8000"),
            mapping=MAPPING,
            clock=world.clock,
            store=world.db,
            control=world.control,
            stores=Stores(world.db, world.control, MAPPING, world.clock),
            tables=SimpleNamespace(describe=describe),
        )

    monkeypatch.setattr("service.cli.run.open_app", open_app)
    monkeypatch.setattr("service.cli.run.load_settings", Settings)
    return world


@pytest.fixture
def run(world: BothWays, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tablesplit", "conflicts", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


@pytest.fixture
def name(world: BothWays) -> str:
    """An open conflict."""
    return asyncio.run(make_conflict(world, CHANGED))


def test_an_empty_list_says_so(run: Run) -> None:
    assert run("list") == (0, "there is no conflict\n", "")
    assert json.loads(run("list", "--json")[1]) == {"items": []}


def test_a_conflict_is_listed_until_it_is_resolved_and_then_with_all(run: Run, name: str, notes: AuditNotes) -> None:
    line = f"{name}  overlap  pk=LEAD#a sk=METADATA (company)"
    assert run("list") == (0, f"{line}\n", "")
    status, out, err = run("resolve", name, "--keep", "v2", "--yes", "--why", "v2 is newer")
    assert (status, out) == (0, f"resolved {name}: kept v2\n")
    assert err.startswith("migration: table old, server http://localhost:8000, tablesplit ")
    assert err.split("\n", 1)[1].startswith('lost: company: {"S": "old side"} (stays: {"S": "v2 side"})\n')
    assert run("list") == (0, "there is no conflict\n", "")
    assert run("list", "--all")[1].startswith(f"{line}, resolved: v2 kept by ann at ")
    assert [(action, why) for action, why, _ in notes] == [("conflict resolved", "v2 is newer")]


def test_show_prints_the_document(run: Run, name: str) -> None:
    status, out, _ = run("show", name)
    assert status == 0
    assert json.loads(out)["change"]["new"] == CHANGED


def test_resolve_answers_with_one_json_document(run: Run, name: str, world: BothWays, tmp_path: Path) -> None:
    path = tmp_path / "merged.json"
    path.write_text(json.dumps(MERGED))
    status, out, _ = run("resolve", name, "--keep", "merge", str(path), "--yes", "--json")
    assert status == 0
    assert json.loads(out)["resolved"] == name
    item = world.v2_lead()
    assert item is not None
    assert item["company"] == {"S": "both"}


def test_without_a_terminal_and_without_yes_nothing_is_resolved(run: Run, name: str, world: BothWays) -> None:
    status, _, err = run("resolve", name, "--keep", "old")
    assert status == 2
    assert "Confirm with --yes" in err
    assert asyncio.run(world.conflicts.count_open()) == 1


@pytest.mark.parametrize(
    ("arguments", "status", "line"),
    [
        (("show", "nope"), 2, "error: no conflict has the id nope"),
        (("resolve", "nope", "--keep", "v2", "--yes"), 2, "error: no conflict has the id nope"),
        (("resolve", "nope"), 2, "error: Missing option '--keep'. Choose from: old, v2, merge"),
        (
            ("resolve", "ID", "--keep", "merge"),
            2,
            "error: --keep merge needs a FILE with the old item as it should become; the other choices take no FILE.",
        ),
        (
            ("resolve", "ID", "--keep", "v2", "item.json"),
            2,
            "error: --keep merge needs a FILE with the old item as it should become; the other choices take no FILE.",
        ),
        (
            ("resolve", "ID", "--keep", "merge", "nope.json", "--yes"),
            2,
            "error: cannot read nope.json: No such file or directory",
        ),
    ],
)
def test_a_refused_command_prints_one_line(
    run: Run, name: str, arguments: tuple[str, ...], status: int, line: str
) -> None:
    ended, out, err = run(*(name if argument == "ID" else argument for argument in arguments))
    assert (ended, out) == (status, "")
    assert next(said for said in err.splitlines() if not said.startswith("migration: ")) == line


def test_a_second_resolution_is_refused(run: Run, name: str) -> None:
    run("resolve", name, "--keep", "v2", "--yes")
    status, out, _ = run("resolve", name, "--keep", "old", "--yes", "--json")
    assert status == 1
    assert json.loads(out)["error"]["message"].startswith(f"conflict {name} has been resolved already: v2 was kept by")
