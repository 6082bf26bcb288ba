"""Records of v2 that cannot be carried and wait; and the old item, and the places, that a record is about."""

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.ledger import ReverseHalf, new_entry
from service.core.rules.reverse_plan import reverse_places
from service.core.rules.reverse_records import old_key_of, shows_no_item
from service.errors import Poison
from tests.builders.dual_lead import (
    EPOCH,
    JULY,
    KEY,
    MAPPING,
    MARCH,
    MAY,
    TABLE,
    by_application,
    by_forward,
    count,
    lead,
    place,
    stamped_v2,
    tombstone,
    version,
)
from tests.builders.reverse_cases import gives, plan, record

A, B = lead(status="a", company="x"), lead(status="b", company="x")
MISPLACED = by_forward(A, created_at=f"{MAY}-05")


def test_a_unit_that_leads_to_another_key_waits_and_the_others_are_put() -> None:
    new = {**MISPLACED, "status": {"S": "b"}}
    made = plan(record(by_forward(A), new), new, A)
    assert made.waiting == ("created_at",)
    assert made.poison is not None
    assert made.poison.reason == "v2_key_mismatch"
    assert made.content == B


def test_with_nothing_else_changed_the_whole_record_waits() -> None:
    made = plan(record(by_forward(A), MISPLACED), MISPLACED, A)
    assert (made.outcome, made.content, made.waiting) == ("waiting", None, ("created_at",))


def test_what_waits_does_not_leave_quarantine_by_another_change() -> None:
    """Neither of v2's side nor of the old side: the former rule dropped it then, and old never got it."""
    new = {**MISPLACED, "status": {"S": "b"}}
    made = plan(record(MISPLACED, new, waiting=frozenset({"created_at"})), new, A)
    assert made.waiting == ("created_at",)
    assert made.content == B


def test_what_waits_is_put_once_the_item_is_corrected() -> None:
    corrected = by_forward(A, created_at=f"{MARCH}-09")
    made = plan(record(MISPLACED, corrected, waiting=frozenset({"created_at"})), corrected, A)
    assert made.waiting == ()
    stood = {"updated_at": {"S": f"{MARCH}-05"}}
    assert gives(made, {**A, "created_at": {"S": f"{MARCH}-09"}, **stood}), "v2 keeps the former default as a value"


def test_what_waits_is_put_with_any_later_record_once_it_can_be() -> None:
    """The record that corrects it may have been read before the one that waits was kept."""
    new = by_forward(lead(status="b", company="y"))
    made = plan(record(by_forward(lead(status="b", company="x")), new, waiting=frozenset({"status"})), new, A)
    assert gives(made, lead(status="b", company="y"))


def test_an_item_that_waits_as_a_whole_is_put_whole_once_it_can_be() -> None:
    new = by_application(lead(status="b", company="y"))
    made = plan(record(by_forward(A), new, waiting=None), new, A)
    assert gives(made, lead(status="b", company="y"))


BAD: dict[str, tuple[Item, str]] = {
    "a damaged stamp": ({**by_application(A), "_sync": {"S": "mine"}}, "damaged_stamp"),
    "fields that lead to another key": ({**by_application(lead(MAY)), **place().key}, "v2_key_mismatch"),
    "fields that name another old item": ({**by_application(A), "id": {"S": "8"}}, "v2_key_mismatch"),
}


@pytest.mark.parametrize("row", BAD)
def test_a_create_without_an_old_item_is_poison(row: str) -> None:
    item, reason = BAD[row]
    with pytest.raises(Poison) as caught:
        plan(record(None, item), item, None)
    assert caught.value.reason == reason


KEYS_TOLD: dict[str, tuple[Item | None, Item | None]] = {
    "a creation": (None, by_application(A)),
    "a deletion": (by_forward(A), None),
    "the place of a tombstone": (tombstone(), by_application(A)),
    "an item made a tombstone": (by_forward(A), tombstone()),
    "an item whose new image leads to another key": (by_forward(A), MISPLACED),
    "an item whose new image is damaged": (by_forward(A), BAD["a damaged stamp"][0]),
    "an item whose new image names another": (by_forward(A), BAD["fields that name another old item"][0]),
    "a copy with another item's stamp": (None, {**by_application(A), "_sync": by_forward(lead(MAY))["_sync"]}),
}


def change(old: Item | None, new: Item | None) -> Change:
    return Change(TABLE, "shard", "50", place().key, old, new)


@pytest.mark.parametrize("row", KEYS_TOLD)
def test_the_old_key_is_that_of_the_image_whose_fields_lead_to_the_place(row: str) -> None:
    assert old_key_of(MAPPING, place(), change(*KEYS_TOLD[row])) == KEY


def test_a_record_without_an_image_that_shows_an_old_item_is_poison() -> None:
    with pytest.raises(Poison):
        old_key_of(MAPPING, place(), change(None, {**place().key, "x": {"S": "y"}}))


NO_ITEM: dict[str, tuple[Item | None, Item | None, bool]] = {
    "a tombstone is purged": (tombstone(), None, True),
    "a tombstone comes": (None, tombstone(), True),
    "a tombstone after another": (tombstone(), tombstone(41), True),
    "an item is deleted": (by_forward(A), None, False),
    "an item becomes a tombstone": (by_forward(A), tombstone(), False),
    "a tombstone is revived": (tombstone(), {**tombstone(), "id": {"S": "7"}}, False),
    "a copy of another key's tombstone": (
        None,
        {**place().key, "_sync": stamped_v2(Stamp(version(1), tombstone=True), {}, MAY)["_sync"]},
        True,
    ),
}


@pytest.mark.parametrize("row", NO_ITEM)
def test_a_record_of_tombstones_shows_no_item(row: str) -> None:
    old, new, nothing = NO_ITEM[row]
    assert shows_no_item(MAPPING, place(), change(old, new)) == nothing


def test_the_places_are_the_records_the_ledgers_and_the_old_items() -> None:
    entry = new_entry(KEY, EPOCH)
    known = type(entry)(KEY, EPOCH, entry.forward, ReverseHalf(count(0), places=(place(MAY).text,)))
    july = lead(JULY)
    assert reverse_places(MAPPING, place(), known, july) == [place(), place(MAY), place(JULY)]
    assert reverse_places(MAPPING, place(), known, None) == [place(), place(MAY)]
    unmappable = {name: content for name, content in july.items() if name != "id"}
    assert reverse_places(MAPPING, place(), entry, unmappable) == [place()]
