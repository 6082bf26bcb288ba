"""A retry of a key in quarantine under the ledger rule: carried in order and once, or re-driven."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from service.control.ledger import Ledger
from service.control.quarantine import Quarantine, quarantine_id
from service.control.state import Move, change_state
from service.core.item.wire import Item
from service.core.item.write import Delete, Put, Update
from service.core.phases.acting import Rule
from service.errors import Poison, Refused, Retryable
from service.migration.settlement.quarantine import drop_from_quarantine, retry_key
from service.migration.start import create_and_start
from service.sync.ledger_retry import LedgerRetry
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.fakes.memory import Hook
from tests.worlds.both_ways_world import BothWays
from tests.worlds.start_world import Started

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
    return await world.ledger_retry().retry(key_id)


async def written(world: BothWays, *items: Item | None) -> None:
    """The application writes the old item, step by step, and forward reads it."""
    for item in items:
        world.db.apply(Put("old", item) if item is not None else Delete("old", KEY))
    await world.carry()


def status(world: BothWays) -> Any:
    return (world.v2_lead() or {}).get("status")


UNPLACED = v2_of(A, id=None, _sync=None)
"""The v2 item without a field that every item has: it stands for no old item until v2's application corrects it."""


def corrected(world: BothWays, **fields: Any) -> None:
    """v2's application corrects the item."""
    world.db.apply(Put("leads", v2_of(A, _sync=None, **fields)))


def killed_at_a_removal(world: BothWays) -> Hook:
    """Ends the worker, once, before a record of the control table is deleted."""

    async def die(operation: str, subject: Any) -> None:
        if any(isinstance(part, Delete) for part in (subject if operation == "transact" else [subject])):
            world.db.before = None
            raise ConnectionError("killed")

    return die


async def in_quarantine(world: BothWays, *items: Item | None) -> None:
    """Old changes wait, because v2's application has written an item there that stands for no old item."""
    await written(world, A)
    world.db.apply(Put("leads", UNPLACED))
    await world.carry()
    await written(world, *items)


async def waits(world: BothWays, key_id: str = ID) -> tuple[str, ...] | None:
    """The units that wait; None: the key is not in quarantine."""
    head = (await world.quarantine.heads()).get(key_id)
    return None if head is None else head.units


WON, LOST = {**A, "status": {"S": "won"}}, {**A, "status": {"S": "lost"}}


async def test_what_waits_is_carried_once_v2_is_good_again(world: BothWays) -> None:
    await in_quarantine(world, WON, {**WON, "company": {"S": "Y"}})
    assert await waits(world) == ("company", "status")
    assert await retry(world) is not None
    corrected(world)
    assert await retry(world) is None
    await world.carry()
    assert (status(world), (world.v2_lead() or {})["company"]) == ({"S": "won"}, {"S": "Y"})
    assert (await world.quarantine.heads(), await world.conflicts.heads()) == ({}, {})


async def test_what_waits_is_judged_from_before_the_first_change_that_waits(world: BothWays) -> None:
    await in_quarantine(world, WON, LOST)
    corrected(world)
    assert await retry(world) is None
    assert (status(world), await world.conflicts.heads()) == ({"S": "lost"}, {})


async def test_what_lost_against_v2_meanwhile_goes_to_the_conflict_log(world: BothWays) -> None:
    await in_quarantine(world, WON)
    corrected(world, status={"S": "v2"})
    assert await retry(world) is None
    (head,) = (await world.conflicts.heads()).values()
    assert (head.reason, head.fields) == ("overlap", ("status",))
    assert status(world) == {"S": "v2"}


async def test_a_failed_retry_is_counted_and_says_what_is_wrong_now(world: BothWays) -> None:
    await in_quarantine(world, WON)
    world.db.apply(Put("leads", v2_of(A, x={"S": "1"}, id=None, _sync={"S": "?"})))
    message = await retry(world)
    head = (await world.quarantine.head(ID)).value
    assert (head.attempts, head.waiting, head.reason, head.message) == (1, 1, "damaged_stamp", message)


