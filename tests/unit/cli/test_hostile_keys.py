"""Lists of keys as a terminal gets them: no key clears the screen, and none forges the line of another."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from service.cli.main import main
from service.control.audit import Audit
from service.control.conflicts import Conflict, Conflicts
from service.control.quarantine import Quarantine
from service.control.verification import Differences, Differing, Verification, save_verification
from service.core.phases.gate import Condition, Gate
from service.core.phases.left_behind import Lack, left_behind
from service.errors import Poison
from tests.builders.small_crm import lead
from tests.worlds.both_ways_world import BothWays, dual_for_commands

HOSTILE = "a\x1b[2J\rb\n0000  applied: everything is well\u202e"
KEY = {"pk": {"S": HOSTILE}, "sk": {"S": "x"}}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    """A migration in dual, in memory."""
    return dual_for_commands(monkeypatch)


async def quarantined(world: BothWays) -> None:
    await Quarantine(world.control, world.clock).add_copy("old", KEY, Poison(HOSTILE, reason="bad"))


async def in_conflict(world: BothWays) -> None:
    conflict = Conflict("id", "old", KEY, "LEAD", "replaced", (HOSTILE,), None, (), 0.0, old=lead("a"))
    await Conflicts(world.control).keep(conflict)


async def differing(world: BothWays) -> None:
    found = Differing(KEY, "LEAD", "fields", (("leads", KEY),), (HOSTILE,), 0.0, 60.0)
    await Differences(world.control).replace({}, {"ab": found})
    await save_verification(world.control, Verification(7, 2, (KEY,), 60.0, 1))


async def audited(world: BothWays) -> None:
    await Audit(world.control, world.clock, HOSTILE).append("hold", HOSTILE, {})


@pytest.mark.parametrize(
    ("command", "prepare", "lines"),
    [
        ("quarantine", quarantined, 1),
        ("conflicts", in_conflict, 1),
        ("verification", differing, 2),
        ("audit", audited, 1),
    ],
)
def test_a_list_has_a_line_for_each_key_and_nothing_that_acts(
    world: BothWays,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    prepare: Callable[[BothWays], Coroutine[Any, Any, None]],
    lines: int,
) -> None:
    asyncio.run(prepare(world))
    capsys.readouterr()  # what was logged meanwhile
    monkeypatch.setattr(sys, "argv", ["tablesplit", command, "list"])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    assert "a\\u001b[2J\\rb\\n0000  applied" in out
    assert out.count("\n") == lines
    assert out.replace("\n", "").isprintable()


def test_what_a_rollback_leaves_behind_and_a_gate_have_a_line_for_each() -> None:
    behind = left_behind([Lack("old", KEY, "quarantine", HOSTILE)], 0, None)
    gate = Gate("dual", (Condition(HOSTILE, HOSTILE, 0, False, None, HOSTILE),))
    assert len(behind.to_text().split("\n")) == 2
    assert len(gate.to_text().split("\n")) == 3
