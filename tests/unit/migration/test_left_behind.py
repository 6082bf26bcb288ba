"""What a rollback leaves behind, read from the control table; the rollback that refuses, and the one that is told the number."""

import asyncio
from typing import Any

import pytest

from service.control.conflicts import Conflict, Conflicts, Held, Resolution
from service.control.quarantine import Quarantine
from service.control.table import ControlTable
from service.control.verification import Differences, Differing, Verification, save_verification
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.phases.gate import GateClosed
from service.core.phases.left_behind import KeysLeftBehind
from service.core.phases.moves import Command
from service.errors import Poison
from service.migration.phase.move import preview_move
from service.migration.status.left_behind import read_left_behind
from tests.builders.small_crm import lead, lead_key, old_key
from tests.worlds.move_world import MoveWorld

AT = 1_700_000_000.0
LEDGER = {"rule": "ledger", "epoch": 1}


def conflict(name: str, reason: str = "overlap") -> Conflict:
    return Conflict(f"c-{name}", "old", old_key("LEAD", name), "LEAD", reason, ("status",), None, (), AT)  # type: ignore[arg-type]


async def lacking(world: MoveWorld) -> None:
    """Leads a to e: one in quarantine on either side, one in conflict, one held, one that differs; b differs too."""
    quarantine, conflicts = Quarantine(world.control, world.clock), Conflicts(world.control)
    poison = Poison("no such entity", reason="unknown_entity")
    await quarantine.add_change(
        WaitingChange(Change("old", "s", "7", old_key("LEAD", "a"), None, lead("a")), 1), poison
    )
    v2 = Change("leads", "s", "8", lead_key("a"), None, {**lead_key("a")})
    await quarantine.add_change(WaitingChange(v2, 1), replace_reason(poison, "v2_key_mismatch"))
    await save(world.control, conflict("b"))
    await save(world.control, conflict("gone"))
    head = await conflicts.head("c-gone")
    assert await conflicts.resolve("c-gone", head, Resolution("v2", "ann", AT))
    held = Held("old", old_key("LEAD", "c"), "LEAD", (("leads", {}), ("leads", {})), AT)
    world.db.apply(*await conflicts.held_puts("h", held))
    differ = (old_key("LEAD", "b"), old_key("LEAD", "d"))
    now = {key["pk"]["S"]: Differing(key, "LEAD", "fields", (), ("status",), AT, AT) for key in differ}
    await Differences(world.control).replace({}, now)
    await save_verification(world.control, Verification(3, 0, differ, AT, total=len(differ)))


def replace_reason(poison: Poison, reason: str) -> Poison:
    return Poison(poison.message, reason=reason)


async def save(control: ControlTable, kept: Conflict) -> None:
    await Conflicts(control).keep(kept)


async def test_every_key_of_either_side_is_found_with_what_is_the_matter() -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        await lacking(world)
        behind = await read_left_behind(world.app)
    found = {f"{row.table} {min(row.key)} {tag(row.to_text())}" for row in behind.keys}
    assert behind.count == len(found) == 5
    assert behind.causes() == {"conflict": 1, "held": 1, "quarantine": 2, "verification": 2}
    assert behind.verified == "2023-11-14T22:13:20Z"
    text = behind.to_text()
    assert "old pk=LEAD#b sk=METADATA  conflict: a change of status lost against v2" in text
    assert "verification: its two sides differ in status (fields; tablesplit validate --repair)" in text
    assert "old pk=LEAD#a sk=METADATA  quarantine: 1 of its changes wait, v2 lacks them" in text
    assert (
        "leads PK=LEAD SK=2024-05#a  quarantine: 1 of its changes wait, not in the old table (v2_key_mismatch" in text
    )
    assert "old pk=LEAD#c sk=METADATA  held: it lives at 2 keys of v2" in text
    assert "gone" not in text


def tag(line: str) -> str:
    return line.split("  ", maxsplit=1)[0]


async def test_where_nothing_is_the_matter_nothing_is_found() -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        behind = await read_left_behind(world.app)
    assert (behind.count, behind.verified) == (0, None)


