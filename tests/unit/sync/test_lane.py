"""The forward lane: it stops visibly, goes on when what stopped it is mended, and stands by while another owns the stream."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from service.control.conflicts import Conflict, Conflicts, Resolution
from service.control.leases import SYNC_LEASE, Lease
from service.control.quarantine import Quarantine
from service.core.item.write import Put
from service.http_api.view import HttpView
from service.migration.start import create_and_start
from service.sync.forward_lane import ForwardLane
from service.sync.lane import RETRY_SECONDS
from service.sync.reverse_lane import ReverseLane
from service.sync.worker import Lanes
from tests.builders.small_crm import lead, lead_key, old_key
from tests.worlds.start_world import Started
from tests.worlds.sync_world import bad


@asynccontextmanager
async def running(world: Started) -> AsyncIterator[ForwardLane]:
    lane = ForwardLane(world.app)
    task = asyncio.create_task(lane.run())
    await world.clock.advance(1)
    yield lane
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def view_of(world: Started, lane: ForwardLane) -> HttpView:
    return HttpView(world.app, Lanes(lane, ReverseLane(world.app)))


def v2_item(world: Started, name: str) -> dict[str, Any] | None:
    table = world.app.mapping.entities["LEAD"].table
    return world.db.item(table, lead_key(name))


async def test_a_lane_that_cannot_go_on_says_why_and_goes_on_once_that_is_mended() -> None:
    world = Started()
    async with running(world) as lane:
        assert (lane.role, lane.beat().at_tip, lane.rounds()) == ("stopped", False, 0)
        failure = "the migration has not been started (start it with: tablesplit create-tables)"
        assert lane.beat().failure == failure
        assert view_of(world, lane).unready() == failure
        await create_and_start(world.app)
        await world.clock.advance(RETRY_SECONDS + 1)
        assert (lane.role, lane.failure) == ("owner", None)
        assert view_of(world, lane).unready() is None


async def test_another_stream_stops_the_lane_with_the_way_to_accept_the_gap() -> None:
    world = Started()
    await create_and_start(world.app)
    world.tables.arn += "2"
    async with running(world) as lane:
        assert lane.role == "stopped"
        assert "tablesplit create-tables --accept-gap" in (lane.beat().failure or "")


async def test_what_stops_the_lane_later_stops_it_visibly_too() -> None:
    world = Started()
    await create_and_start(world.app)
    async with running(world) as lane:
        assert lane.role == "owner"
        world.db.stream("old").status = "DISABLED"
        await world.clock.advance(5)
        assert lane.role == "stopped"
        assert "the stream is DISABLED" in (lane.beat().failure or "")


async def test_by_the_guarded_rule_it_also_retries_what_waits_in_quarantine() -> None:
    world = Started()
    await create_and_start(world.app)
    async with running(world):
        for item in (bad("a"), lead("a")):
            world.db.apply(Put("old", item))
        await world.clock.advance(5)
        assert await Quarantine(world.control, world.clock).count() == 1
        await world.clock.advance(world.app.settings.verify_seconds)
        assert v2_item(world, "a") is not None
        assert await Quarantine(world.control, world.clock).count() == 0


async def test_it_applies_changes_and_reaches_the_tip() -> None:
    world = Started()
    await create_and_start(world.app)
    async with running(world) as lane:
        world.db.apply(Put("old", lead("a")))
        await world.clock.advance(200)
        assert v2_item(world, "a") is not None
        assert lane.beat().at_tip
        assert lane.beat().outcomes == {"applied": 1}


async def test_beside_its_changes_it_deletes_conflicts_that_were_resolved_long_ago() -> None:
    world = Started()
    await create_and_start(world.app)
    conflicts, key = Conflicts(world.control), old_key("LEAD", "a")
    long_ago = world.clock.now() - world.app.settings.keep_resolved_seconds - 1
    await conflicts.keep(Conflict("a", "old", key, "LEAD", "replaced", (), None, (), 0.0, old=lead("a")))
    was = await conflicts.head("a")
    assert await conflicts.resolve("a", was, Resolution("v2", "alice", long_ago))
    async with running(world) as lane:
        await world.clock.advance(5)
        assert (lane.role, await conflicts.heads()) == ("owner", {})


async def test_it_stands_by_while_another_has_the_lease() -> None:
    world = Started()
    await create_and_start(world.app)
    async with (
        Lease.acquire(world.control, SYNC_LEASE, "another", world.clock, world.app.settings),
        running(world) as lane,
    ):
        await world.clock.advance(30)
        assert (lane.role, lane.failure, lane.beat().role) == ("standby", None, "standby")
        assert view_of(world, lane).unready() is None


async def test_a_lane_that_has_stopped_stands_by_once_another_goes_on_in_its_place() -> None:
    world = Started()
    async with running(world) as lane:
        assert lane.role == "stopped"
        async with Lease.acquire(world.control, SYNC_LEASE, "another", world.clock, world.app.settings):
            await create_and_start(world.app)
            await world.clock.advance(RETRY_SECONDS + 10)
            assert (lane.role, lane.failure) == ("standby", None)
