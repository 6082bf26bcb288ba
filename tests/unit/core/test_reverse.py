"""What reverse writes on the old table for a record of a v2 table under the ledger rule, by what v2 holds now."""

from dataclasses import dataclass, replace

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp, decode_stamp, encode_stamp, stamped, stream_version
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward, v2_place
from service.core.rules.ledger import Entry, Place, Track, count_version, new_entry
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.reverse import (
    ReversePlan,
    old_key_of,
    passed,
    reverse_places,
    reverse_plan,
    shows_no_item,
)
from service.errors import Poison
from tests.builders.mappings import crm

KEY: Item = {"pk": {"S": "LEAD#7"}, "sk": {"S": "METADATA"}}
EPOCH = 1
NOW = 99.0
MARCH, MAY = "2024-03", "2024-05"
RECORD = stream_version(1, "50")


def lead(month: str = MARCH, **more: str) -> Item:
    """An old item with all its fields, as the inverse makes it from a v2 item without a stamp."""
    texts = {"entity_type": "LEAD", "id": "7", "created_at": f"{month}-05", **more}
    v2 = forward(crm(), {**KEY, **{name: {"S": text} for name, text in texts.items()}})
    return inverse(crm(), v2.item, v2.table)


def place(month: str = MARCH) -> Place:
    return Place(*v2_place(crm(), lead(month)))


def version(sequence: int) -> str:
    return stream_version(1, str(sequence))


def count(number: int) -> str:
    return count_version(EPOCH, number)


def by_application(old: Item) -> Item:
    """A v2 item that the application has put: no stamp."""
    return forward(crm(), old).item


def by_forward(old: Item, sequence: int = 40, base: int | None = 0) -> Item:
    """A v2 item as forward writes it; base None: as the guarded rule writes it."""
    return stamped(forward(crm(), old), version(sequence), "_sync", base=None if base is None else count(base))


def tombstone(sequence: int = 40, month: str = MARCH) -> Item:
    return {**place(month).key, "_sync": encode_stamp(Stamp(version(sequence), base=count(0), tombstone=True))}


def change(old: Item | None, new: Item | None, month: str = MARCH) -> Change:
    return Change(place(month).table, "shard-1", "50", place(month).key, old, new)


def plan(old: Item | None, new: Item | None, there: dict[str, Item], entry: Entry) -> ReversePlan:
    """The plan for a record at the place of March, given the v2 items by month."""
    places = reverse_places(crm(), place(), entry, None)
    items = {place(month).text: item for month, item in there.items()}
    places += [place(month) for month in there if place(month) not in places]
    readings = [PlaceReading(place, items.get(place.text)) for place in places]
    return reverse_plan(crm(), place(), change(old, new), RECORD, entry, readings, NOW)


A, B = lead(name="a"), lead(name="b")
ENTRY = new_entry(KEY, EPOCH)
WRITTEN = replace(ENTRY, put=count(3))
HELD = replace(ENTRY, held_since=5.0)


@dataclass(frozen=True, slots=True)
class Row:
    """Images, the v2 items by month, the entry before; the outcome, the old item written (None: nothing is, ``{}``: a
    tombstone), and the start of the hold."""

    old: Item | None
    new: Item | None
    there: dict[str, Item]
    entry: Entry
    outcome: str
    written: Item | None
    held_since: float | None = None