async def test_an_old_item_that_a_repair_replaced_is_said_to_be_that() -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        await save(world.control, conflict("b", "redriven"))
        behind = await read_left_behind(world.app)
    assert "conflict: a repair replaced it at 2023-11-14T22:13:20Z (redriven" in behind.to_text()


@pytest.mark.parametrize(("phase", "to"), [("reverse", "dual"), ("dual", "forward")])
@pytest.mark.parametrize("forced", [(), ("quarantine",)])
@pytest.mark.parametrize("told", [None, 4])
async def test_a_rollback_names_every_key_and_does_not_begin(
    phase: str, to: str, forced: tuple[str, ...], told: int | None
) -> None:
    world = MoveWorld(closed={"quarantine"})
    async with world.running(phase=phase, **LEDGER):
        await lacking(world)
        with pytest.raises(KeysLeftBehind) as refused:
            await world.move("rollback", forced=forced, leave_behind=told)
        state = await world.state()
    assert refused.value.behind.count == 5
    assert "tablesplit rollback --leave-behind 5" in refused.value.remedy
    assert (state.phase, state.move, world.log.actions) == (phase, None, [])


async def test_told_the_number_it_goes_back_writes_it_down_and_says_how_many_are_left_behind() -> None:
    world = MoveWorld(closed={"quarantine"})
    async with world.running(phase="dual", **LEDGER):
        await lacking(world)
        moved = await world.move("rollback", why="sale", leave_behind=5)
    assert moved.phase == "forward"
    assert "5 keys are left behind: the old table does not have everything that was written there" in moved.to_text()
    assert moved.to_json()["left_behind"]["count"] == 5
    begun, entered = (entry for entry in world.log.entries)
    assert begun[:2] == ("move begun", "sale")
    assert begun[2]["left_behind"] == entered[2]["left_behind"] == 5
    assert begun[2]["left_behind_by_cause"] == {"conflict": 1, "held": 1, "quarantine": 2, "verification": 2}
    assert begun[2]["forced"] == ["quarantine"]


async def test_what_is_said_at_the_end_is_what_is_so_then() -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        moving = world.start_move("rollback")
        await world.clock.until(lambda: world.history[-1:] == [("dual", "ledger", "announce")])
        await save(world.control, conflict("late"))
        moved = await world.done(moving)
    assert moved.to_text().splitlines()[-2].startswith("1 key is left behind")


async def test_a_rollback_that_leaves_nothing_behind_says_how_it_knows() -> None:
    world = MoveWorld()
    async with world.running(phase="reverse", **LEDGER):
        await save_verification(world.control, Verification(3, 0, (), AT))
        moved = await world.move("rollback")
    assert moved.to_text().endswith(
        "no key is left behind, as far as quarantine, conflict log and the verification of 2023-11-14T22:13:20Z show"
    )


async def test_it_waits_for_a_key_that_comes_out_of_quarantine_by_itself() -> None:
    world = MoveWorld(closed={"quarantine"})
    async with world.running(phase="dual", **LEDGER):
        moving = world.start_move("rollback", wait_seconds=60)
        await world.clock.advance(10)
        assert not moving.done()
        world.closed.clear()
        assert (await world.done(moving)).phase == "forward"


@pytest.mark.parametrize(("command", "named"), [("rollback", True), ("cutover --finish", False)])
async def test_a_dry_run_of_a_rollback_names_the_keys(command: Command, named: bool) -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        await lacking(world)
        shown: Any = await world.done(asyncio.ensure_future(preview_move(world.app, command)))
    assert (shown.behind is not None) is named
    assert ("old pk=LEAD#d sk=METADATA  verification: its two sides differ" in shown.to_text()) is named
    assert ("left_behind" in shown.to_json()) is named


async def test_a_cutover_is_not_asked_for_a_number() -> None:
    world = MoveWorld(closed={"quarantine"})
    async with world.running(phase="dual", **LEDGER):
        await lacking(world)
        with pytest.raises(GateClosed) as refused:
            await world.move("cutover --finish")
        assert not isinstance(refused.value, KeysLeftBehind)
        assert (await world.move("cutover --finish", forced=("quarantine",))).behind is None
