"""The phase over HTTP: what is shown, and moves in the background of the service."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any

import pytest

from service.control.quarantine import Quarantine
from service.control.state import Move
from service.core.phases.gate import GateClosed
from service.core.phases.left_behind import KeysLeftBehind
from service.errors import Misconfigured, Poison, Refused
from service.http_api.phase_view import PhaseView, ShownProgress
from service.http_api.shared import Shared
from service.migration.phase.move_context import MoveContext
from service.migration.status.snapshot import take_running_snapshot
from tests.worlds.move_world import MoveWorld


def view_of(world: MoveWorld, monkeypatch: pytest.MonkeyPatch) -> PhaseView:
    async def parts(*_: object) -> MoveContext:
        return world.parts

    monkeypatch.setattr("service.http_api.phase_view.move_context", parts)
    return PhaseView(world.app, Shared(partial(take_running_snapshot, world.app), world.clock))


async def result(world: MoveWorld, work: Awaitable[Any]) -> Any:
    return await world.done(asyncio.ensure_future(work))


async def test_a_move_runs_in_the_background_and_is_shown_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running():
        await result(world, view.start("dual", "monday", ()))
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        shown = await view.phase()
        steps = {step["name"]: (step["state"], step["expected"]) for step in shown["steps"]}
        assert (shown["phase"], shown["move"]["step"], shown["next"]) == ("forward", "horizon", "dual")
        horizon = f"{world.app.settings.writer_horizon_seconds:.0f} s"
        assert (steps["switch"], steps["horizon"]) == (("done", "some seconds"), ("now", horizon))
        assert (steps["fence"], list(steps)[-1]) == (("next", horizon), "enter")
        with pytest.raises(Refused, match="a move runs in this process"):
            await view.start("dual", "", ())
        await world.clock.until(lambda: world.history[-1][2] is None)
        shown = await view.phase()
        assert (shown["phase"], shown["application_writes"], shown["failed"]) == ("dual", ["old", "v2"], None)
        await view.close()


async def test_a_closed_gate_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld(closed={"quarantine"})
    view = view_of(world, monkeypatch)
    async with world.running():
        with pytest.raises(GateClosed):
            await view.start("dual", "", ())
        assert (await view.phase())["move"] is None


async def test_a_way_back_is_told_how_many_keys_it_leaves_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld(closed={"quarantine"})
    view = view_of(world, monkeypatch)
    async with world.running(phase="dual", rule="ledger", epoch=1):
        poison = Poison("no such entity", reason="unknown_entity")
        await Quarantine(world.control, world.clock).add_copy("old", {"pk": {"S": "a"}}, poison)
        with pytest.raises(KeysLeftBehind, match="1 key is left behind"):
            await view.start("forward", "", ())
        await view.start("forward", "", (), 1)
        await world.clock.until(lambda: world.history[-1:] == [("forward", "ledger", None)])


async def test_why_a_move_has_stopped_is_shown_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    world.hooks.veto = "friday"
    view = view_of(world, monkeypatch)
    async with world.running():
        await view.start("dual", "", ())
        await world.clock.until(lambda: world.log.actions == ["move vetoed"])
        await world.clock.advance(1)
        assert (await view.phase())["failed"]["message"] == "the hook says no: friday"


async def test_a_move_that_a_bug_ends_has_failed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    world = MoveWorld()
    view = view_of(world, monkeypatch)
    monkeypatch.setattr("service.http_api.phase_view.make_move", fail)
    async with world.running():
        await view.start("dual", "", ())
        await world.clock.advance(1)
        assert (await view.phase())["failed"]["kind"] == "unexpected"
        await view.close()


async def test_what_a_move_waits_for_is_shown_until_it_has_come(monkeypatch: pytest.MonkeyPatch) -> None:
    progress = ShownProgress()
    progress.begins("dual", "switch")
    progress.waits("no worker does forward sync")
    assert progress.waits_for == "no worker does forward sync"
    progress.ends("dual", "switch", 1.0)
    assert progress.waits_for is None
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running():
        await result(world, view.start("dual", "monday", ()))
        waited = []
        while world.history[-1:] != [("dual", "ledger", None)]:
            waited.append((await view.phase())["waits_for"])
            await world.clock.advance(0.5)
        assert any(text and "has not acknowledged forward/entering" in text for text in waited)
        assert (await view.phase())["waits_for"] is None


async def test_the_phase_that_is_left_gives_a_move_up(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running(move=Move("dual", "settle", 0.0, 0.0, "ann")):
        await view.start("forward", "no", ())
        await world.clock.until(lambda: world.history[-1:] == [("forward", "guarded", None)])
    assert world.log.actions == ["move given up"]


@pytest.mark.parametrize(
    ("to", "error", "message"),
    [
        ("reverse", Refused, "no move leads from forward to reverse"),
        ("forward", Refused, "no move leads from forward to forward"),
        ("complete", Misconfigured, "completing cannot be undone"),
    ],
)
async def test_moves_that_are_refused(
    to: Any, error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running():
        with pytest.raises(error, match=message):
            await view.start(to, "", ())


async def test_completing_needs_the_name_of_the_table_and_then_its_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld(closed={"quarantine"})
    view = view_of(world, monkeypatch)
    name = world.app.mapping.old.table
    async with world.running(phase="reverse", rule="ledger", epoch=1):
        for table, message in (
            (None, "completing cannot be undone"),
            ("other", f"table other: this is the migration of table {name}"),
        ):
            with pytest.raises(Misconfigured, match=message):
                await view.start("complete", "done", (), table=table)
        with pytest.raises(GateClosed):
            await view.start("complete", "done", (), table=name)
        assert (await view.phase())["move"] is None


async def test_the_table_s_name_completes_once_the_gate_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running(phase="reverse", rule="ledger", epoch=1):
        await result(world, view.start("complete", "done", (), table=world.app.mapping.old.table))
        await world.clock.until(lambda: world.history[-1:] == [("complete", "ledger", None)])


async def test_the_gate_is_of_the_move_that_leads_on_unless_another_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running(phase="dual", rule="ledger", epoch=1):
        assert (await result(world, view.gate(None)))["to"] == "reverse"
        assert (await result(world, view.gate("forward")))["to"] == "forward"
        with pytest.raises(Refused, match="no move leads from dual to complete"):
            await view.gate("complete")


async def test_a_move_of_a_service_that_stops_can_be_continued(monkeypatch: pytest.MonkeyPatch) -> None:
    world = MoveWorld()
    view = view_of(world, monkeypatch)
    async with world.running():
        await view.start("dual", "", ())
        await world.clock.until(lambda: world.history[-1:] == [("forward", "entering", "horizon")])
        await view.close()
        assert (await world.move("cutover")).phase == "dual"
