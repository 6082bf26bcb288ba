"""Phase moves: the order of their steps, and how they end under kills, silent workers, vetoes and jumping clocks."""

import asyncio
import itertools
from dataclasses import replace
from typing import Any

import pytest

from backfill.run_record import FencedState
from service.control.repairs import registered
from service.control.state import Hold, Move
from service.core.item.write import Put
from service.core.phases.acting import Acting
from service.core.phases.gate import GateClosed
from service.core.phases.moves import FIRST_DUAL, LATER, Command
from service.errors import Fatal, Fenced, Misconfigured, Refused, Stopped
from service.migration.phase.hold import hold, release
from tests.fakes.clocks import settle
from tests.worlds.move_world import MoveWorld, Worker, is_state

HORIZON = 21.0
LEDGER = {"rule": "ledger", "epoch": 1}
FIRST_HISTORY = [
    ("forward", "guarded", "settle"),
    ("forward", "guarded", "switch"),
    ("forward", "entering", "switch"),
    ("forward", "entering", "horizon"),
    ("forward", "entering", "drain"),
    ("forward", "entering", "observe"),
    ("forward", "entering", "arm"),
    ("forward", "ledger", "arm"),
    ("forward", "ledger", "fence"),
    ("forward", "ledger", "enter"),
    ("dual", "ledger", "enter"),
    ("dual", "ledger", None),
]


async def test_the_first_move_into_dual_changes_one_thing_after_the_other() -> None:
    world = MoveWorld()
    async with world.running():
        moved = await world.move("cutover", why="monday")
        state = await world.state()
    assert world.history == FIRST_HISTORY
    assert (state.phase, state.rule, state.epoch, state.move) == ("dual", "ledger", 1, None)
    assert tuple(moved.seconds) == FIRST_DUAL
    assert moved.seconds["horizon"] >= HORIZON
    assert moved.seconds["fence"] >= HORIZON
    assert moved.text == "phase dual: the application may write old and v2"
    assert world.log.actions == ["move begun", "phase entered"]
    assert world.log.entries[0][1] == "monday"
    assert [name for name, _ in world.hooks.called] == ["before", "after"]
    newest = len(world.log.entries)
    assert world.hooks.called[-1][1]["audit"] == {"number": newest, "hash": f"hash of {newest}"}


async def test_there_and_back_and_there_again_changes_the_rule_once() -> None:
    world = MoveWorld()
    commands: list[Command] = ["cutover", "cutover --finish", "rollback", "rollback", "cutover", "rollback"]
    async with world.running():
        phases = [(await world.move(command)).phase for command in commands]
        state = await world.state()
    assert phases == ["dual", "reverse", "dual", "forward", "dual", "forward"]
    assert (state.rule, state.epoch) == ("ledger", 1)
    assert [step for _, _, step in world.history[len(FIRST_HISTORY) :]][:3] == [*LATER, "acknowledge"]


@pytest.mark.parametrize("write", range(15))
async def test_a_first_cutover_killed_after_any_write_is_gone_on_with_by_the_same_command(write: int) -> None:
    world = MoveWorld()
    writes = itertools.count()

    def when(operation: str, subject: object) -> bool:
        return operation == "write" and next(writes) >= write

    async with world.running():
        moving = world.start_move("cutover")
        assert await world.killed(moving, when) is (write < 14)
        if (await world.state()).phase != "dual" or (await world.state()).move is not None:
            await world.move("cutover")
        state = await world.state()
    assert (state.phase, state.rule, state.move) == ("dual", "ledger", None)
    assert world.history == FIRST_HISTORY


@pytest.mark.parametrize("command", ["cutover --finish", "rollback"])
@pytest.mark.parametrize("write", range(4))
async def test_a_later_move_killed_after_any_write_is_resumed(write: int, command: Command) -> None:
    world = MoveWorld()
    writes = itertools.count()
    to = "reverse" if command == "cutover --finish" else "forward"
    async with world.running(phase="dual", **LEDGER):
        moving = world.start_move(command)
        killed = await world.killed(moving, lambda operation, _: operation == "write" and next(writes) >= write)
        if killed:
            await world.move(command)
        state = await world.state()
    assert (state.phase, state.move) == (to, None)


