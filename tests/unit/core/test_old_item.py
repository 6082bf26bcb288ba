"""What reverse makes of an old item: originals and names that stay, defaults that must not move, counters, and the write."""

import pytest

from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.images import V2Image
from service.core.rules.old_item import OldWritten, V2Now, Wanted, now_at, old_item_with, old_write
from service.core.rules.units import UnitChange, old_units
from service.errors import Poison
from tests.builders.dual_lead import (
    KEY,
    MAPPING,
    MAY,
    by_application,
    by_forward,
    count,
    form_of,
    lead,
    place,
    value,
)
from tests.fakes.memory import MemoryDynamoDB

NOW = by_application(lead(status="v2", company="v2", visits=6))


def v2_now(item: Item) -> V2Now:
    return now_at(MAPPING, V2Image(MAPPING, place(), item))


def with_values(image: Item, item: Item, *units: str) -> OldWritten:
    """An old item with units of a v2 item by value."""
    return old_item_with(MAPPING, v2_now(item), image, Wanted(form_of(item), frozenset(units)))


def test_only_the_wanted_units_are_put() -> None:
    made = with_values(lead(status="a", company="x"), NOW, "status")
    assert (made.content, made.units, made.added) == (lead(status="v2", company="x"), ("status",), ())


def test_what_old_has_in_another_form_is_left_as_it_is() -> None:
    made = with_values(lead(followers="85"), by_application(lead(followers=85)), "followers")
    assert (made.content, made.units) == (lead(followers="85"), ())


def test_the_old_applications_names_are_kept() -> None:
    made = with_values(lead(phase="a"), by_application(lead(stage="b")), "stage")
    assert made.content == lead(phase="b")


def test_a_default_that_the_write_would_move_is_put_as_a_value() -> None:
    """Old has no token, so its default follows `created_at`; v2 keeps the one that it had."""
    moved = by_application(lead(), created_at="2024-03-09")
    made = with_values(lead(), moved, "created_at")
    assert made.content == lead() | {"created_at": value("2024-03-09"), "updated_at": value("2024-03-05")}
    assert made.units == ("created_at", "updated_at")


def test_a_default_that_moves_on_both_sides_is_not_put() -> None:
    moved = by_application({**lead(), "created_at": value("2024-03-09")})
    assert with_values(lead(), moved, "created_at").content == {**lead(), "created_at": value("2024-03-09")}


def test_units_may_be_put_as_v2_has_them_now() -> None:
    wanted = Wanted(form_of(by_application(lead(status="record"))), frozenset(), of_now=frozenset({"status"}))
    made = old_item_with(MAPPING, v2_now(NOW), lead(status="a"), wanted)
    assert (made.content, made.units) == (lead(status="v2"), ("status",))


def test_a_counter_by_value_counts_as_written_also_where_it_is_equal() -> None:
    wanted = Wanted(form_of(NOW), frozenset(), resets=frozenset({"visits"}))
    for visits in (1, 6):
        made = old_item_with(MAPPING, v2_now(NOW), lead(visits=visits), wanted)
        assert (made.content, made.units) == (lead(visits=6), ("visits",))


def step(before: int, after: int) -> UnitChange:
    return UnitChange("visits", *(old_units(MAPPING, lead(visits=visits))["visits"] for visits in (before, after)))


@pytest.mark.parametrize(("on_old", "then"), [("3", "4"), (6, "7"), ("many", "1")])
def test_a_counter_by_difference_is_added_to_what_old_has(on_old: int | str, then: str) -> None:
    """`many` is 0 to the mapping, on both sides."""
    wanted = Wanted(form_of(NOW), frozenset(), steps={"visits": step(5, 6)})
    made = old_item_with(MAPPING, v2_now(NOW), lead(visits=on_old), wanted)
    assert (made.content["visits"], made.units, made.added) == ({"N": then}, (), ("visits",))


def test_a_v2_item_without_an_old_form_is_poison() -> None:
    with pytest.raises(Poison):
        v2_now({**NOW, "_sync": {"S": "mine"}})


def test_the_v2_item_is_taken_where_it_was_read() -> None:
    now = now_at(MAPPING, V2Image(MAPPING, place(MAY), by_forward(lead(MAY))))
    assert (now.place, now.old, now.entity) == (place(MAY), lead(MAY), MAPPING.entities["LEAD"])


def old_table(item: Item | None) -> MemoryDynamoDB:
    memory = MemoryDynamoDB()
    memory.create_table("old", ("pk", "sk"))
    if item is not None:
        memory.apply(Put("old", item))
    return memory


STAMP = Stamp(count(3), place="00000000")


def test_the_write_is_made_only_on_the_old_item_as_it_was_read() -> None:
    read = lead(status="a", note="x")
    write = old_write(MAPPING, KEY, read, lead(status="b"), STAMP)
    memory = old_table(read)
    memory.apply(Update("old", KEY, {"of another application": value("kept")}))
    assert memory.apply(write)
    item = memory.item("old", KEY)
    assert item is not None
    stamp = own_stamp(item, KEY, "_sync")
    assert stamp is not None
    assert (stamp.version, stamp.place, "note" in item) == (count(3), "00000000", False)
    assert item["of another application"] == value("kept")
    for name in ("status", "company", "note", "_sync"):
        changed = old_table(read)
        changed.apply(Update("old", KEY, {name: value("meanwhile")}))
        assert not changed.apply(write), name


def test_a_tombstone_on_old_is_the_key_and_a_stamp() -> None:
    """Bare also when an attribute has come that nobody could list: v2's delete stands against it."""
    memory = old_table({**lead(status="a"), "of another application": value("x")})
    assert memory.apply(old_write(MAPPING, KEY, lead(status="a"), {}, Stamp(count(3), tombstone=True)))
    item = memory.item("old", KEY)
    assert item is not None
    assert item.keys() == {"pk", "sk", "_sync"}


def test_an_item_that_old_lacks_is_put_whole_unless_one_has_come() -> None:
    write = old_write(MAPPING, KEY, None, lead(status="b"), STAMP)
    assert old_table(None).apply(write)
    assert not old_table(lead()).apply(write)