ROWS = {
    "the application creates": Row(None, by_application(A), {MARCH: by_application(A)}, ENTRY, "applied", A),
    "the application updates and keeps the stamp": Row(
        by_forward(A), {**by_forward(B, 40)}, {MARCH: by_forward(B, 40)}, ENTRY, "applied", B
    ),
    "the application puts, without the stamp": Row(
        by_forward(A), by_application(B), {MARCH: by_application(B)}, ENTRY, "applied", B
    ),
    "the application deletes": Row(by_forward(A), None, {}, ENTRY, "applied", {}),
    "the application puts an earlier image back": Row(
        by_application(B),
        by_forward(A),
        {MARCH: by_forward(A)},
        ENTRY.tracking(place(), Track(seen=version(40))),
        "applied",
        A,
    ),
    "the application puts back an image of the guarded rule": Row(
        None, by_forward(A, 40, None), {MARCH: by_forward(A, 40, None)}, ENTRY, "applied", A
    ),
    "v2 has gone on since": Row(by_forward(A), by_application(A), {MARCH: by_application(B)}, ENTRY, "applied", B),
    "v2 has deleted it since": Row(by_forward(A), by_application(B), {}, ENTRY, "applied", {}),
    "v2 has moved it since": Row(by_forward(A), None, {MAY: by_application(lead(MAY))}, ENTRY, "applied", lead(MAY)),
    "forward wrote, and had seen all": Row(
        by_forward(A), by_forward(B, 41), {MARCH: by_forward(B, 41)}, ENTRY, "own", None
    ),
    "forward wrote, and had seen the last count": Row(
        by_forward(A), by_forward(B, 41, 3), {MARCH: by_forward(B, 41, 3)}, WRITTEN, "own", None
    ),
    "forward wrote, and had not seen the last count": Row(
        by_forward(A), by_forward(B, 41, 2), {MARCH: by_forward(B, 41, 2)}, WRITTEN, "carried_back", B
    ),
    "forward buried, and had not seen the last count": Row(
        by_forward(A), {**tombstone(41)}, {MARCH: tombstone(41)}, WRITTEN, "carried_back", {}
    ),
    "forward's tombstone is purged": Row(tombstone(41), None, {}, WRITTEN, "own", None),
    "two live places": Row(
        None,
        by_application(A),
        {MARCH: by_application(A), MAY: by_application(lead(MAY))},
        ENTRY,
        "held",
        None,
        NOW,
    ),
    "two live places still": Row(
        None, by_application(A), {MARCH: by_application(A), MAY: by_application(lead(MAY))}, HELD, "held", None, 5.0
    ),
    "one of two places is free now": Row(
        by_application(A), None, {MAY: by_application(lead(MAY))}, HELD, "applied", lead(MAY)
    ),
    "forward's record ends a hold, and is carried": Row(
        by_forward(A), by_forward(B, 41), {MARCH: by_forward(B, 41)}, HELD, "carried_back", B
    ),
}


def content(written: Item | None) -> Item | None:
    """The old item without its stamp; ``{}`` for a tombstone."""
    if written is None or written.keys() == {*KEY, "_sync"}:
        return None if written is None else {}
    return {name: value for name, value in written.items() if name != "_sync"}


@pytest.mark.parametrize("row", ROWS)
def test_the_plan_for_a_record(row: str) -> None:
    case = ROWS[row]
    made = plan(case.old, case.new, case.there, case.entry)
    assert made.outcome == case.outcome
    assert content(made.put.item if made.put is not None else None) == case.written
    assert made.entry is not None
    assert made.entry.track(place()).done == RECORD
    assert made.entry.held_since == case.held_since
    assert made.entry.keys == tuple(place(month).text for month, item in case.there.items() if "id" in item)


@pytest.mark.parametrize("outcome", ["applied", "carried_back"])
def test_each_write_on_old_has_the_next_count(outcome: str) -> None:
    new = by_application(B) if outcome == "applied" else by_forward(B, 41, 2)
    made = plan(by_forward(A), new, {MARCH: new}, WRITTEN)
    assert made.put is not None
    assert made.entry is not None
    stamp = decode_stamp(made.put.item, "_sync")
    assert stamp is not None
    assert (stamp.version, made.entry.put) == (count(4), count(4))


def test_what_is_not_written_does_not_count() -> None:
    made = plan(by_forward(A), by_forward(B, 41, 3), {MARCH: by_forward(B, 41, 3)}, WRITTEN)
    assert made.entry is not None
    assert made.entry.put == count(3)


def test_a_record_that_the_ledger_has_changes_nothing() -> None:
    entry = ENTRY.tracking(place(), Track(done=RECORD))
    made = plan(None, by_application(A), {MARCH: by_application(A)}, entry)
    assert (made.outcome, made.entry, made.put) == ("duplicate", None, None)
    assert passed(crm(), place(), change(None, by_application(A)), RECORD, entry) is None


