"""The retries that nobody asks for, by the guarded rule: for each origin of a key in quarantine, what makes it leave.

A key leaves when its item is mended or deleted in the old table, or when the mapping is changed; also where the change that did it
was read before quarantine had the key.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from service.control.quarantine import Quarantine
from service.control.stores import Stores
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.errors import Poison, Refused
from service.migration.settlement.quarantine import retry_what_may_leave
from service.migration.start import create_and_start
from service.sync.guarded_retry import GuardedRetry
from service.sync.sinks.guarded import GuardedSink
from service.sync.upkeep import retry
from service.sync.upkeep.retry import Retrier
from tests.builders.small_crm import lead, lead_key, old_key
from tests.worlds.start_world import Started
from tests.worlds.sync_world import SyncWorld, bad, fixed_mapping

UNMAPPED = Poison("its entity is unknown", reason="unknown_entity")
KEY = old_key("LEAD", "a")
EVERY = 300.0


@pytest.fixture
async def world() -> SyncWorld:
    return SyncWorld()


def retrier(world: SyncWorld, mapping: Mapping | None = None, one: GuardedRetry | None = None) -> Retrier:
    times = SimpleNamespace(verify_seconds=EVERY)
    return Retrier(world.quarantine, one or world.retry(mapping), world.clock, times, world._count_retry)


async def from_the_backfill(world: SyncWorld) -> GuardedSink:
    """The backfill cannot copy an item. The sink that is returned has read the list of keys before that."""
    sink = world.sink()
    await sink.apply("shard", [world.put(lead("other"))])
    world.db.apply(Put("old", bad("a")))
    await world.quarantine.add_copy("old", KEY, UNMAPPED)
    return sink


async def from_the_stream(world: SyncWorld, *earlier: Item) -> GuardedSink:
    """A change that cannot be mapped, of an item that was ``earlier`` once."""
    sink = world.sink()
    await sink.apply("shard", [world.put(item) for item in (*earlier, bad("a"))])
    return sink


def mend(world: SyncWorld) -> Sequence[Change]:
    return [world.put(lead("a", company={"S": "mended"}))]


def delete(world: SyncWorld) -> Sequence[Change]:
    return [world.delete("a")]


def left(world: SyncWorld) -> dict[str, int]:
    return {name.removeprefix("left "): count for name, count in world.counts.items() if name.startswith("left ")}


ORIGINS = pytest.mark.parametrize("origin", [from_the_backfill, from_the_stream])


@ORIGINS
async def test_an_item_that_is_mended_in_the_old_table_leaves(world: SyncWorld, origin) -> None:
    sink = await origin(world)
    await sink.apply("shard", mend(world))
    assert await retrier(world).retry_some() == 1
    assert (world.v2("a") or {})["company"] == {"S": "mended"}
    assert (await world.quarantine.heads(), left(world)) == ({}, {"applied": 1})


@ORIGINS
async def test_an_item_that_is_deleted_in_the_old_table_leaves(world: SyncWorld, origin) -> None:
    sink = await origin(world)
    await sink.apply("shard", delete(world))
    assert await retrier(world).retry_some() == 1
    assert (world.v2("a"), await world.quarantine.heads(), left(world)) == (None, {}, {"superseded": 1})
    assert await world.quarantine.changes(world.id("a")) == []


@ORIGINS
async def test_an_item_that_nobody_touches_leaves_once_the_mapping_knows_it(world: SyncWorld, origin) -> None:
    await origin(world)
    assert await retrier(world).retry_some() == 0
    assert await retrier(world, fixed_mapping()).retry_some() == 1
    assert (world.v2("a") is None, await world.quarantine.heads()) == (False, {})


async def test_a_remap_retries_what_its_mapping_knows() -> None:
    world = Started()
    await create_and_start(world.app)
    quarantine, mapping = Quarantine(world.control, world.clock), fixed_mapping()
    world.db.apply(Put("old", bad("a")))
    await quarantine.add_copy("old", KEY, UNMAPPED)
    assert await retry_what_may_leave(world.app) == 0
    world.app.mapping = mapping  # type: ignore[misc]  # a stand-in
    world.app.stores = Stores(world.db, world.control, mapping, world.clock)  # type: ignore[misc]
    assert await retry_what_may_leave(world.app) == 1
    assert (world.db.item("leads", lead_key("a")) is None, await quarantine.count()) == (False, 0)


@ORIGINS
async def test_an_item_that_the_mapping_leaves_out_from_now_on_leaves(world: SyncWorld, origin) -> None:
    await origin(world)
    leaves_out = replace(world.mapping, leave_out=({"entity_type": re.compile("GOBLIN")},))
    assert await retrier(world, leaves_out).retry_some() == 1
    assert (world.v2("a"), await world.quarantine.heads(), left(world)) == (None, {}, {"superseded": 1})


@ORIGINS
async def test_an_item_that_still_cannot_be_mapped_stays_and_nothing_is_written(world: SyncWorld, origin) -> None:
    await origin(world)
    before, count = await world.quarantine.heads(), len(world.db.written)
    for _ in range(3):
        assert await retrier(world).retry_some() == 0
    assert (await world.quarantine.heads(), len(world.db.written)) == (before, count)


async def test_a_copy_whose_item_is_gone_before_the_backfill_looks_again_leaves_although_the_backfill_was_killed(
    world: SyncWorld,
) -> None:
    sink = world.sink()
    await sink.apply("shard", [world.put(lead("other"))])
    world.db.apply(Put("old", bad("a")))
    await sink.apply("shard", delete(world))  # read before quarantine has the key
    await world.quarantine.add_copy("old", KEY, UNMAPPED)
    assert await retrier(world).retry_some() == 1
    assert await world.quarantine.heads() == {}


async def test_a_copy_of_an_item_that_is_gone_leaves_and_the_put_that_is_on_its_way_is_not_lost(
    world: SyncWorld,
) -> None:
    sink = await from_the_backfill(world)
    unread = delete(world)
    assert await retrier(world).retry_some() == 1
    await sink.apply("shard", [*unread, world.put(bad("a", company={"S": "again"}))])
    assert (await world.quarantine.heads())[world.id("a")].waiting == 1
    await sink.apply("shard", mend(world))
    assert await retrier(world).retry_some() == 1
    assert (world.v2("a") or {})["company"] == {"S": "mended"}


async def test_what_waits_stays_although_the_item_is_gone_until_its_delete_is_read(world: SyncWorld) -> None:
    # The delete shows an image that cannot be mapped. Only what waits shows where the item lives on v2.
    sink = await from_the_stream(world, lead("a"))
    assert world.v2("a") is not None
    unread = delete(world)
    assert await retrier(world).retry_some() == 0
    assert (await world.quarantine.heads())[world.id("a")].waiting == 1
    await sink.apply("shard", unread)
    assert await retrier(world).retry_some() == 1
    assert (world.v2("a"), left(world)) == (None, {"superseded": 1})


async def test_what_waits_stays_although_the_item_is_mended_until_that_is_read(world: SyncWorld) -> None:
    sink = await from_the_stream(world, lead("a"))
    unread = [world.put(lead("a", created_at={"S": "2023-01-01"}))]
    assert await retrier(world).retry_some() == 0
    await sink.apply("shard", unread)
    assert await retrier(world).retry_some() == 1
    assert (world.v2("a"), world.v2("a", "2023-01") is None) == (None, False)


async def test_a_copy_that_the_sink_mends_is_counted_by_the_sink(world: SyncWorld) -> None:
    await from_the_backfill(world)
    await world.sink().apply("shard", mend(world))
    assert (await world.quarantine.heads(), left(world)) == ({}, {"applied": 1})


async def test_the_retries_go_on_after_a_phase_move(world: SyncWorld) -> None:
    sink = await from_the_stream(world)
    await sink.apply("shard", mend(world))
    moving = [True]

    async def permitted() -> None:
        if moving:
            raise Refused("a move is under way")

    one = GuardedRetry(world.stores, 1, "w", 6.0, permitted)
    running = asyncio.ensure_future(retrier(world, one=one).run())
    await world.clock.advance(EVERY + 1)
    assert len(await world.quarantine.heads()) == 1
    moving.clear()
    await world.clock.advance(EVERY)
    assert await world.quarantine.heads() == {}
    running.cancel()


async def test_a_retry_that_takes_too_long_is_tried_again_and_stops_no_lane(world: SyncWorld) -> None:
    sink = await from_the_stream(world)
    await sink.apply("shard", mend(world))
    one = GuardedRetry(world.stores, 1, "w", seconds=0.0)
    assert await retrier(world, one=one).retry_some() == 0
    assert (world.counts["timeout"], len(await world.quarantine.heads())) == (1, 1)


async def test_a_round_retries_so_many_keys_and_the_next_goes_on_after_them(
    world: SyncWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "RETRIED_AT_ONCE", 2)
    sink = world.sink()
    await sink.apply("shard", [world.put(bad(name)) for name in "abc"])
    for name in "abc":
        await sink.apply("shard", [world.delete(name)])
    rounds = retrier(world)
    assert [await rounds.retry_some() for _ in range(3)] == [2, 1, 0]
