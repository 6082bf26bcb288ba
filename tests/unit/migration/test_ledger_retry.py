"""A retry of a key in quarantine under the ledger rule: carried in order and once, or re-driven."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from service.control.quarantine import Quarantine, quarantine_id
from service.control.state import Move, change_state
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.phases.acting import Rule
from service.errors import Poison, Refused
from service.migration.settlement.quarantine import drop_from_quarantine, retry_key
from service.migration.start import create_and_start
from service.sync.ledger_retry import LedgerRetry
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays
from tests.worlds.start_world import Started
from tests.worlds.sync_world import bad

A = lead("a", status={"S": "new"})
KEY = old_key("LEAD", "a")
ID = quarantine_id("old", KEY)
V2_ID = quarantine_id("leads", lead_key("a"))
UNREADABLE = {"created_at": {"S": "2030-01-01"}}
"""Gives another v2 key than the one that the item has."""


@pytest.fixture
def world() -> BothWays:
    return BothWays()


async def retry(world: BothWays, key_id: str = ID) -> str | None:
    return await LedgerRetry(world.access(), world.context("old")).retry(key_id)


async def written(world: BothWays, *items: Item | None) -> None:
    """The application writes the old item, step by step, and forward reads it."""
    for item in items:
        world.db.apply(Put("old", item) if item is not None else Delete("old", KEY))
    await world.carry()


def status(world: BothWays) -> Any:
    return (world.v2_lead() or {}).get("status")


async def test_a_change_that_cannot_be_mapped_is_made_good_by_the_next(world: BothWays) -> None:
    await written(world, A, bad("a"), {**A, "status": {"S": "won"}}, {**A, "status": {"S": "lost"}})
    assert (await world.quarantine.head(ID)).value.waiting == 3
    assert await retry(world) is None
    assert status(world) == {"S": "lost"}
    assert (await world.quarantine.heads(), await world.conflicts.heads()) == ({}, {})


async def test_it_is_made_good_by_a_delete(world: BothWays) -> None:
    await written(world, A, bad("a"), None)
    assert await retry(world) is None
    await world.carry()
    assert (world.v2_lead(), world.old_lead()) == (None, None)


async def test_what_still_cannot_be_mapped_stays_with_those_behind_it(world: BothWays) -> None:
    good = {**A, "status": {"S": "won"}}
    await written(world, A, bad("a"), good, bad("a", status={"S": "x"}), bad("a", status={"S": "y"}))
    assert await retry(world) is not None
    head = (await world.quarantine.head(ID)).value
    assert (head.waiting, head.attempts) == (2, 1)
    assert status(world) == {"S": "won"}
    await written(world, {**A, "status": {"S": "lost"}})
    assert await retry(world) is None
    assert status(world) == {"S": "lost"}


async def test_a_write_of_reverse_makes_nothing_good(world: BothWays) -> None:
    await written(world, A, bad("a"))
    world.db.apply(Put("leads", v2_of(A, followers={"N": "9"})))
    await world.carry()
    await written(world, {**A, "status": {"S": "won"}})
    assert (await world.quarantine.head(ID)).value.waiting == 3
    assert await retry(world) is not None
    assert (await world.quarantine.head(ID)).value.waiting == 3
    assert (status(world), (world.v2_lead() or {})["followers"]) == (A["status"], {"N": "9"})


async def test_what_lost_against_v2_meanwhile_goes_to_the_conflict_log(world: BothWays) -> None:
    await written(world, A, bad("a", status=A["status"]), {**A, "status": {"S": "won"}})
    world.db.apply(Put("leads", v2_of(A, status={"S": "lost"})))
    assert await retry(world) is None
    assert [head.reason for head in (await world.conflicts.heads()).values()] == ["overlap"]
    assert status(world) == {"S": "lost"}


async def test_a_change_that_arrives_during_a_retry_is_carried_by_it(world: BothWays) -> None:
    await written(world, A, bad("a"), {**A, "status": {"S": "won"}})

    async def arrive(operation: str, subject: object) -> None:
        if operation == "transact":
            world.db.before = None
            await written(world, {**A, "status": {"S": "late"}})

    world.db.before = arrive
    assert await retry(world) is None
    assert status(world) == {"S": "late"}
    assert await world.quarantine.heads() == {}


async def test_a_retry_killed_before_it_ends_is_done_again_and_carries_nothing_twice(world: BothWays) -> None:
    """Meanwhile v2 returns to the state before the change: the change must not be carried again."""
    await written(world, A, bad("a"), {**A, "status": {"S": "won"}})

    async def die(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) or (operation == "transact" and status(world) == {"S": "won"}):
            raise ConnectionError("killed")

    world.db.before = die
    with pytest.raises(ConnectionError):
        await retry(world)
    world.db.before = None
    assert status(world) == {"S": "won"}
    world.db.apply(Put("leads", v2_of(A)))
    assert await retry(world) is None
    assert status(world) == A["status"]


async def test_a_v2_key_is_redriven_and_leaves_quarantine(world: BothWays) -> None:
    await v2_in_quarantine(world, v2_of(A))
    assert await retry(world, V2_ID) is None
    await world.carry()
    assert (world.old_lead(), await world.quarantine.heads()) == (A, {})


async def test_a_v2_key_that_still_cannot_be_carried_stays(world: BothWays) -> None:
    await v2_in_quarantine(world, v2_of(A, **UNREADABLE))
    assert await retry(world, V2_ID) is not None
    assert (await world.quarantine.head(V2_ID)).value.attempts == 1


async def test_a_v2_key_whose_item_is_gone_leaves_quarantine(world: BothWays) -> None:
    await v2_in_quarantine(world, None)
    assert await retry(world, V2_ID) is None
    assert await world.quarantine.heads() == {}


async def test_a_v2_item_that_becomes_unreadable_during_its_retry_stays_in_quarantine(world: BothWays) -> None:
    await v2_in_quarantine(world, v2_of(A))

    async def spoil(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) or operation == "transact":
            world.db.before = None
            world.db.apply(Put("leads", v2_of(A, **UNREADABLE, _sync=None)))
            await world.carry()

    world.db.before = spoil
    assert await retry(world, V2_ID) is not None
    assert await world.quarantine.holds("leads", lead_key("a"))


async def test_a_v2_key_is_listed_shown_and_dropped(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(A, **UNREADABLE, _sync=None)))
    await world.carry()
    head = (await world.quarantine.head(V2_ID)).value
    assert (head.table, head.key, head.reason) == ("leads", lead_key("a"), "v2_key_mismatch")
    assert len(await world.quarantine.changes(V2_ID)) == 1
    assert (await drop_from_quarantine(world.quarantine, V2_ID)).waiting == 1
    assert await world.quarantine.heads() == {}


async def test_a_copy_that_the_backfill_could_not_make_is_made_now(world: BothWays) -> None:
    world.put_on_both_sides(A, None)
    await world.quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))
    assert await retry(world) is None
    await world.carry()
    assert (status(world), world.old_lead()) == (A["status"], A)


async def test_a_copy_is_not_made_of_what_v2_has_deleted_since(world: BothWays) -> None:
    await written(world, A)
    world.db.apply(Delete("leads", lead_key("a")))
    await world.quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))
    assert await retry(world) is None
    await world.carry()
    assert (world.v2_lead(), world.old_lead(), await world.quarantine.heads()) == (None, None, {})


async def v2_in_quarantine(world: BothWays, item: Item | None) -> None:
    """A v2 key in quarantine, whose stream record was read."""
    world.put_on_both_sides(None, item)
    await world.quarantine.add_copy("leads", lead_key("a"), Poison("bad", reason="bad"))


async def ledger_world() -> Started:
    world = Started()
    await create_and_start(world.app)
    streams = {"leads": world.tables.v2_arns["leads"], "deals": world.tables.v2_arns["deals"]}
    numbers = {arn: number for number, arn in enumerate(streams.values(), 1)}
    await change_state(
        world.control,
        MAPPING,
        0.0,
        lambda was: replace(was, rule="ledger", phase="dual", epoch=1, v2_streams=streams, v2_generations=numbers),
    )
    return world


async def test_the_rule_in_force_decides_how_a_key_is_retried() -> None:
    world = await ledger_world()
    world.db.apply(Put("leads", v2_of(A)))
    await Quarantine(world.control, world.clock).add_copy("leads", lead_key("a"), Poison("bad", reason="bad"))
    task = asyncio.ensure_future(retry_key(world.app, V2_ID))
    await world.clock.until(task.done)
    assert (await task).failure is None
    assert "b" not in (world.db.item("leads", lead_key("a")) or {})["_sync"]["M"]


@pytest.mark.parametrize("rule", ["guarded", "ledger"])
async def test_a_retry_is_refused_while_a_move_is_under_way(rule: Rule) -> None:
    world = await ledger_world()
    move = Move("reverse", "announce", 1.0, 1.0, "somebody")
    await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, move=move, rule=rule))
    with pytest.raises(Refused, match="a move to reverse is under way"):
        await retry_key(world.app, ID)
