"""A gap in a v2 table's stream: accepted by a person, and owed from before any position moves. A control table that was lost."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.control.checkpoints import Checkpoints
from service.control.leases import REVERSE_LEASE, Lease
from service.control.state import MigrationState, change_state
from service.core.item.write import Put
from service.core.shards import Position
from service.errors import Fatal, Refused
from service.migration.start import accept_gap, create_and_start
from service.sync.positions import follow_v2_streams, require_started
from tests.builders.small_crm import MAPPING, by_reverse, lead, v2_of
from tests.worlds.start_world import Started


async def followed(**changes: Any) -> Started:
    """A migration that follows the v2 streams."""
    world = Started()
    await create_and_start(world.app)
    state = await follow_v2_streams(world.app, await require_started(world.app), 0)
    assert state.v2_streams.keys() == {"leads", "deals"}
    await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, **changes))
    return world


async def accepted(world: Started) -> MigrationState:
    await accept_gap(world.app)
    return await require_started(world.app)


def another_stream(world: Started, table: str) -> str:
    arn = world.tables.v2_arns[table].removesuffix("1") + "2"
    world.db.stream(table).arn = world.tables.v2_arns[table] = arn
    return arn


async def test_another_stream_is_followed_as_a_new_generation_and_a_repair_is_owed() -> None:
    world = await followed(rule="ledger", phase="dual")
    arn = another_stream(world, "leads")
    state = await accepted(world)
    assert (state.v2_streams["leads"], state.v2_generations[arn]) == (arn, 3)
    assert state.reverse_gap_since == world.clock.now()
    assert await Checkpoints(world.control, arn, MAPPING.hash).load()


async def test_nothing_is_owed_on_v2_where_nothing_was_lost() -> None:
    world = await followed(rule="ledger", phase="dual")
    before = (await require_started(world.app)).v2_streams
    state = await accepted(world)
    assert (state.reverse_gap_since, state.v2_streams) == (None, before)


async def test_nothing_is_owed_on_v2_before_its_records_are_carried() -> None:
    world = await followed()
    another_stream(world, "leads")
    assert (await accepted(world)).reverse_gap_since is None


async def test_a_shard_that_was_trimmed_is_read_from_what_is_left_and_a_repair_is_owed() -> None:
    world = await followed(rule="ledger", phase="dual")
    arn = world.tables.v2_arns["leads"]
    for status in ("a", "b", "c"):
        world.db.apply(Put("leads", v2_of(lead("x", status={"S": status}))))
    (shard,) = await Checkpoints(world.control, arn, MAPPING.hash).load()
    first = world.db.stream("leads")._all[shard].records[0][0]
    await Checkpoints(world.control, arn, MAPPING.hash).save(shard, Position(None, str(first)))
    world.db.stream("leads").trim(shard, 2)
    state = await accepted(world)
    assert state.reverse_gap_since is not None


async def test_the_debt_is_written_down_before_a_position_moves() -> None:
    world = await followed(rule="ledger", phase="dual")
    another_stream(world, "leads")
    del world.steps[:]
    await accept_gap(world.app)
    marks = [step for step in world.steps if step in ("state", "checkpoint")]
    assert marks == ["state", "checkpoint", "checkpoint", "state", "checkpoint", "state"]


async def test_it_is_refused_while_reverse_sync_runs() -> None:
    world = await followed(rule="ledger", phase="dual")
    async with Lease.try_acquire(world.control, REVERSE_LEASE, "other", world.clock, world.app.settings):
        before = await require_started(world.app)
        task = asyncio.ensure_future(accept_gap(world.app))
        await world.clock.until(task.done)
        with pytest.raises(Refused, match="another reverse sync is running"):
            await task
        assert await require_started(world.app) == before


@pytest.mark.parametrize(("table", "item"), [("leads", v2_of(lead("a"))), ("old", by_reverse(lead("a")))])
async def test_a_control_table_made_anew_is_refused_where_a_migration_went_both_ways(table: str, item: Any) -> None:
    world = Started()
    world.db.apply(Put(table, item))
    with pytest.raises(Fatal, match=f"items of {table} were written by one that went both ways") as refused:
        await create_and_start(world.app)
    assert "restore the control table from its backup" in refused.value.remedy
    assert "stream" not in world.steps


async def test_copies_of_the_guarded_rule_are_no_obstacle_to_a_new_start() -> None:
    world = Started()
    item = v2_of(lead("a"))
    del item["_sync"]["M"]["b"]
    world.db.apply(Put("leads", item))
    assert (await create_and_start(world.app)).phase == "forward"