async def test_a_horizon_that_was_begun_by_a_killed_process_is_waited_out_whole() -> None:
    world = MoveWorld()
    async with world.running():
        moving = world.start_move("cutover")
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        await world.clock.advance(HORIZON - 1)
        moving.cancel()
        await asyncio.gather(moving, return_exceptions=True)
        moved = await world.move("cutover")
    assert next(iter(moved.seconds)) == "horizon"
    assert moved.seconds["horizon"] >= HORIZON


async def test_a_worker_that_never_acknowledges_is_named_with_its_age_and_what_to_do() -> None:
    world = MoveWorld()
    async with world.running():
        world.workers[0].stuck = Acting("forward", "guarded", 0)
        with pytest.raises(Fatal) as overdue:
            await world.move("cutover")
        assert overdue.value.message.startswith(
            "the move to dual stands at switch: waited 60 s: worker w1 has not acknowledged forward/entering in forward "
            "sync (last report 0 s ago, nobody holds its lease)"
        )
        assert overdue.value.remedy == (
            "correct that, then go on with: tablesplit cutover (or give the move up: tablesplit rollback)"
        )
        world.workers[0].stuck = None
        assert (await world.move("cutover")).phase == "dual"
    assert world.history == FIRST_HISTORY


async def test_a_phase_counts_from_when_it_was_entered_not_from_when_that_was_acknowledged() -> None:
    world = MoveWorld()
    async with world.running(phase="dual", **LEDGER):
        world.workers[0].stuck = Acting("dual", "ledger", 1)
        with pytest.raises(Fatal, match="has not acknowledged reverse/ledger"):
            await world.move("cutover --finish")
        entered = (await world.state()).phase_since
        world.workers[0].stuck = None
        await world.move("cutover --finish")
        assert (await world.state()).phase_since == entered < world.clock.now() - 60


async def test_what_is_drained_by_the_earlier_rule_does_not_count() -> None:
    world = MoveWorld()
    async with world.running():
        moving = world.start_move("cutover")
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        world.workers[0].stuck = Acting("forward", "guarded", 0)
        await world.clock.advance(HORIZON + 20)
        assert world.history[-1] == ("forward", "entering", "drain")
        world.workers[0].stuck = None
        assert (await world.done(moving)).phase == "dual"


async def test_a_worker_that_fell_silent_does_not_hold_a_move_back() -> None:
    world = MoveWorld(workers=[Worker("w1"), Worker("w2", stuck=Acting("forward", "guarded", 0))])
    async with world.running():
        moving = world.start_move("cutover")
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "switch")])
        await world.clock.advance(5)
        assert world.history[-1] == ("forward", "entering", "switch")
        world.workers[1].silent = True
        assert (await world.done(moving)).phase == "dual"


async def test_without_any_worker_nothing_is_entered() -> None:
    world = MoveWorld(workers=[])
    async with world.running(phase="dual", **LEDGER):
        with pytest.raises(Fatal, match="no worker does forward sync; no worker does reverse sync"):
            await world.move("rollback")
        assert (await world.state()).phase == "dual"


async def test_of_two_at_once_one_wins_and_the_other_says_who() -> None:
    world = MoveWorld()
    async with world.running():
        first = world.start_move("cutover")
        await world.clock.until(lambda: world.history != [])
        with pytest.raises(Refused, match=r"another move is running \(owner .+, renewed \d s ago\)"):
            await world.move("cutover")
        assert (await world.done(first)).phase == "dual"
    assert world.history == FIRST_HISTORY


async def test_a_closed_gate_refuses_with_its_reasons_and_changes_nothing() -> None:
    world = MoveWorld(closed={"quarantine", "hold"})
    async with world.running():
        with pytest.raises(GateClosed) as closed:
            await world.move("cutover")
    assert closed.value.message == "the gate to dual is closed: quarantine is 1, wanted 0; hold is 1, wanted 0"
    assert closed.value.remedy == "mend quarantine; mend hold"
    assert (world.history, world.log.entries, world.hooks.called) == ([], [], [])


