"""Starting a migration, and continuing after stream records were lost."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar, cast

import pytest

from service.control.checkpoints import Checkpoints
from service.control.state import change_state
from service.core.item.write import Put
from service.core.shards import Position
from service.errors import Interrupted, Refused, StreamGone
from service.migration.start import accept_gap, create_and_start
from service.migration.validation import run_validation
from service.sync.forward_lane import ForwardLane
from service.sync.positions import require_same_stream, require_started
from service.validation.options import ValidationOptions
from service.validation.report import Report
from tests.builders.small_crm import MAPPING, lead, lead_key
from tests.worlds.start_world import Started

T = TypeVar("T")


async def test_stream_then_positions_then_phase() -> None:
    world = Started()
    await create_and_start(world.app)
    assert [step for step in world.steps if step != "lease"] == [
        "stream",
        "state",
        "checkpoint",
        "gate-settings",
        "state forward",
    ]


async def test_done_again_it_changes_nothing() -> None:
    world = Started()
    first = await create_and_start(world.app)
    del world.steps[:]
    assert (await create_and_start(world.app)).to_json() == first.to_json()
    assert world.steps == []


async def test_a_stream_that_has_been_on_for_a_day_is_started_from_now_on_and_a_shard_that_goes_stops_nothing() -> None:
    world = Started()
    world.tables.on = True
    stream = world.db.stream("old")
    world.db.apply(Put("old", lead("copied")))
    (first,) = stream.describe(None).shards
    stream.split(first.shard_id, 1)
    world.db.apply(Put("old", lead("copied", title={"S": "newer"})))
    await finished(world, create_and_start(world.app))
    stream.forget(first.shard_id)
    world.db.apply(Put("old", lead("new")))
    lane = asyncio.create_task(ForwardLane(world.app).run())
    await world.clock.advance(30)
    assert not lane.done()
    lane.cancel()
    await asyncio.gather(lane, return_exceptions=True)
    assert [item["SK"]["S"] for item in world.db.items("leads")] == [lead_key("new")["SK"]["S"]]


async def test_positions_that_a_killed_start_left_are_not_missed_once_their_shards_are_gone() -> None:
    world = Started()
    gone = Checkpoints(world.control, world.tables.arn, "another mapping")
    await gone.save("gone", Position(None))
    await create_and_start(world.app)
    assert "gone" not in await Checkpoints(world.control, world.tables.arn, MAPPING.hash).load()


async def test_another_stream_than_the_saved_one_is_refused_until_the_gap_is_accepted() -> None:
    world = Started()
    await create_and_start(world.app)
    other = world.db.create_table("old", ("pk", "sk")).removesuffix("1") + "2"
    world.db.stream("old").arn = world.tables.arn = other
    state = await require_started(world.app)
    with pytest.raises(StreamGone) as gone:
        await require_same_stream(world.app, state)
    assert gone.value.remedy == "tablesplit create-tables --accept-gap, then tablesplit validate --repair"
    assert (await accept_gap(world.app)).generation == 2
    state = await require_started(world.app)
    await require_same_stream(world.app, state)
    assert state.gap_since is not None


async def test_a_stream_that_is_off_is_refused() -> None:
    world = Started()
    await create_and_start(world.app)
    world.tables.on = False
    with pytest.raises(StreamGone, match="is off"):
        await require_same_stream(world.app, await require_started(world.app))


async def test_the_gap_is_owed_before_any_position_is_moved() -> None:
    world = Started()
    await create_and_start(world.app)
    del world.steps[:]
    await accept_gap(world.app)
    marks = [step for step in world.steps if step not in ("lease", "stream", "v2 streams")]
    assert marks[:2] == ["state forward", "checkpoint"]


async def test_a_repair_is_refused_before_the_backfill_has_finished() -> None:
    world = Started()
    await create_and_start(world.app)
    with pytest.raises(Refused, match="the backfill has not finished: a repair would race it"):
        await run_validation(world.app, ValidationOptions(repair=True), cast(Any, None))


async def finished(world: Started, work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    await world.clock.until(task.done)
    return await task


async def repaired(world: Started, stop: asyncio.Event | None = None) -> Report:
    options = ValidationOptions(repair=True)
    return await finished(world, run_validation(world.app, options, stop or asyncio.Event()))


async def copied(world: Started) -> None:
    await create_and_start(world.app)
    await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, backfill_finished_at=1.0))


async def test_a_gap_accepted_while_a_repair_runs_is_still_owed() -> None:
    world = Started()
    await copied(world)
    await accept_gap(world.app)
    accepted: list[object] = []

    async def again(operation: str, subject: object) -> None:
        if operation == "scan" and not accepted:
            accepted.append(subject)
            await world.clock.sleep(1)
            await accept_gap(world.app)

    world.db.after = again
    assert (await repaired(world)).equal
    assert (await require_started(world.app)).gap_since is not None
    assert (await repaired(world)).equal
    assert (await require_started(world.app)).gap_since is None


async def test_a_repair_interrupted_before_the_gap_is_not_gone_on_with_after_it() -> None:
    world = Started()
    await copied(world)
    stop = asyncio.Event()
    stop.set()
    for _ in range(2):
        with pytest.raises(Interrupted):
            await repaired(world, stop)
    await accept_gap(world.app)
    assert not (await repaired(world)).resumed
