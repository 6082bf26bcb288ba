"""Index attributes that the old application makes of others (``old_made``), while both sides write: the old indexes stay right."""

import pytest

from service.core.item.wire import Item
from service.core.item.write import Delete, Put, Update
from service.core.mapping.made import made_again
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.transform import forward
from service.errors import Poison
from tests.builders.small_crm import lead_key, old_key
from tests.worlds.both_ways_world import BothWays

MAPPING_TEXT = """
version: 2
name: made
old: {table: old, partition_key: pk, sort_key: sk, entity: entity_type}
entities:
  LEAD:
    table: leads
    old_key: {pk: "LEAD#{id}", sk: METADATA}
    old_made: {GSI1PK: "STATUS#{status}", GSI1SK: "{name}#{status}", GSI2PK: "OWNER#{owner?}"}
    key: {PK: LEAD, SK: "2024-05#{id}"}
    fields:
      id: {type: string, required: true}
      status: {type: string, default: new}
      name: {type: string, default: none}
      owner: {type: string}
"""
MAPPING = load_mapping(MAPPING_TEXT, source="made.yaml")
KEY = old_key("LEAD", "a")


class MadeWays(BothWays):
    """Both lanes over tables whose old items have index attributes."""

    mapping: Mapping = MAPPING  # type: ignore[misc]


def lead(status: str = "new", name: str = "Ann", owner: str | None = None, **more: str) -> Item:
    """As the old application writes it."""
    texts = {"entity_type": "LEAD", "id": "a", "status": status, "name": name}
    texts |= {"GSI1PK": f"STATUS#{status}", "GSI1SK": f"{name}#{status}"}
    texts |= {"owner": owner, "GSI2PK": f"OWNER#{owner}"} if owner is not None else {}
    return {**KEY, **{attribute: {"S": text} for attribute, text in {**texts, **more}.items()}}


@pytest.fixture
async def world() -> MadeWays:
    """One lead, carried to v2."""
    return await MadeWays.carried(lead())


def edit_v2(world: MadeWays, **texts: str) -> None:
    world.db.apply(Update("leads", lead_key("a"), {name: {"S": text} for name, text in texts.items()}))


async def test_v2_has_none_of_them(world: MadeWays) -> None:
    assert (world.v2_lead() or {}).keys() == {"PK", "SK", "id", "status", "name", "_sync"}


async def test_an_edit_on_v2_is_found_in_the_old_index(world: MadeWays) -> None:
    edit_v2(world, status="won", owner="eve")
    await world.carry()
    assert world.old_lead() == lead("won", owner="eve")


async def test_an_item_that_is_new_on_v2_is_in_the_old_indexes(world: MadeWays) -> None:
    world.db.apply(Delete("leads", lead_key("a")))
    await world.carry()
    assert world.old_lead() is None
    made = {"id": {"S": "a"}, "status": {"S": "won"}, "name": {"S": "Bob"}, "owner": {"S": "eve"}}
    world.db.apply(Put("leads", {**lead_key("a"), **made}))
    await world.carry()
    assert world.old_lead() == lead("won", "Bob", "eve")


async def test_each_side_writes_another_field_of_one_template(world: MadeWays) -> None:
    """As attributes of their own, GSI1SK would be in conflict: both sides have changed it."""
    world.db.apply(Put("old", lead("won")))
    edit_v2(world, name="Bob")
    await world.carry()
    assert world.old_lead() == lead("won", "Bob")
    assert await world.conflicts.heads() == {}


async def test_where_a_field_is_in_conflict_the_old_index_has_what_stays(world: MadeWays) -> None:
    world.db.apply(Put("old", lead("lost")))
    edit_v2(world, status="won")
    await world.carry()
    assert world.old_lead() == lead("won")
    (conflict,) = (await world.conflicts.heads()).values()
    assert conflict.fields == ("status",)


async def test_a_value_of_the_applications_own_stays_until_v2_writes_what_it_is_made_of(world: MadeWays) -> None:
    world.db.apply(Put("old", lead(GSI1SK="own")))
    await world.carry()
    edit_v2(world, owner="eve")
    await world.carry()
    assert world.old_lead() == lead(owner="eve", GSI1SK="own")
    edit_v2(world, name="Bob")
    await world.carry()
    assert world.old_lead() == lead(name="Bob", owner="eve")


async def test_taking_an_item_out_of_an_index_takes_its_attribute_away(world: MadeWays) -> None:
    edit_v2(world, owner="eve")
    await world.carry()
    world.db.apply(Update("leads", lead_key("a"), {}, ("owner",)))
    await world.carry()
    assert world.old_lead() == lead()


@pytest.mark.parametrize("own", [{"GSI1SK": "own"}, {"GSI1PK": "gone"}])
async def test_the_residue_has_a_value_of_its_own(own: dict[str, str]) -> None:
    item = lead(**own)
    assert forward(MAPPING, item).residue.keys() == own.keys()
    without = {name: value for name, value in lead().items() if name not in own}
    assert forward(MAPPING, without).residue.keys() == own.keys()
    assert forward(MAPPING, lead()).residue == {}


def test_a_write_that_corrects_what_a_template_refuses_makes_the_attribute_again() -> None:
    text = MAPPING_TEXT.replace("owner: {type: string}", "place: {type: int}").replace("{owner?}", "{place:pad4?}")
    mapping = load_mapping(text, source="made.yaml")
    entity = mapping.entities["LEAD"]
    before = lead() | {"place": {"N": "-7"}, "GSI2PK": {"S": "as it was"}}
    assert made_again(entity, before, before | {"place": {"N": "7"}})["GSI2PK"] == {"S": "OWNER#0007"}
    with pytest.raises(Poison, match="no whole number"):
        made_again(entity, before | {"place": {"N": "7"}}, before)