@pytest.mark.parametrize(
    ("closed", "forced", "error"),
    [
        ({"quarantine"}, ("quarantine",), None),
        ({"quarantine", "hold"}, ("quarantine",), GateClosed),
        ({"gap"}, ("gap",), Refused),
        (set(), ("weather",), Misconfigured),
    ],
)
async def test_a_condition_is_overridden_by_its_name_only(
    closed: set[str], forced: tuple[str, ...], error: type[Exception] | None
) -> None:
    world = MoveWorld(closed=closed)
    async with world.running():
        if error is None:
            await world.move("cutover", forced=forced)
        else:
            with pytest.raises(error):
                await world.move("cutover", forced=forced)
    assert [facts["forced"] for action, _, facts in world.log.entries if action == "move begun"] == (
        [["quarantine"]] if error is None else []
    )


@pytest.mark.parametrize(("wait", "opened"), [(10.0, True), (3.0, False)])
async def test_the_gate_is_waited_for(wait: float, opened: bool) -> None:
    world = MoveWorld(closed={"hold"})
    async with world.running():
        moving = world.start_move("cutover", wait_seconds=wait)
        await world.clock.advance(5)
        world.closed.clear()
        if opened:
            assert (await world.done(moving)).phase == "dual"
        else:
            with pytest.raises(GateClosed):
                await moving


async def test_a_hook_vetoes_a_move_before_anything_is_changed() -> None:
    world = MoveWorld()
    world.hooks.veto = "not on a friday"
    async with world.running():
        with pytest.raises(Refused, match="the hook says no: not on a friday"):
            await world.move("cutover")
    assert world.history == []
    assert world.log.actions == ["move vetoed"]


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_wall_clock_that_jumps_shortens_no_wait(jump: float) -> None:
    world = MoveWorld()
    async with world.running():
        moving = world.start_move("cutover")
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        world.clock._epoch += jump
        moved = await world.done(moving)
    assert moved.phase == "dual"
    assert moved.seconds["horizon"] >= HORIZON
    assert moved.seconds["fence"] >= HORIZON


async def test_settling_waits_for_the_repairs_that_have_begun() -> None:
    world = MoveWorld()
    async with world.running():
        async with registered(world.control, world.clock, "w9", 60.0):
            moving = world.start_move("cutover")
            await world.clock.advance(10)
            assert world.history == FIRST_HISTORY[:1]
        assert (await world.done(moving)).phase == "dual"


@pytest.mark.parametrize("at", range(10))
async def test_a_rollback_gives_the_first_cutover_up_or_says_that_it_is_too_late(at: int) -> None:
    world = MoveWorld()
    async with world.running():
        moving = world.start_move("cutover")
        await world.killed(moving, lambda _, subject: is_state(subject) and len(world.history) > at)
        _, rule, step = FIRST_HISTORY[at]
        if step in {"arm", "fence", "enter"}:
            with pytest.raises(Refused, match=f"a move to dual is under way \\(at {step}\\)"):
                await world.move("rollback")
        else:
            moved = await world.move("rollback")
            state = await world.state()
            assert (state.phase, state.rule, state.move) == ("forward", rule, None)
            assert moved.text.startswith("the move to dual was given up: the phase stays forward")
            assert ("Forward stays with the ledger rule" in moved.text) is (rule == "entering")
            assert world.log.actions[-1] == "move given up"
        assert (await world.move("cutover")).phase == "dual"
    tail = FIRST_HISTORY[FIRST_HISTORY.index(("forward", "ledger", "fence")) :]
    assert world.history[-len(tail) :] == tail


