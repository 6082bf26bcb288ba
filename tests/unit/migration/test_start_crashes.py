"""A start, and the acceptance of a gap, killed after any request: repeated, each ends as if it had not been killed."""

import asyncio
import contextlib
import itertools

import pytest

from service.control.checkpoints import Checkpoints
from service.core.item.write import Put
from service.migration.start import accept_gap, create_and_start
from service.sync.forward_lane import ForwardLane
from service.sync.positions import require_started
from tests.builders.small_crm import MAPPING, lead, lead_key
from tests.worlds.start_world import Started


async def killed_after(world: Started, step: int, work: asyncio.Future[object]) -> None:
    steps = itertools.count()

    async def die(operation: str, subject: object) -> None:
        if next(steps) >= step:
            raise ConnectionError("killed")

    noting, world.db.after = world.db.after, die
    with contextlib.suppress(ConnectionError):
        await world.clock.until(work.done)
        await work
    world.db.after = noting


async def done(world: Started, work: asyncio.Future[object]) -> None:
    await world.clock.until(work.done)
    await work


async def lane_applies(world: Started, name: str) -> bool:
    lane = asyncio.create_task(ForwardLane(world.app).run())
    world.db.apply(Put("old", lead(name)))
    await world.clock.advance(20)
    lane.cancel()
    await asyncio.gather(lane, return_exceptions=True)
    return world.db.item("leads", lead_key(name)) is not None


@pytest.mark.parametrize("step", range(11))
async def test_a_start_killed_after_any_request_is_done_again(step: int) -> None:
    world = Started()
    await killed_after(world, step, asyncio.ensure_future(create_and_start(world.app)))
    await done(world, asyncio.ensure_future(create_and_start(world.app)))
    state = await require_started(world.app)
    assert (state.phase, state.generation) == ("forward", 1)
    assert await Checkpoints(world.control, world.tables.arn, MAPPING.hash).load()
    assert await lane_applies(world, "a")


@pytest.mark.parametrize("step", range(13))
async def test_a_gap_accepted_for_a_new_stream_and_killed_after_any_request_is_accepted_again(step: int) -> None:
    world = Started()
    await done(world, asyncio.ensure_future(create_and_start(world.app)))
    assert await lane_applies(world, "a")
    world.db.stream("old").arn = world.tables.arn = world.tables.arn.removesuffix("1") + "2"
    await killed_after(world, step, asyncio.ensure_future(accept_gap(world.app)))
    await done(world, asyncio.ensure_future(accept_gap(world.app)))
    state = await require_started(world.app)
    assert (state.generation, state.gap_since is not None) == (2, True)
    assert await lane_applies(world, "b")
