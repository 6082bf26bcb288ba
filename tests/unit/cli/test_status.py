"""`status --watch` as it is seen: redrawn in place on a terminal, a document on each line for programs, and a quiet end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable

import pytest

from service.cli.main import main
from service.cli.output import Redrawn
from service.migration.status.status import Status
from tests.builders.statuses import KNOWN
from tests.worlds.both_ways_world import BothWays, dual_for_commands

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    return dual_for_commands(monkeypatch)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each snapshot asked the lanes. Ctrl-C comes with the third."""
    asked: list[bool] = []

    async def take(_: object, *, ask: bool) -> Status:
        asked.append(ask)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        return KNOWN

    monkeypatch.setattr("service.cli.status.take_snapshot", take)
    return asked


@pytest.fixture
def run(world: BothWays, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(world.clock, "sleep", sleep)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tablesplit", "status", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(str(ended.value.code)), out, err

    return run


def test_a_watch_for_programs_is_a_document_on_each_line_and_ends_quietly(run: Run, asked: list[bool]) -> None:
    status, out, err = run("--watch", "--json")
    assert (status, err) == (0, "")
    assert [json.loads(line) for line in out.splitlines()] == [json.loads(json.dumps(KNOWN.to_json()))] * 2


def test_a_watch_on_a_terminal_takes_its_own_place(
    run: Run, asked: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((200, 50)))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    status, out, err = run("--watch")
    text = KNOWN.to_text()
    rows = len(text.split("\n"))
    assert (status, err, out) == (0, "", f"{text}\n\x1b[{rows}A\r\x1b[J{text}\n")


def test_what_is_higher_or_wider_than_the_terminal_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.get_terminal_size", lambda *_: os.terminal_size((5, 3)))
    redrawn = Redrawn()
    redrawn.show("123456\na\x1b[2J\nthird")
    assert capsys.readouterr().out == "1234\na\\u0\n"
    redrawn.show("x")
    assert capsys.readouterr().out == "\x1b[2A\r\x1b[Jx\n"


@pytest.mark.parametrize(
    ("words", "asks"), [((), [False]), (("--fresh",), [True]), (("--until-caught-up", "1"), [True, True])]
)
def test_the_lanes_are_asked_only_on_request(
    run: Run, asked: list[bool], words: tuple[str, ...], asks: list[bool]
) -> None:
    run(*words)
    assert asked[: len(asks)] == asks
    assert set(asked) == set(asks)


@pytest.mark.parametrize(("words", "ends"), [(("--watch",), (0, "")), ((), (2, "error: stopped before it began"))])
def test_ctrl_c_before_a_command_has_begun(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], ends: tuple[int, str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.cli.status.run_command", interrupted)
    status, _, err = run(*words)
    assert (status, err.strip().partition(": nothing")[0]) == ends
