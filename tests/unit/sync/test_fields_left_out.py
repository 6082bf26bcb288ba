"""Fields that v2's application has left out of an item, although the mapping gives them a default."""

from typing import Any

import pytest

from service.core.item.write import Delete, Put
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

KEY = old_key("LEAD", "a")
A = lead("a", status={"S": "new"})


@pytest.fixture
async def world() -> BothWays:
    """One lead, carried to v2."""
    return await BothWays.carried(A)


@pytest.mark.parametrize("written", [{"N": "0"}, {"S": ""}, {"NULL": True}, {"M": {"a": {"S": "odd"}}}, {"S": "0"}])
async def test_what_makes_the_default_of_a_field_that_v2_has_left_out_is_carried(world: BothWays, written: Any) -> None:
    """The transform makes the same of the old item before and after; but v2 has no such value."""
    world.edit("leads", lead_key("a"), followers=None)
    await world.carry()
    world.edit("old", KEY, followers=written)
    await world.carry()
    assert (world.old_lead() or {})["followers"] == written
    assert ((world.v2_lead() or {})["followers"], await world.conflicts.heads()) == ({"N": "0"}, {})
    assert (await world.both_ways())["result"] == "equal"


@pytest.mark.parametrize("first", ["old", "leads"])
async def test_old_keeps_what_v2_cannot_have_in_a_field_that_v2_has_left_out(world: BothWays, first: str) -> None:
    """Both sides delete the item and create it anew. The stamp has the value, which stands as long as v2 has what it makes."""
    odd = {"M": {"a": {"S": "odd"}}}
    world.db.apply(Delete("leads", lead_key("a")))
    world.db.apply(Delete("old", KEY))
    world.db.apply(
        Put("leads", {name: value for name, value in v2_of(A).items() if name not in ("followers", "_sync")})
    )
    world.db.apply(Put("old", {**A, "followers": odd}))
    await world.carry_from(first)
    await world.carry()
    assert ((world.old_lead() or {})["followers"], (world.v2_lead() or {})["followers"]) == (odd, {"N": "0"})
