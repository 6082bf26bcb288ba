"""Repairs and retries are refused while a phase move is under way, and wait for nothing that would never come."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from service.control.repairs import PARTITION, registered, repairs_allowed, require_repairs_allowed
from service.control.state import MigrationState, Move, change_state
from service.control.workers import Beat, LaneBeat, Workers
from service.core.item.write import Put
from service.core.phases.acting import Acting, Rule
from service.errors import Refused
from service.migration.start import create_and_start
from service.migration.validation import run_validation
from service.sync.positions import require_started
from service.validation.options import ValidationOptions
from tests.builders.small_crm import MAPPING, lead, v2_of
from tests.worlds.start_world import Started

MOVE = Move("dual", "settle", 1.0, 1.0, "somebody")


async def begun(**changes: Any) -> Started:
    """A migration whose backfill has finished, its state as ``changes`` say."""
    world = Started()
    await create_and_start(world.app)
    await changed(world, backfill_finished_at=1.0, **changes)
    return world


async def changed(world: Started, **changes: Any) -> MigrationState:
    return await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, **changes))


async def beats(world: Started, **roles: Any) -> None:
    """One worker says what it does, twice a second, as long as the test goes on."""
    number = 0
    while True:
        number += 1
        lanes = {name: LaneBeat(role=role, rounds=number) for name, role in roles.items()}
        await Workers(world.control, world.clock).report("w", Beat(number, world.clock.now(), **lanes))
        await world.clock.sleep(0.5)


async def validated(world: Started, **options: Any) -> Any:
    task = asyncio.ensure_future(run_validation(world.app, ValidationOptions(**options), asyncio.Event()))
    await world.clock.until(task.done, within=1000)
    return await task


@pytest.mark.parametrize(
    ("changes", "why"), [({"move": MOVE}, "a move to dual is under way, at settle"), ({"rule": "entering"}, "rule")]
)
async def test_a_repair_is_refused_in_one_line_while_a_move_is_under_way(changes: dict[str, Any], why: str) -> None:
    world = await begun(**changes)
    with pytest.raises(Refused, match=why):
        await run_validation(world.app, ValidationOptions(repair=True), cast(Any, None))
    with pytest.raises(Refused, match=why):
        require_repairs_allowed(await require_started(world.app))


async def test_a_move_that_begins_before_a_repair_has_registered_stops_it() -> None:
    world = await begun()
    allowed = repairs_allowed(world.control, MAPPING, "guarded")
    await allowed()

    async def begin(operation: str, subject: object) -> None:
        if isinstance(subject, Put) and subject.item["pk"]["S"] == PARTITION:
            world.db.before = None
            await changed(world, move=MOVE)

    world.db.before = begin
    with pytest.raises(Refused, match="a move to dual is under way"):
        async with registered(world.control, world.clock, "op", 6, permitted=allowed):
            raise AssertionError("it has begun")


async def test_a_move_that_begins_once_a_repair_has_registered_sees_it() -> None:
    world = await begun()
    async with registered(
        world.control, world.clock, "op", 6, permitted=repairs_allowed(world.control, MAPPING, "guarded")
    ):
        await changed(world, move=MOVE)
        assert await world.control.records(PARTITION, dict[str, Any]).all()


@pytest.mark.parametrize("rule", ["guarded", "ledger"])
async def test_a_repair_does_not_go_on_under_another_rule_than_it_began_by(rule: Rule) -> None:
    world = await begun(rule=rule)
    allowed = repairs_allowed(world.control, MAPPING, rule)
    await changed(world, rule="ledger" if rule == "guarded" else "guarded")
    with pytest.raises(Refused, match="another rule"):
        await allowed()


async def test_a_repair_that_reverse_must_carry_is_refused_while_reverse_does_not_run() -> None:
    world = await begun(rule="ledger", phase="dual")
    beating = asyncio.ensure_future(beats(world, forward="owner", reverse="stopped"))
    await world.clock.advance(1)
    with pytest.raises(Refused, match="no worker syncs both ways"):
        await validated(world, repair=True)
    beating.cancel()


async def test_a_validation_both_ways_waits_for_both_lanes() -> None:
    """Reverse makes no round: whatever differs is not yet a difference."""
    world = await begun(rule="ledger", phase="dual")
    world.db.apply(Put("leads", v2_of(lead("a"))))
    stuck = LaneBeat(role="owner", rounds=0)

    async def half() -> None:
        number = 0
        while True:
            number += 1
            beat = Beat(number, world.clock.now(), LaneBeat(role="owner", rounds=number), stuck)
            await Workers(world.control, world.clock).report("w", beat)
            await world.clock.sleep(0.5)

    beating = asyncio.ensure_future(half())
    await world.clock.advance(1)
    report = await validated(world)
    beating.cancel()
    assert [one["kind"] for one in report.to_json()["differences"]] == ["not-yet"]


async def test_a_repair_both_ways_that_ends_equal_closes_both_gaps() -> None:
    world = await begun(rule="ledger", phase="dual", gap_since=2.0, reverse_gap_since=3.0)
    beating = asyncio.ensure_future(beats(world, forward="owner", reverse="owner"))
    await world.clock.advance(1)
    assert (await validated(world, repair=True)).equal
    beating.cancel()
    state = await require_started(world.app)
    assert (state.gap_since, state.reverse_gap_since) == (None, None)
    assert state.acting == Acting("dual", "ledger", 0)


async def test_a_repair_does_not_go_on_in_another_phase_than_it_began_in() -> None:
    world = await begun()
    allowed = repairs_allowed(world.control, MAPPING, "ledger", "dual")
    await changed(world, rule="ledger", phase="dual")
    await allowed()
    await changed(world, phase="forward")
    with pytest.raises(Refused, match="another phase than forward"):
        await allowed()