async def test_a_change_that_arrives_during_a_retry_stops_it_and_nothing_is_carried_twice(world: BothWays) -> None:
    await in_quarantine(world, WON)
    corrected(world)
    await world.carry()

    async def arrive(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "control":
            world.db.before = None
            await written(world, LOST)

    world.db.before = arrive
    with pytest.raises(Retryable, match="the sync writes the item at this moment"):
        await retry(world)
    assert (status(world), await waits(world)) == ({"S": "lost"}, None)
    assert await world.conflicts.heads() == {}


async def test_a_retry_leaves_the_claim_of_a_change_that_the_sync_is_writing(world: BothWays) -> None:
    """Without its claim, the sync could not tell after a crash whether its write was made."""
    await in_quarantine(world, WON)
    corrected(world)
    await world.carry()
    world.db.apply(Put("old", {**WON, "company": {"S": "Y"}}))
    await world.killed("old", lambda write: bool(write.table == "leads"))
    before = (await Ledger(world.control, world.clock, "old", 1).read(KEY)).entry
    assert before.forward.claim is not None
    with pytest.raises(Retryable, match="the sync writes the item at this moment"):
        await retry(world)
    assert (await Ledger(world.control, world.clock, "old", 1).read(KEY)).entry == before
    await world.carry()
    assert (status(world), (world.v2_lead() or {})["company"]) == ({"S": "won"}, {"S": "Y"})


async def test_what_waits_is_lost_when_reverse_puts_v2s_value_over_it_and_a_later_change_is_carried(
    world: BothWays,
) -> None:
    """The old application writes the field again, having seen v2's write: that is no conflict."""
    await in_quarantine(world, WON)
    corrected(world, status={"S": "v2"})
    await world.carry()
    assert (world.old_lead() or {})["status"] == {"S": "v2"}
    await written(world, LOST)
    assert (status(world), (world.old_lead() or {})["status"]) == ({"S": "lost"}, {"S": "lost"})
    (head,) = (await world.conflicts.heads()).values()
    assert (head.reason, head.fields, await waits(world)) == ("overlap", ("status",), None)


async def test_a_create_that_waits_is_lost_when_reverse_puts_v2s_item_over_it(world: BothWays) -> None:
    world.db.apply(Put("leads", UNPLACED))
    await world.carry()
    await written(world, WON)
    assert await waits(world) == ()
    corrected(world, company={"S": "v2"})
    await world.carry()
    assert await waits(world) is None
    await written(world, {**(world.old_lead() or {}), "company": {"S": "Y"}})
    assert (status(world), (world.v2_lead() or {})["company"]) == (A["status"], {"S": "Y"})
    assert [head.fields for head in (await world.conflicts.heads()).values()] == [("company", "status")]


async def test_an_item_of_no_entity_that_v2_writes_is_lost_and_what_it_was_mended_to_is_a_conflict(
    world: BothWays,
) -> None:
    """Judged from the image before it, the change that mends the item would change the entity alone: v2 would keep its status, and
    nothing would show that the sides differ."""
    await written(world, A)
    ghost = {**A, "entity_type": {"S": "GHOST"}, "status": WON["status"]}
    await written(world, ghost)
    assert await waits(world) == ()

    world.db.apply(Update("leads", lead_key("a"), {"company": {"S": "v2"}}))
    await world.carry()
    assert await waits(world) is None
    assert (world.old_lead() or {})["company"] == {"S": "v2"}

    await written(world, {**(world.old_lead() or {}), "entity_type": A["entity_type"]})
    assert status(world) == A["status"]
    heads = (await world.conflicts.heads()).values()
    found = sorted((head.reason, head.fields) for head in heads)
    assert found == [("exists", ("status",)), ("overlap", ("entity_type", "status"))]


async def test_what_reverse_writes_over_is_logged_once_when_the_worker_is_killed_before_it_leaves_quarantine(
    world: BothWays,
) -> None:
    await in_quarantine(world, WON)
    corrected(world, status={"S": "v2"})
    await world.carry_from("leads")

    world.db.before = killed_at_a_removal(world)
    with pytest.raises(ConnectionError):
        await world.carry()
    await world.carry()
    assert (len(await world.conflicts.heads()), await waits(world)) == (1, None)


async def test_a_create_that_waited_and_was_deleted_leaves_quarantine_although_the_worker_is_killed(
    world: BothWays,
) -> None:
    """A retry would create the item again on v2."""
    world.db.apply(Put("leads", UNPLACED))
    await world.carry()
    await written(world, WON)
    world.remove("leads", lead_key("a"))
    await world.carry()
    world.db.apply(Delete("old", KEY))

    world.db.before = killed_at_a_removal(world)
    with pytest.raises(ConnectionError):
        await world.carry_from("old")
    await world.carry()
    assert (await waits(world), world.v2_lead(), world.old_lead()) == (None, None, None)


async def test_a_retry_that_reads_what_waits_before_the_sync_carries_it_logs_nothing(world: BothWays) -> None:
    await in_quarantine(world, WON)
    corrected(world)
    await world.carry()

    async def arrive(operation: str, subject: object) -> None:
        if operation == "get" and isinstance(subject, dict) and subject.get("pk", {}).get("S", "").startswith("ledger"):
            world.db.before = None
            await written(world, LOST)

    world.db.before = arrive
    await retry(world)
    assert (status(world), await waits(world), await world.conflicts.heads()) == ({"S": "lost"}, None, {})


async def killed(world: BothWays, when: Callable[[object], bool], *, after: bool = False) -> None:
    """A retry whose process is killed before (or ``after``) a request."""

    async def die(operation: str, subject: object) -> None:
        if when(subject):
            world.db.before = world.db.after = None
            raise ConnectionError("killed")

    setattr(world.db, "after" if after else "before", die)
    with pytest.raises(ConnectionError):
        await retry(world)


def put_on_v2(subject: object) -> bool:
    return isinstance(subject, Put | Update) and subject.table == "leads"


async def test_a_retry_killed_after_its_claim_is_made_again(world: BothWays) -> None:
    await in_quarantine(world, WON)
    corrected(world)
    await killed(world, put_on_v2)
    assert await retry(world) is None
    assert (status(world), await world.conflicts.heads()) == ({"S": "won"}, {})


async def test_a_retry_killed_after_its_put_is_not_made_twice(world: BothWays) -> None:
    """v2's application returns to the value before: the change must not be carried again."""
    await in_quarantine(world, WON)
    corrected(world)
    await killed(world, put_on_v2, after=True)
    assert status(world) == {"S": "won"}
    world.edit("leads", lead_key("a"), status=A["status"])
    await world.carry()
    assert (status(world), await waits(world), (world.old_lead() or {})["status"]) == (A["status"], None, A["status"])


async def test_a_create_after_a_refused_delete_waits_from_what_was_deleted(world: BothWays) -> None:
    await written(world, A)
    world.edit("leads", lead_key("a"), company={"S": "v2"})
    for write in (Delete("old", KEY), Put("old", WON)):
        world.db.apply(write)
    puts: list[object] = []

    async def too_large(operation: str, subject: object) -> None:
        if put_on_v2(subject):
            puts.append(subject)
            if len(puts) > 1:  # the first puts v2's item again, for the delete that is refused
                raise Poison("too large", reason="too_large")

    world.db.before = too_large
    await world.carry_from("old")
    world.db.before = None
    assert await waits(world) == ()
    assert await retry(world) is None
    await world.carry()
    assert (status(world), (world.old_lead() or {})["status"]) == ({"S": "won"}, {"S": "won"})


WITHOUT_ID = {name: value for name, value in WON.items() if name != "id"}
"""No v2 item can be made of it, but of its other fields."""


async def test_a_retry_of_the_whole_item_leaves_what_still_cannot_be_written(world: BothWays) -> None:
    await in_quarantine(world, None)
    assert await waits(world) == ()
    corrected(world)
    await written(world, WITHOUT_ID)
    assert (status(world), await waits(world)) == ({"S": "won"}, ("id",))
    assert await retry(world) is not None
    await written(world, LOST)
    assert (status(world), await waits(world), await world.conflicts.heads()) == ({"S": "lost"}, None, {})


async def test_what_dynamodb_refuses_waits_beside_what_waits_already(world: BothWays) -> None:
    await written(world, A)

    async def too_large(operation: str, subject: object) -> None:
        if put_on_v2(subject):
            raise Poison("too large", reason="too_large")

    world.db.before = too_large
    await written(world, WITHOUT_ID)
    assert await waits(world) == ("id", "status")
    world.db.before = None
    assert await retry(world) is not None
    assert (status(world), await waits(world)) == ({"S": "won"}, ("id",))


async def too_large(operation: str, subject: object) -> None:
    if put_on_v2(subject):
        raise Poison("too large", reason="too_large")


async def test_a_field_that_waits_again_is_judged_from_what_v2_got_meanwhile(world: BothWays) -> None:
    """Another field waits all the time, and with it the first change of both."""
    await written(world, A)
    for item in (WITHOUT_ID, {**WITHOUT_ID, "status": {"S": "lost"}}):
        world.db.before = too_large
        await written(world, item)
        world.db.before = None
        assert await waits(world) == ("id", "status")
        assert await retry(world) is not None
        assert (status(world), await waits(world)) == (item["status"], ("id",))
    assert await world.conflicts.heads() == {}


async def test_a_change_that_waits_since_a_retry_wrote_the_field_stays_in_quarantine(world: BothWays) -> None:
    await in_quarantine(world, WON)
    corrected(world)
    await world.carry()

    async def later(operation: str, subject: object) -> None:
        if put_on_v2(subject):
            world.db.after, world.db.before = None, too_large
            await written(world, LOST)
            world.db.before = None

    world.db.after = later
    await retry(world)
    assert (status(world), await waits(world)) == ({"S": "won"}, ("status",))
    assert await retry(world) is None
    assert (status(world), await waits(world), await world.conflicts.heads()) == ({"S": "lost"}, None, {})


async def test_a_create_that_waits_is_still_a_create_when_v2_has_no_item_any_more(world: BothWays) -> None:
    world.put_on_both_sides(None, UNPLACED)
    await written(world, A)
    assert await waits(world) == ()
    world.remove("leads", lead_key("a"))
    assert await retry(world) is None
    await world.carry()
    assert (status(world), world.old_lead(), await world.conflicts.heads()) == (A["status"], A, {})


async def test_what_waits_is_logged_when_v2_has_deleted_the_item(world: BothWays) -> None:
    await in_quarantine(world, WON)
    world.remove("leads", lead_key("a"))
    assert await retry(world) is None
    (head,) = (await world.conflicts.heads()).values()
    assert (head.reason, head.fields) == ("deleted", ("status",))


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


async def test_a_change_after_a_copy_whose_retry_was_killed_is_carried(world: BothWays) -> None:
    """Were the copy put on v2 beside the lane, the change would meet there what no application wrote, and lose against it."""
    world.put_on_both_sides(A, None)
    await world.quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))
    await killed(world, put_on_v2, after=True)
    world.db.apply(Put("old", WON))
    await world.carry()
    assert (status(world), world.old_lead()) == (WON["status"], WON)
    assert (await world.conflicts.heads(), await world.quarantine.heads()) == ({}, {})


async def test_a_copy_that_changes_while_it_is_made_is_left_to_the_sync(world: BothWays) -> None:
    """The note has changed since the item was read: a copy of what was there before would be carried over the change."""
    world.put_on_both_sides(A, None)
    await world.quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))

    async def deleted_meanwhile() -> bool:
        world.db.apply(Delete("old", KEY))
        await world.carry()
        return True

    await LedgerRetry(world.access(), world.context("old"), deleted_meanwhile).retry(quarantine_id("old", KEY))
    await world.carry()
    assert (world.v2_lead(), world.old_lead(), await world.quarantine.heads()) == (None, None, {})


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
    assert "g" in (world.db.item("leads", lead_key("a")) or {})["_sync"]["M"]


@pytest.mark.parametrize("rule", ["guarded", "ledger"])
async def test_a_retry_is_refused_while_a_move_is_under_way(rule: Rule) -> None:
    world = await ledger_world()
    move = Move("reverse", "announce", 1.0, 1.0, "somebody")
    await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, move=move, rule=rule))
    with pytest.raises(Refused, match="a move to reverse is under way"):
        await retry_key(world.app, ID)