@pytest.mark.parametrize(
    ("command", "phase", "reason"),
    [
        ("cutover", "dual", "cutover does not lead anywhere from phase dual"),
        ("cutover --finish", "forward", "cutover --finish does not lead anywhere from phase forward"),
        ("rollback", "complete", "rollback does not lead anywhere from phase complete"),
    ],
)
async def test_from_a_phase_without_that_move_it_is_refused(command: Command, phase: Any, reason: str) -> None:
    world = MoveWorld()
    async with world.running(phase=phase):
        with pytest.raises(Refused, match=reason):
            await world.move(command)
    assert world.history == []


async def test_a_move_that_somebody_has_edited_under_way_stops() -> None:
    world = MoveWorld()
    async with world.running():
        moving = world.start_move("cutover")
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        await world.set(move=Move("reverse", "announce", 0.0, 0.0, "eve"))
        with pytest.raises(Refused, match="another move is under way: to reverse"):
            await world.done(moving)


async def test_an_edited_record_stops_a_move_with_what_to_restore() -> None:
    world = MoveWorld()
    async with world.running():
        item = world.db.item("control", {"pk": {"S": "state"}, "sk": {"S": "migration"}})
        assert item is not None
    world.db.apply(Put("control", {**item, "document": {"S": '{"phase": "twofold"}'}}))
    with pytest.raises(Fatal) as stopped:
        await world.move("cutover")
    assert "record state/migration is damaged" in stopped.value.message
    assert "restore the table from its backup" in stopped.value.remedy


async def test_a_backfill_and_a_first_move_shut_each_other_out() -> None:
    world = MoveWorld()
    async with world.running(backfill_finished_at=None):
        with pytest.raises(Refused, match="a backfill has begun since the gate was asked"):
            await world.move("cutover")
    copying = FencedState(world.control, world.app.mapping, world.clock, lambda: None)
    for changes in ({"move": Move("dual", "settle", 0.0, 0.0, "ann")}, LEDGER):
        await world.set(**{"move": None, "backfill_finished_at": 1.0, **changes})
        with pytest.raises(Refused, match="the first cutover has begun"):
            await copying.note_backfill(None)
        assert (await world.state()).backfill_finished_at == 1.0


async def test_a_hold_is_noted_with_its_reason_and_released_once() -> None:
    world = MoveWorld()
    async with world.running():
        held = await world.done(asyncio.ensure_future(hold(world.parts, "sale")))
        assert (await world.state()).hold == held == Hold("sale", "ann", held.at)
        assert await world.done(asyncio.ensure_future(release(world.parts))) == held
        assert (await world.state()).hold is None
        assert await world.done(asyncio.ensure_future(release(world.parts))) is None
    assert world.log.actions == ["hold", "release"]


async def test_completing_waits_the_horizon_out_and_then_strips() -> None:
    world = MoveWorld()
    stripped: list[str] = []

    async def strip(*_: object) -> None:
        stripped.append((await world.state()).phase)

    world.strip = strip
    async with world.running(phase="reverse", **LEDGER):
        moved = await world.move("complete")
        await settle()
    assert tuple(moved.seconds) == (*LATER, "idle", "strip")
    assert moved.seconds["idle"] >= HORIZON
    assert stripped == ["complete"]
    assert replace(await world.state(), phase_since=0.0).phase == "complete"


@pytest.mark.parametrize(
    ("failure", "raised", "message"),
    [
        (Fatal("lost", remedy="restore it"), Fatal, "the move to complete stands at strip: lost"),
        (Misconfigured("no region", remedy="set it"), Fatal, "the move to complete stands at strip: no region"),
        (Refused("no"), Refused, "no"),
        (Fenced("too late"), Fenced, "too late"),
    ],
)
async def test_an_error_in_a_step_names_the_command_that_goes_on_and_a_refusal_stays_a_refusal(
    failure: Stopped, raised: type[Stopped], message: str
) -> None:
    async def strip(*_: object) -> None:
        raise failure

    world = MoveWorld(strip=strip)
    async with world.running(phase="reverse", **LEDGER):
        with pytest.raises(Stopped) as stopped:
            await world.move("complete")
    assert (type(stopped.value), stopped.value.message) == (raised, message)
    assert stopped.value.remedy.endswith("then go on with: tablesplit complete") is (raised is Fatal)
