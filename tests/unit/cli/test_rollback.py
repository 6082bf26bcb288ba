"""`rollback` as an operator types it, where the old table does not have everything: what it prints, and the number it wants."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import click
import pytest

from service.cli.main import main
from service.cli.phase import QUESTIONS
from service.config import Settings
from service.core.phases.gate import Condition, Gate
from service.core.phases.left_behind import KeysLeftBehind, Lack, LeftBehind, left_behind
from service.migration.phase.move import Moved, MoveRequest
from tests.builders.small_crm import MAPPING

GATE = Gate("forward", (Condition("quarantine", 30, 0, False, None, "tablesplit quarantine list"),))


def behind(keys: int) -> LeftBehind:
    return left_behind([Lack("old", {"pk": {"S": f"k{n}"}}, "quarantine", "waits") for n in range(keys)], 0, None)


class Phase:
    """Stands in for the move: it wants the number of ``behind``, and notes what it was asked for."""

    def __init__(self, keys: int) -> None:
        self.behind = behind(keys)
        self.asked: list[MoveRequest] = []

    async def make(self, _: object, request: MoveRequest) -> Moved:
        self.asked.append(request)
        if request.leave_behind != self.behind.count:
            raise KeysLeftBehind(GATE, request.forced, self.behind, request.leave_behind)
        return Moved("forward", "phase forward: the application may write old", {}, self.behind)


@pytest.fixture
def phase(monkeypatch: pytest.MonkeyPatch) -> Phase:
    phase = Phase(30)
    settings = Settings(control_table="control", endpoint_url="http://localhost:8000")

    @asynccontextmanager
    async def open_app(_: object) -> AsyncIterator[Any]:
        yield SimpleNamespace(settings=settings, mapping=MAPPING)

    async def move_context(_: object) -> None:
        return None

    monkeypatch.setattr("service.cli.run.open_app", open_app)
    monkeypatch.setattr("service.cli.run.load_settings", lambda: settings)
    monkeypatch.setattr("service.cli.run.load_configured_mapping", lambda _: MAPPING)
    monkeypatch.setattr("service.cli.phase.move_context", move_context)
    monkeypatch.setattr("service.cli.phase.make_move", phase.make)
    return phase


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["tablesplit", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


@pytest.mark.parametrize("told", [(), ("--leave-behind", "29")])
def test_it_prints_every_key_and_the_command_that_goes_on(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: tuple[str, ...]
) -> None:
    status, out, err = run(monkeypatch, capsys, "rollback", "--yes", *told)
    assert status == 1
    assert [line.split()[1] for line in out.splitlines() if "quarantine: waits" in line] == [
        f"pk=k{n}" for n in range(30)
    ]
    assert "tablesplit rollback --leave-behind 30" in err


def test_for_programs_the_keys_are_in_the_document(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(monkeypatch, capsys, "rollback", "--table", "old", "--json")
    document = json.loads(out)
    assert (status, document["left_behind"]["count"], len(document["left_behind"]["keys"])) == (1, 30, 30)
    assert document["error"]["kind"] == "refused"


def test_told_the_number_it_goes_back_and_says_what_is_left_behind(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(monkeypatch, capsys, "rollback", "--yes", "--leave-behind", "30", "--why", "sale")
    assert (status, phase.asked[0].leave_behind, phase.asked[0].why) == (0, 30, "sale")
    assert "30 keys are left behind" in out


@pytest.mark.parametrize(("keys", "paged"), [(30, True), (20, False)])
def test_a_terminal_shows_a_long_list_page_by_page(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], keys: int, paged: bool
) -> None:
    phase.behind = behind(keys)
    shown: list[str] = []
    monkeypatch.setattr(click, "echo_via_pager", shown.append)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, out, _ = run(monkeypatch, capsys, "rollback", "--yes")
    assert bool(shown) is paged
    assert ("".join(shown) if paged else out).count("quarantine: waits") == keys


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            (),
            f"{QUESTIONS['rollback']} Confirm with --table old or --yes, or run this on a terminal.",
        ),
        (("--table", "other"), "--table other: this is the migration of table old. Nothing was changed."),
        (("--table", "other", "--yes"), "--table other: this is the migration of table old. Nothing was changed."),
    ],
)
def test_without_the_name_of_the_table_nothing_moves(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], told: tuple[str, ...], line: str
) -> None:
    status, _, err = run(monkeypatch, capsys, "rollback", *told)
    assert (status, err.splitlines()[0], phase.asked) == (2, f"error: {line}", [])


@pytest.mark.parametrize(("typed", "status"), [("old", 0), ("yes", 2)])
def test_a_terminal_says_which_migration_it_is_and_asks_for_the_name_of_the_table(
    phase: Phase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, status: int
) -> None:
    phase.behind = behind(0)
    said: list[str] = []

    def answer(question: str, **_: object) -> str:
        said.append(f"{capsys.readouterr().err}{question}")
        return typed

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "prompt", answer)
    ended, _, err = run(monkeypatch, capsys, "rollback", "--leave-behind", "0")
    assert (ended, len(phase.asked)) == (status, 1 - status // 2)
    assert "migration:" not in err
    assert said[0].startswith("migration: table old, server http://localhost:8000, tablesplit ")
    assert said[0].endswith("Type the table's name, old, to go on")
