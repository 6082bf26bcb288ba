"""The reverse sink under the ledger rule: claims and how they are recovered, pages, and what waits in quarantine."""

from typing import Any

import pytest

from service.control.ledger import Ledger
from service.control.quarantine import quarantine_id
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

KEY = old_key("LEAD", "a")
A = lead("a", status={"S": "new"})
WON = {"S": "won"}
ELSEWHERE = {"S": "2030-01-01"}
"""A date that leads to another v2 key."""


@pytest.fixture
async def world() -> BothWays:
    """One lead, carried to v2."""
    return await BothWays.carried(A)


def on_old(write: Any) -> bool:
    return bool(write.table == "old")


def edit(world: BothWays, **fields: Any) -> None:
    world.edit("leads", lead_key("a"), **fields)


def status(world: BothWays) -> Any:
    return (world.old_lead() or {}).get("status")


async def entry(world: BothWays) -> Any:
    return (await Ledger(world.control, world.clock, "old", 1).read(KEY)).entry


async def waits(world: BothWays) -> tuple[str, ...] | None:
    """The units that wait; None: the v2 key is not in quarantine."""
    head = (await world.quarantine.heads()).get(quarantine_id("leads", lead_key("a")))
    return None if head is None else head.units


async def test_a_claim_that_was_not_put_is_put_by_the_next_worker_once_the_first_is_silent(world: BothWays) -> None:
    edit(world, status=WON)
    await world.killed("leads", on_old)
    assert (len((await entry(world)).reverse.claims), status(world)) == (1, A["status"])
    await world.carry_from("leads", worker="w2")
    assert (status(world), world.silence.waits) == (WON, 1)


async def test_a_put_that_arrives_while_the_next_worker_waits_is_not_made_again(world: BothWays) -> None:
    edit(world, status=WON)
    write = await world.killed("leads", on_old)

    async def late() -> None:
        assert world.db.apply(write)

    world.silence.until_silent = [late]
    before = len(world.db.written)
    await world.carry_from("leads", worker="w2")
    assert (status(world), len(world.written("old", before))) == (WON, 1)


async def test_a_put_whose_worker_was_killed_after_it_is_seen_by_its_stamp(world: BothWays) -> None:
    edit(world, status=WON)
    await world.killed("leads", on_old, after=True)
    before = len(world.db.written)
    await world.carry_from("leads", worker="w2")
    assert (status(world), world.written("old", before), world.silence.waits) == (WON, [], 0)


async def test_a_put_that_the_application_has_replaced_since_is_found_in_the_stream(world: BothWays) -> None:
    """Without the search old's application would lose its write, which had seen the carried one."""
    edit(world, status=WON)
    await world.killed("leads", on_old, after=True)
    world.db.apply(Put("old", {**A, "status": {"S": "own"}}))
    await world.carry_from("leads", worker="w2")
    assert status(world) == {"S": "own"}
    await world.carry()
    assert ((world.v2_lead() or {})["status"], await world.conflicts.heads()) == ({"S": "own"}, {})


async def test_a_put_that_forward_has_passed_is_seen_in_its_half(world: BothWays) -> None:
    edit(world, status=WON)
    await world.killed("leads", on_old, after=True)
    world.db.apply(Put("old", {**A, "status": {"S": "own"}}))
    await world.carry_from("old")
    await world.carry_from("leads", worker="w2")
    await world.carry()
    assert (status(world), (world.v2_lead() or {})["status"]) == ({"S": "own"}, {"S": "own"})
    assert await world.conflicts.heads() == {}


async def test_our_own_records_of_a_page_are_noted_in_one_write(world: BothWays) -> None:
    for value in ("1", "2", "3"):
        world.db.apply(Put("old", {**A, "followers": {"N": value}}))
        await world.carry_from("old")
    before = len(world.db.written)
    await world.carry_from("leads")
    assert len(world.written("control", before)) == 1
    assert world.written("old", before) == []


async def test_records_that_follow_one_another_are_carried_as_one(world: BothWays) -> None:
    edit(world, status=WON)
    edit(world, company={"S": "X"})
    edit(world, status={"S": "lost"})
    before = len(world.db.written)
    await world.carry_from("leads")
    assert len(world.written("old", before)) == 1
    assert world.old_lead() == {**A, "status": {"S": "lost"}, "company": {"S": "X"}}


async def test_an_own_write_of_old_that_forward_has_not_read_stays(world: BothWays) -> None:
    world.db.apply(Put("old", {**A, "company": {"S": "own"}}))
    edit(world, status=WON)
    await world.carry_from("leads")
    assert world.old_lead() == {**A, "status": WON, "company": {"S": "own"}}


async def test_a_field_that_leads_elsewhere_waits_and_the_others_are_carried(world: BothWays) -> None:
    edit(world, created_at=ELSEWHERE, status=WON)
    await world.carry()
    assert (world.old_lead(), await waits(world)) == ({**A, "status": WON}, ("created_at",))
    edit(world, company={"S": "X"})
    await world.carry()
    assert (world.old_lead(), await waits(world)) == ({**A, "status": WON, "company": {"S": "X"}}, ("created_at",))


async def test_a_change_of_the_old_side_takes_nothing_out_of_quarantine(world: BothWays) -> None:
    edit(world, created_at=ELSEWHERE)
    await world.carry()
    world.db.apply(Put("old", {**A, "company": {"S": "X"}}))
    await world.carry()
    assert await waits(world) == ("created_at",)


async def test_a_later_record_that_can_be_carried_heals_the_field(world: BothWays) -> None:
    edit(world, created_at=ELSEWHERE)
    await world.carry()
    edit(world, created_at={"S": "2024-05-30"})
    await world.carry()
    moved = {
        **A,
        "created_at": {"S": "2024-05-30"},
        "updated_at": A["created_at"],
    }  # its default would move with the date
    assert (world.old_lead(), await waits(world)) == (moved, None)


async def test_a_record_that_shows_no_old_key_waits_as_the_whole_item_until_a_later_one_does(world: BothWays) -> None:
    edit(world, id=None, status=WON)
    await world.carry()
    assert await waits(world) == ()
    edit(world, id={"S": "a"}, company={"S": "X"})
    await world.carry()
    assert (world.old_lead(), await waits(world)) == ({**A, "status": WON, "company": {"S": "X"}}, None)


async def test_the_quarantine_of_an_item_that_v2_deletes_ends(world: BothWays) -> None:
    edit(world, created_at=ELSEWHERE)
    await world.carry()
    world.remove("leads", lead_key("a"))
    await world.carry()
    assert (world.old_lead(), await waits(world)) == (None, None)


async def test_an_item_revived_on_our_tombstone_loses_the_mark(world: BothWays) -> None:
    world.db.apply(Delete("old", KEY))
    lost: Item = {name: value for name, value in v2_of(A, status={"S": "lost"}).items() if name != MAPPING.stamp}

    async def revive(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) and subject.table == "leads":
            world.db.before = None
            world.db.apply(Put("leads", {**(world.v2_lead() or {}), **lost}))

    world.db.before = revive
    await world.carry()
    assert world.v2_lead() == lost
    assert status(world) == {"S": "lost"}