def test_another_place_has_its_own_records() -> None:
    entry = ENTRY.tracking(place(MAY), Track(done=RECORD, seen=version(90)))
    assert plan(None, by_forward(A), {MARCH: by_forward(A)}, entry).outcome == "own"


DAMAGED = {**by_application(A), "_sync": {"S": "mine"}}
ELSEWHERE = {**by_application(lead(MAY)), **place().key}
OTHER_LEAD = {**by_application(A), "id": {"S": "8"}}

BAD: dict[str, tuple[Item, str, str]] = {
    "a damaged stamp": (DAMAGED, "damaged_stamp", "not a tablesplit stamp"),
    "fields that lead to another key": (ELSEWHERE, "v2_key_mismatch", "lead to another key"),
    "fields that name another old item": (OTHER_LEAD, "v2_key_mismatch", "lead to another key"),
}
"""The v2 item, the reason, and the message."""


@pytest.mark.parametrize("row", BAD)
def test_what_has_no_old_item_is_poison_and_its_record_is_recorded_as_done(row: str) -> None:
    bad, reason, message = BAD[row]
    with pytest.raises(Poison, match=message) as caught:
        plan(by_forward(A), bad, {MARCH: bad}, ENTRY)
    assert caught.value.reason == reason
    noted = passed(crm(), place(), change(by_forward(A), bad), RECORD, ENTRY)
    assert noted is not None
    assert (noted.track(place()).done, noted.put) == (RECORD, ENTRY.put)


KEYS_TOLD: dict[str, tuple[Item | None, Item | None]] = {
    "a creation": (None, by_application(A)),
    "a deletion": (by_forward(A), None),
    "an update": (by_forward(A), by_application(B)),
    "the place of a tombstone": (tombstone(), by_application(A)),
    "an item made a tombstone": (by_forward(A), tombstone()),
    "an item without a stamp": (by_application(A), None),
    "an item whose new image leads to another key": (by_forward(A), ELSEWHERE),
    "an item whose new image is damaged": (by_forward(A), DAMAGED),
    "an item whose new image names another": (by_forward(A), OTHER_LEAD),
}


@pytest.mark.parametrize("row", KEYS_TOLD)
def test_the_old_key_is_that_of_the_image_whose_fields_lead_to_the_place(row: str) -> None:
    old, new = KEYS_TOLD[row]
    assert old_key_of(crm(), place(), change(old, new)) == KEY


def test_a_record_without_an_image_that_shows_an_old_item_is_poison() -> None:
    with pytest.raises(Poison):
        old_key_of(crm(), place(), change(None, {**place().key, "x": {"S": "y"}}))


NOTHING: dict[str, tuple[Item | None, Item | None, bool]] = {
    "a tombstone is purged": (tombstone(), None, True),
    "a tombstone comes": (None, tombstone(), True),
    "a tombstone after another": (tombstone(), tombstone(41), True),
    "an item is deleted": (by_forward(A), None, False),
    "an item becomes a tombstone": (by_forward(A), tombstone(), False),
    "a tombstone is revived": (tombstone(), {**tombstone(), "id": {"S": "7"}}, False),
}


@pytest.mark.parametrize("row", NOTHING)
def test_a_record_of_tombstones_shows_no_item(row: str) -> None:
    old, new, nothing = NOTHING[row]
    assert shows_no_item(crm(), place(), change(old, new)) == nothing


def test_the_places_are_the_records_the_ledgers_and_the_old_items() -> None:
    entry = replace(ENTRY, keys=(place(MAY).text,))
    july = lead("2024-07")
    assert reverse_places(crm(), place(), entry, july) == [place(), place(MAY), place("2024-07")]
    assert reverse_places(crm(), place(), entry, None) == [place(), place(MAY)]
    unmappable = {name: value for name, value in july.items() if name != "entity_type"}
    assert reverse_places(crm(), place(), ENTRY, unmappable) == [place()]
