"""Re-drives: one conditional write of a stamp on v2, by which reverse gives old what differs."""

from typing import Any

import pytest

from service.core.item.stamp import decode_stamp
from service.core.item.write import Put
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison
from service.sync.redrive import Redriver
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

A = lead("a", status={"S": "new"})
PLACE = Place("leads", lead_key("a"))


@pytest.fixture
def world() -> BothWays:
    """Both sides differ, and no record says so."""
    world = BothWays()
    world.put_on_both_sides({**A, "company": {"S": "old"}}, v2_of(A, status={"S": "won"}))
    return world


async def redriven(world: BothWays, **options: Any) -> bool:
    redriver = Redriver(world.db, world.conflicts, world.access().ledger, MAPPING, world.clock)
    old = world.db.item("old", old_key("LEAD", "a"))
    return await redriver.redrive(PlaceReading(PLACE, world.v2_lead()), old, lambda: None, **options)


async def test_it_changes_the_stamp_alone_by_one_write_and_keeps_what_it_will_replace(world: BothWays) -> None:
    before = len(world.db.written)
    assert await redriven(world)
    assert len(world.written("leads", before)) == 1
    item = world.v2_lead() or {}
    stamp = decode_stamp(item, MAPPING.stamp)
    assert stamp is not None
    assert stamp.restore == {"company", "status"}
    assert {**item, MAPPING.stamp: None} == {**v2_of(A, status={"S": "won"}), MAPPING.stamp: None}
    (name,) = await world.conflicts.heads()
    assert (await world.conflicts.load(name)).lost == {**A, "company": {"S": "old"}}
    await world.carry()
    assert world.old_lead() == {**A, "status": {"S": "won"}}


async def test_no_transaction_touches_a_table_of_the_application(world: BothWays) -> None:
    async def refuse(operation: str, subject: Any) -> None:
        if operation == "transact":
            assert {write.table for write in subject} == {"control"}

    world.db.before = refuse
    assert await redriven(world)
    await world.carry()


async def test_of_some_units_the_others_stay_and_nothing_is_logged(world: BothWays) -> None:
    assert await redriven(world, among=("status",))
    await world.carry()
    assert world.old_lead() == {**A, "status": {"S": "won"}, "company": {"S": "old"}}
    assert await world.conflicts.heads() == {}


async def test_of_units_that_old_has_nothing_is_written(world: BothWays) -> None:
    before = len(world.db.written)
    assert await redriven(world, among=("followers",))
    assert world.written("leads", before) == []


async def test_v2_that_has_changed_meanwhile_is_left_alone_and_nothing_stays_in_the_log(world: BothWays) -> None:
    async def in_between(operation: str, subject: object) -> None:
        if operation == "write" and getattr(subject, "table", "") == "leads":
            world.db.before = None
            world.edit("leads", PLACE.key, status={"S": "lost"})

    world.db.before = in_between
    assert not await redriven(world)
    assert ((world.v2_lead() or {})["status"], await world.conflicts.heads()) == ({"S": "lost"}, {})


async def test_what_reverse_could_not_carry_is_not_redriven(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(A, created_at={"S": "2030-01-01"})))
    with pytest.raises(Poison, match="its fields lead to another key"):
        await redriven(world)


async def test_a_second_redrive_makes_a_record_too(world: BothWays) -> None:
    for _ in range(2):
        before = len(world.db.written)
        assert await redriven(world)
        assert len(world.written("leads", before)) == 1
