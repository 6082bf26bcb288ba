"""Fields that have another name in the old table (``from``) meet in `dual` as those do that keep their names."""

from typing import ClassVar

import pytest

from service.core.item.stamp import without_stamp
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.mapping.transform import forward
from service.core.rules.units import shown
from tests.worlds.both_ways_world import BothWays

MAPPING = load_mapping(
    """
version: 2
name: renamed
old: {table: old, partition_key: pk, sort_key: sk}
entities:
  THING:
    table: leads
    old_key: {pk: "T#{id}", sk: T}
    key: [id]
    fields:
      id: {type: string, required: true}
      n: {type: int, from: num, merge: add}
      m: {type: int, merge: add}
      tags: {type: list, from: tg, merge: union}
      plain: {type: list, merge: union}
      level: {type: int, from: lvl, merge: agree}
      at: {type: epoch, from: seen}
      title: {type: string, from: name, aliases: [label]}
""",
    source="renamed.yaml",
)
KEY: Item = {"pk": {"S": "T#a"}, "sk": {"S": "T"}}
V2_KEY: Item = {"id": {"S": "a"}}


def number(value: int) -> Item:
    return {"N": str(value)}


def tags(*names: str) -> Item:
    return {"L": [{"S": name} for name in names]}


ITEM: Item = {
    **KEY,
    "id": {"S": "a"},
    "num": number(10),
    "m": number(10),
    "tg": tags("a"),
    "plain": tags("a"),
    "lvl": number(1),
    "seen": number(100),
}


class Renamed(BothWays):
    mapping: ClassVar[Mapping] = MAPPING

    def sides(self) -> tuple[Item, Item]:
        """The item on each side, as its application sees it."""
        old, v2 = self.db.item("old", KEY), self.db.item("leads", V2_KEY)
        assert old is not None
        assert v2 is not None
        return without_stamp(old, MAPPING.stamp), without_stamp(v2, MAPPING.stamp)


@pytest.fixture
async def world() -> Renamed:
    return await Renamed.carried(ITEM)


async def test_what_both_sides_add_and_agree_on_is_carried_whatever_its_name(world: Renamed) -> None:
    """By its name on v2 a field is found in neither side's old attributes: taken for unknown, it lost its way to merge."""
    old = {"num": number(11), "m": number(11), "tg": tags("a", "c"), "plain": tags("a", "c")}
    world.edit("old", KEY, **old, lvl=number(2), seen=number(200))
    v2 = {"n": number(12), "m": number(12), "tags": tags("a", "d"), "plain": tags("a", "d")}
    world.edit("leads", V2_KEY, **v2, level=number(2), at=number(200))
    await world.carry()
    old_item, v2_item = world.sides()
    assert (old_item["num"], v2_item["n"], v2_item["m"]) == (number(13), number(13), number(13))
    for item, name in ((old_item, "tg"), (old_item, "plain"), (v2_item, "tags"), (v2_item, "plain")):
        assert sorted(element["S"] for element in item[name]["L"]) == ["a", "c", "d"]
    assert (old_item["lvl"], old_item["seen"]) == (number(2), number(200))
    assert await world.conflicts.heads() == {}


async def test_an_attribute_without_a_field_that_has_a_fields_name_hides_no_change_of_the_field(world: Renamed) -> None:
    """``n`` of the old table is no field: v2's ``n`` is made of ``num``. As one unit the two would take each other's place."""
    namesake = {"S": "namesake"}
    world.edit("old", KEY, n=namesake)
    await world.carry()
    world.edit("old", KEY, num=number(11))
    await world.carry()
    assert world.sides()[1]["n"] == number(11)
    world.edit("leads", V2_KEY, n=number(12))
    await world.carry()
    assert {name: world.sides()[0][name] for name in ("n", "num")} == {"n": namesake, "num": number(12)}
    assert forward(MAPPING, world.sides()[0]).item["n"] == number(12)
    assert await world.conflicts.heads() == {}


async def test_v2s_value_comes_back_under_the_alias_that_the_old_item_has(world: Renamed) -> None:
    world.edit("old", KEY, label={"S": "first"})
    await world.carry()
    world.edit("leads", V2_KEY, title={"S": "second"})
    await world.carry()
    old_item, _ = world.sides()
    assert (old_item.get("label"), old_item.get("name")) == ({"S": "second"}, None)


async def test_a_set_to_which_v2_adds_stays_a_set(world: Renamed) -> None:
    """The old application's next ADD to a set would be refused by a list."""
    world.edit("old", KEY, plain={"SS": ["a"]})
    await world.carry()
    world.edit("leads", V2_KEY, plain=tags("a", "d"))
    await world.carry()
    assert sorted(world.sides()[0]["plain"]["SS"]) == ["a", "d"]


def test_a_namesake_is_shown_by_its_name() -> None:
    assert shown(["\2n"]) == ("n",)
