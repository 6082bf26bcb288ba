"""v2's application moves an item to another key while the old side writes another field of it: both writes stay."""

import asyncio
from typing import Any

import pytest

from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.sync.sinks.absent_items import MOVED_SECONDS
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.fakes.clocks import settle
from tests.worlds.both_ways_world import BothWays

JULY: dict[str, Any] = {"created_at": {"S": "2024-07-06T07:08:09Z"}}
KEY = old_key("LEAD", "a")


@pytest.fixture
async def world() -> BothWays:
    """Lead a is on both sides, in May."""
    world = BothWays()
    world.both_written = True
    world.db.apply(Put("old", lead("a")))
    await world.carry()
    return world


def move(world: BothWays, *, delete_first: bool = False) -> None:
    """v2's application moves the lead to July, in one transaction."""
    writes = [Put("leads", v2_of(lead("a", **JULY))), Delete("leads", lead_key("a"))]
    world.db.apply(*(reversed(writes) if delete_first else writes))


def old_company(world: BothWays) -> None:
    world.db.apply(Put("old", {**(world.old_lead() or {}), "company": {"S": "old side"}}))


async def forward_waits(world: BothWays) -> asyncio.Task[None]:
    """The forward lane, which waits for the reverse lane."""
    forward = asyncio.ensure_future(world.carry_from("old"))
    await settle()
    assert not forward.done()
    return forward


@pytest.mark.parametrize("delete_first", [False, True])
@pytest.mark.parametrize("move_first", [False, True])
async def test_a_field_that_the_old_side_writes_meanwhile_stays(
    world: BothWays, move_first: bool, delete_first: bool
) -> None:
    """Before reverse has carried the move, forward finds no item: it was lost as if v2 had deleted the item."""
    if move_first:
        move(world, delete_first=delete_first)
    old_company(world)
    if not move_first:
        move(world, delete_first=delete_first)
    forward = await forward_waits(world)
    await world.carry_from("leads")
    await world.clock.until(forward.done)
    await world.carry()
    now = {"company": {"S": "old side"}, **JULY}
    assert {name: (world.old_lead() or {})[name] for name in now} == now
    assert (world.v2_lead(month="2024-07") or {})["company"] == now["company"]
    assert (world.v2_lead(), await world.conflicts.heads()) == (None, {})


@pytest.mark.parametrize("delete_first", [False, True])
async def test_the_old_side_never_misses_an_item_that_v2_moves(world: BothWays, delete_first: bool) -> None:
    """By the record of the delete alone the item would be taken off old, and put there again by the other record."""
    seen: list[Item | None] = []

    async def look(operation: str, subject: object) -> None:
        seen.append(world.old_lead())

    move(world, delete_first=delete_first)
    world.db.after = look
    await world.carry_from("leads")
    assert (world.old_lead() or {})["created_at"] == JULY["created_at"]
    assert len(seen) > 3
    assert all(item is not None and "id" in item for item in seen)


async def test_a_delete_of_v2_is_told_from_a_move_once_reverse_has_carried_it(world: BothWays) -> None:
    world.remove("leads", lead_key("a"))
    old_company(world)
    forward = await forward_waits(world)
    await world.carry_from("leads")
    await world.clock.until(forward.done)
    await world.carry()
    assert (world.old_lead(), world.v2_lead()) == (None, None)
    assert [head.reason for head in (await world.conflicts.heads()).values()] == ["deleted"]


async def test_nobody_waits_for_an_item_that_the_old_side_has_deleted_too(world: BothWays) -> None:
    world.remove("leads", lead_key("a"))
    old_company(world)
    world.remove("old", KEY)
    await world.carry_from("old")
    assert [head.reason for head in (await world.conflicts.heads()).values()] == ["deleted"]


async def test_without_a_word_of_reverse_the_change_is_decided_in_the_end(world: BothWays) -> None:
    began = world.clock.monotonic()
    world.remove("leads", lead_key("a"))
    old_company(world)
    await world.clock_runs(world.carry_from("old"))
    assert [head.reason for head in (await world.conflicts.heads()).values()] == ["deleted"]
    assert MOVED_SECONDS < world.clock.monotonic() - began < MOVED_SECONDS + 2


async def test_after_a_wait_in_vain_the_next_change_does_not_wait(world: BothWays) -> None:
    """The reverse lane is stopped: with a wait for each of many such changes forward would fall behind for hours."""
    world.db.apply(Put("old", lead("b")))
    await world.carry()
    sink = world.forward_sink()
    for name in "ab":
        world.remove("leads", lead_key(name))
        world.db.apply(Put("old", {**lead(name), "company": {"S": "old side"}}))
    first, second = world.unread("old")
    await world.clock_runs(sink.apply("s", [first]))
    began = world.clock.monotonic()
    await sink.apply("s", [second])
    assert world.clock.monotonic() == began
    assert len(await world.conflicts.heads()) == 2


async def test_where_only_one_side_is_written_nobody_waits(world: BothWays) -> None:
    world.both_written = False
    world.remove("leads", lead_key("a"))
    old_company(world)
    await world.carry_from("old")
    assert [head.reason for head in (await world.conflicts.heads()).values()] == ["deleted"]
