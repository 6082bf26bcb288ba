"""Items that stay behind (``leave_out``): no lane, copy or comparison sees them."""

import random

import pytest

from backfill.window import Window
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.rules.left_out import carried
from service.core.rules.verdict import source
from service.dynamodb.protocol import Page
from service.errors import Misconfigured
from tests.worlds.both_ways_world import BothWays

TEXT = """
version: 2
name: locks
old:
  table: old
  partition_key: pk
  sort_key: sk
  entity: entity_type
  leave_out:
    - {pk: "LOCK#*"}
    - {entity_type: Unique, pk: "*#email"}
entities:
  LEAD:
    table: leads
    old_key: {pk: "LEAD#{id}", sk: METADATA}
    key: {PK: LEAD, SK: "2024-05#{id}"}
    fields:
      id: {type: string, required: true}
"""
MAPPING = load_mapping(TEXT, source="locks.yaml")


class LockWays(BothWays):
    """Both lanes over a table with items that stay behind."""

    mapping: Mapping = MAPPING  # type: ignore[misc]


def old(pk: str, **texts: str) -> Item:
    return {name: {"S": text} for name, text in {"pk": pk, "sk": "METADATA", **texts}.items()}


LEAD = old("LEAD#a", entity_type="LEAD", id="a")
LOCK = old("LOCK#a", owner="w")
UNIQUE = old("a@example.com#email", entity_type="Unique")


@pytest.mark.parametrize(
    ("item", "stays"),
    [
        (LEAD, False),
        (LOCK, True),
        (UNIQUE, True),
        (old("x", entity_type="Unique"), False),
        (old("x#email"), False),
        (old("UNLOCK#a"), False),
        ({"pk": {"N": "7"}}, False),
    ],
)
def test_a_line_of_patterns_must_match_as_a_whole(item: Item, stays: bool) -> None:
    assert MAPPING.leaves_out(item) is stays


def test_only_attributes_that_never_change_may_tell_it() -> None:
    wrong = TEXT.replace('{pk: "LOCK#*"}', '{owner: "*"}')
    with pytest.raises(Misconfigured, match="leave_out can ask for pk, sk, entity_type only, not for 'owner'"):
        load_mapping(wrong, source="locks.yaml")


async def test_an_item_that_stays_behind_is_neither_copied_nor_carried_nor_compared() -> None:
    window = Window(10)
    window.add(MAPPING, 1, Page([LEAD, LOCK, UNIQUE], None, 1.0))
    assert (sum(len(group.copies) for group in window.groups(random.Random(1))), window.left_out) == (1, 2)
    assert window.rejections == []
    world = LockWays()
    for item in (LEAD, LOCK, UNIQUE, {**LOCK, "owner": {"S": "v"}}):
        world.db.apply(Put("old", item))
    await world.carry()
    assert [item["id"] for item in world.db.items("leads")] == [{"S": "a"}]
    assert await world.quarantine.heads() == {}
    assert world.counts["left_out"] == 3
    assert source(MAPPING, LOCK) is source(MAPPING, UNIQUE, both_ways=True) is None
    report = await world.both_ways()
    assert (report["result"], report["left_out"]) == ("equal", 2)


def test_an_item_that_becomes_one_is_created_and_one_that_no_longer_is_deleted() -> None:
    def change(before: Item | None, after: Item | None) -> Change:
        return Change("old", "s", "1", {"pk": {"S": "k"}}, before, after)

    seen = carried(MAPPING, [change(UNIQUE, LEAD), change(LEAD, UNIQUE), change(None, LOCK), change(LEAD, None)])
    assert [(one.old, one.new) for one in seen] == [(None, LEAD), (LEAD, None), (LEAD, None)]
