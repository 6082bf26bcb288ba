"""v2's application gives a field the name of one that is gathered: the item cannot be carried until it takes that back."""

from typing import Any

import pytest

from service.control.quarantine import quarantine_id
from service.core.item.write import Put
from tests.builders.small_crm import lead, old_key
from tests.worlds.both_ways_world import BothWays

KEY = old_key("LEAD", "a")
VISITS = {"N": "1"}


@pytest.fixture
async def world() -> BothWays:
    """Lead a is on both sides. Its visits, which the mapping does not name, are in custom_fields on v2."""
    world = BothWays()
    world.db.apply(Put("old", lead("a", visits=VISITS, company={"S": "was"})))
    await world.carry()
    return world


def v2_sets(world: BothWays, **changes: Any) -> None:
    world.db.apply(Put("leads", {**(world.v2_lead() or {}), **changes}))


@pytest.mark.parametrize("first", ["old", "leads"])
async def test_what_each_side_writes_meanwhile_stays(world: BothWays, first: str) -> None:
    """A record that shows no old key was put into quarantine before those that came before it. Then v2's item was judged from the
    later one, which cannot be read, and reverse put all of it on old."""
    v2_sets(world, visits={"S": "top"})
    world.db.apply(Put("old", {**(world.db.item("old", KEY) or {}), "company": {"S": "old side"}}))
    v2_sets(world, status={"S": "v2 side"})
    await world.carry_from(first)
    await world.carry()
    world.db.apply(Put("leads", {name: value for name, value in (world.v2_lead() or {}).items() if name != "visits"}))
    await world.carry()
    assert await world.ledger_retry().retry(quarantine_id("old", KEY)) is None
    await world.carry()
    expected = {"company": {"S": "old side"}, "status": {"S": "v2 side"}}
    old, v2 = world.old_lead() or {}, world.v2_lead() or {}
    assert {name: old[name] for name in expected} == {name: v2[name] for name in expected} == expected
    assert (old["visits"], v2["custom_fields"]) == (VISITS, {"M": {"visits": VISITS}})
    assert (await world.conflicts.heads(), await world.quarantine.heads()) == ({}, {})
