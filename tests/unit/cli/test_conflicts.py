"""`conflicts list|show|resolve` as an operator types them: answers, questions, refusals and exit statuses."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import service.cli.conflicts
from service.cli.main import main
from service.config import Settings
from service.control.state import MigrationState, change_state
from service.control.stores import Stores
from tests.builders.small_crm import MAPPING, lead_key
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
    line = f"{name[:8]}  overlap  pk=LEAD#a sk=METADATA (company)"
    assert run("list") == (0, f"{line}\n", "")
    status, out, err = run("resolve", name, "--keep", "v2", "--yes", "--why", "v2 is newer")
    assert (status, out) == (0, f"resolved {name}: kept v2\n")
    assert err.startswith("migration: table old, server http://localhost:8000, tablesplit ")
    assert err.split("\n", 1)[1].startswith('lost: company: {"S": "old side"} (stays: {"S": "v2 side"})\n')
    assert run("list") == (0, "there is no conflict\n", "")
    assert run("list", "--all")[1].startswith(f"{line}, resolved: v2 kept by ann at ")
    assert [(action, why) for action, why, _ in notes] == [("conflict resolved", "v2 is newer")]


def test_show_prints_a_diff_for_people_and_the_images_for_programs(run: Run, name: str) -> None:
    status, out, _ = run("show", name[:8])
    assert status == 0
    first, which, *lines = out.splitlines()
    assert (first, which.split(", at ")[0]) == (name, "overlap  LEAD  pk=LEAD#a sk=METADATA")
    assert lines[0] == "the change on the old side that lost:"
    assert [line for line in lines if line.startswith(("  -", "  +"))] == [
        '  + company: {"S": "old side"}',
    ]
    assert [line for line in lines if line.startswith("v2 had then, leads ")]
    assert '    company: {"S": "v2 side"}' in lines
    assert lines[-2:] == [
        "what `--keep v2` gives up:",
        '  company: {"S": "old side"} (stays: {"S": "v2 side"})',
    ]
    assert json.loads(run("show", name, "--json")[1])["change"]["new"] == CHANGED


def test_an_id_that_stands_for_several_is_refused(run: Run, name: str, world: BothWays) -> None:
    async def another() -> None:
        was = await world.conflicts.load(name)
        await world.conflicts.keep(replace(was, id=f"{name[:8]}x"))

    asyncio.run(another())
    status, _, err = run("show", name[:8])
    assert (status, err.splitlines()[0]) == (2, f"error: 2 ids begin with {name[:8]}")
    assert run("show", name[:8] + "x")[0] == 0
    assert sorted(line.split()[0] for line in run("list")[1].splitlines()) == sorted([name[:9], f"{name[:8]}x"])


@pytest.mark.parametrize(
    ("where", "resolved"),
    [
        ((), True),
        (("entity=LEAD", "field=company", "reason=overlap"), True),
        (("entity=LEAD", "field=status"), False),
        (("entity=DEAL",), False),
    ],
)
def test_all_that_are_named_are_resolved_at_once(
    run: Run, name: str, world: BothWays, notes: AuditNotes, where: tuple[str, ...], resolved: bool
) -> None:
    named = [word for one in where for word in ("--where", one)]
    status, out, err = run("resolve", "--all", "--keep", "old", *named, "--yes", "--why", "a sale", "--json")
    assert (status, json.loads(out)) == (0, {"resolved": [name] if resolved else [], "kept": "old", "open": {}})
    assert (f'lost: {name}  company: {{"S": "v2 side"}} (stays: {{"S": "old side"}})' in err) is resolved
    assert asyncio.run(world.conflicts.count_open()) == (0 if resolved else 1)
    item = world.v2_lead()
    assert item is not None
    assert item["company"] == ({"S": "old side"} if resolved else {"S": "v2 side"})
    assert len(notes) == resolved


def test_one_that_changes_meanwhile_stays_open_and_is_named(
    run: Run, name: str, world: BothWays, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirm = service.cli.conflicts.confirm

    def change(*arguments: Any, **options: Any) -> None:
        world.edit("leads", lead_key("a"), company={"S": "later"})
        confirm(*arguments, **options)

    monkeypatch.setattr("service.cli.conflicts.confirm", change)
    status, out, _ = run("resolve", "--all", "--keep", "old", "--yes")
    assert (status, out.splitlines()) == (
        1,
        [
            f"{name} stays open: v2 has changed meanwhile: nothing was written",
            "resolved 0 conflicts: kept old, 1 stay open",
        ],
    )
    assert asyncio.run(world.conflicts.count_open()) == 1


def test_an_export_has_every_image_and_is_for_its_owner_alone(run: Run, name: str, tmp_path: Path) -> None:
    path = tmp_path / "conflicts.jsonl"
    path.write_text("what was there before\n" * 1000)
    status, out, _ = run("export", str(path))
    assert (status, out) == (0, f"1 conflicts written to {path}\n")
    (document,) = map(json.loads, path.read_text().splitlines())
    assert (document["id"], document["change"]["new"]) == (name, CHANGED)
    assert path.stat().st_mode & 0o777 == 0o600
    run("resolve", name, "--keep", "v2", "--yes")
    assert json.loads(run("export", str(path), "--json")[1])["exported"] == 0
    assert path.read_text() == ""
    assert json.loads(run("export", str(path), "--all", "--json")[1])["exported"] == 1
    assert run("export", str(tmp_path / "no" / "x"))[0] == 3


def test_an_export_may_go_to_what_is_no_file(run: Run, name: str) -> None:
    """A device cannot be cut, and need not be."""
    assert run("export", "/dev/null")[:2] == (0, "1 conflicts written to /dev/null\n")


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
        (("resolve", "--keep", "v2"), 2, "error: Give an ID, or --all."),
        (("resolve", "ID", "--all", "--keep", "v2"), 2, "error: Give an ID, or --all."),
        (("resolve", "ID", "--keep", "v2", "--where", "entity=LEAD"), 2, "error: --where needs --all."),
        (
            ("resolve", "--all", "--keep", "merge"),
            2,
            "error: --all keeps old or v2: --keep merge is for one conflict.",
        ),
        (
            ("resolve", "--all", "--keep", "v2", "--where", "colour=red"),
            2,
            "error: --where colour=red: it is one of entity=VALUE, reason=VALUE, field=VALUE.",
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
