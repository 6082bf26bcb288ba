"""Whether both sides of an item agree under the ledger rule, in either form of each value; and how they differ."""

from dataclasses import replace

import pytest

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.agreement import BothSides, agree, describe_difference, forgettable, places_of
from service.core.rules.ledger import ForwardHalf, ReverseHalf, Track, new_entry
from service.core.rules.ledger_writes import stamp_value
from service.core.rules.verdict import Kind, judge, pair_of, source
from tests.builders.dual_lead import (
    EPOCH,
    KEY,
    MAPPING,
    MAY,
    TABLE,
    by_application,
    by_forward,
    count,
    lead,
    place,
    reading,
    tombstone,
    version,
)

DIRTY = lead(
    phase="x", followers="1,054", visits="3", tags="a, b", company={"NULL": True}, status="new", note={"N": "1"}
)
ENTRY = new_entry(KEY, EPOCH)


def sides(old: Item | None, march: Item | None, may: Item | None = None) -> BothSides:
    return BothSides((reading(march), reading(may, MAY)), old)


def by_reverse(old: Item) -> Item:
    return {**old, "_sync": stamp_value(KEY, Stamp(count(3), place="0" * 8))}


AGREE: dict[str, tuple[Item | None, Item | None, Item | None, bool]] = {
    "both as forward has left them": (DIRTY, by_forward(DIRTY), None, True),
    "a Put of v2's application has dropped the residue": (DIRTY, by_application(DIRTY), None, True),
    "reverse has put the old item": (by_reverse(DIRTY), by_application(DIRTY), None, True),
    "a list in another order, under union": (
        lead(tags={"L": [{"S": "b"}, {"S": "a"}]}), by_application(lead(tags="a,b")), None, True,
    ),
    "a field": (DIRTY, by_forward(DIRTY, status="v2"), None, False),
    "an attribute that old has": (lead(note="x"), by_application(lead()), None, False),
    "an attribute of v2's own": (lead(), by_application(lead(), mine="x"), None, False),
    "an attribute of v2's own that old has": (lead(mine="x"), by_application(lead(), mine="x"), None, True),
    "a value that the transform would not make": (lead(), by_application(lead(), followers="many"), None, False),
    "a copy with another item's stamp": (
        lead(), {**by_application(lead()), "_sync": by_forward(lead(MAY, followers="x"))["_sync"]}, None, True,
    ),
    "a tombstone and nothing": (None, tombstone(), None, True),
    "nothing on v2": (DIRTY, tombstone(), None, False),
    "nothing on old": (None, by_application(DIRTY), None, False),
    "a tombstone on old": ({**KEY, "_sync": stamp_value(KEY, Stamp(count(1), tombstone=True))}, None, None, True),
    "two live items": (DIRTY, by_application(DIRTY), by_application(lead(MAY)), False),
    "a damaged stamp": (DIRTY, by_application(DIRTY) | {"_sync": {"S": "x"}}, None, False),
}  # fmt: skip


@pytest.mark.parametrize("row", AGREE)
def test_whether_both_sides_agree(row: str) -> None:
    old, march, may, together = AGREE[row]
    assert agree(MAPPING, sides(old, march, may)) is together


DIFFERENCES: dict[str, tuple[str, tuple[str, ...], int]] = {
    "a field": ("fields", ("status",), 1),
    "an attribute that old has": ("fields", ("note",), 1),
    "nothing on v2": ("missing_on_v2", (), 1),
    "nothing on old": ("missing_on_old", (), 1),
    "two live items": ("two_live_keys", (), 2),
    "a damaged stamp": ("unreadable", ("damaged_stamp",), 1),
}


@pytest.mark.parametrize("row", DIFFERENCES)
def test_how_they_differ(row: str) -> None:
    old, march, may, _ = AGREE[row]
    kind, fields, places = DIFFERENCES[row]
    found = describe_difference(MAPPING, sides(old, march, may))
    assert (found.kind, found.fields, len(found.places), found.entity) == (kind, fields, places, "LEAD")


def test_elements_are_shown_as_their_field_and_a_group_as_its_fields() -> None:
    found = describe_difference(MAPPING, sides(lead(tags="a", amount=1), by_application(lead(tags="b", amount=2))))
    assert set(found.fields) >= {"tags"}
    assert not any("\0" in name for name in found.fields)


def test_an_item_that_cannot_be_mapped_and_has_no_place_is_named_by_its_entity() -> None:
    ghost = {**lead(), "entity_type": {"S": "GHOST"}}
    assert (
        describe_difference(MAPPING, sides(ghost, None)).entity,
        describe_difference(MAPPING, sides(ghost, None)).places,
    ) == (
        "unknown",
        (),
    )


@pytest.mark.parametrize(
    "row",
    [
        "a field",
        "an attribute that old has",
        "both as forward has left them",
        "a Put of v2's application has dropped the residue",
        "a copy with another item's stamp",
    ],
)
def test_validation_compares_in_the_same_two_forms(row: str) -> None:
    """A Put without `_sync` must not become a difference in validation either."""
    old, march, _, together = AGREE[row]
    assert old is not None
    assert march is not None
    found = judge(MAPPING, pair_of(MAPPING, TABLE, march), march, source(MAPPING, old, both_ways=True))
    assert (found.kind is Kind.EQUAL) is together
    assert found.kind in (Kind.EQUAL, Kind.MISMATCH)


def test_before_dual_validation_compares_exactly() -> None:
    march = by_application(DIRTY)
    assert judge(MAPPING, pair_of(MAPPING, TABLE, march), march, source(MAPPING, DIRTY)).kind is Kind.MISMATCH


def test_a_bare_tombstone_on_old_is_no_item_to_validation() -> None:
    bare = {**KEY, "_sync": stamp_value(KEY, Stamp(count(1), tombstone=True))}
    assert source(MAPPING, bare, both_ways=True) is None


def test_every_place_that_was_ever_seen_is_a_place_of_the_entry() -> None:
    half = ReverseHalf(count(0), tracks={place(MAY).text: Track(version(9))}, places=(place().text,))
    assert places_of(replace(ENTRY, reverse=half)) == [place(), place(MAY)]


def test_the_fingerprint_is_that_of_all_readings() -> None:
    both = sides(DIRTY, by_forward(DIRTY))
    assert both.fingerprint == sides(dict(reversed(DIRTY.items())), by_forward(DIRTY)).fingerprint
    assert both.fingerprint != sides(DIRTY, by_forward(DIRTY, status="v2")).fingerprint
    assert both.fingerprint != sides(DIRTY, by_forward(DIRTY), tombstone(1, MAY)).fingerprint


FORGETTABLE: dict[str, tuple[BothSides, ReverseHalf, bool]] = {
    "both agree": (sides(DIRTY, by_application(DIRTY)), ENTRY.reverse, True),
    "a field differs": (sides(DIRTY, by_application(DIRTY, status="v2")), ENTRY.reverse, False),
    "it is held": (sides(DIRTY, by_application(DIRTY)), replace(ENTRY.reverse, held_since=1.0), False),
    "it lives elsewhere": (sides(DIRTY, None, {**by_application(DIRTY), **place(MAY).key}), ENTRY.reverse, False),
    "both have none": (sides(None, tombstone()), ENTRY.reverse, True),
}


@pytest.mark.parametrize("row", FORGETTABLE)
def test_whether_an_entry_may_be_dropped(row: str) -> None:
    both, half, drop = FORGETTABLE[row]
    entry = replace(ENTRY, reverse=half, forward=ForwardHalf(seen=count(0)))
    assert forgettable(MAPPING, entry, both) is drop
