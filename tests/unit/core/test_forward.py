"""What forward writes on v2 for a change of the old table under the ledger rule, by what v2 holds."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp, backfill_version, decode_stamp, encode_stamp, stamped, stream_version
from service.core.item.wire import Item
from service.core.item.write import Check, Delete, Put, Update
from service.core.mapping.transform import forward, v2_place
from service.core.rules.forward import ForwardPlan, forward_plan, known_places
from service.core.rules.ledger import Entry, Place, count_version, new_entry
from service.core.rules.ledger_writes import MAX_NAMES, PlaceReading, replacement, tombstone_update, unchanged
from service.errors import Poison
from tests.builders.mappings import crm
from tests.fakes.memory import MemoryDynamoDB

TABLE = "CRM-Leads-v2"
KEY: Item = {"pk": {"S": "LEAD#7"}, "sk": {"S": "METADATA"}}
EPOCH = 1
VERSION = stream_version(1, "50")
EARLIER = stream_version(1, "40")
LATER = stream_version(1, "60")
BASE = count_version(EPOCH, 0)
NOW = 99.0
MARCH, MAY = "2024-03", "2024-05"


def lead(month: str = MARCH, **more: str) -> Item:
    texts = {"entity_type": "LEAD", "id": "7", "created_at": f"{month}-05", **more}
    return {**KEY, **{name: {"S": text} for name, text in texts.items()}}


def place(month: str = MARCH) -> Place:
    return Place(*v2_place(crm(), lead(month)))


def v2(old: Item, version: str = EARLIER, base: str | None = BASE) -> Item:
    return stamped(forward(crm(), old), version, "_sync", base=base)


def tombstone(month: str = MARCH, version: str = EARLIER, base: str | None = BASE) -> Item:
    return {**place(month).key, "_sync": encode_stamp(Stamp(version, base=base, tombstone=True))}


def count(number: int) -> Item:
    return {"_sync": encode_stamp(Stamp(count_version(EPOCH, number)))}


def change(old: Item | None, new: Item | None) -> Change:
    return Change("crm", "shard-1", "50", KEY, old, new)


def plan(old: Item | None, new: Item | None, there: dict[str, Item], entry: Entry | None = None) -> ForwardPlan:
    """The plan for a change, given the v2 items by month."""
    known = entry or new_entry(KEY, EPOCH)
    places = known_places(crm(), change(old, new), known)
    items = {place(month).text: item for month, item in there.items()}
    readings = [PlaceReading(place, items.get(place.text)) for place in places]
    return forward_plan(crm(), change(old, new), VERSION, known, readings, NOW)


def outline(made: ForwardPlan) -> list[tuple[str, str]]:
    """The kind and the month of each write."""
    kinds = []
    for write in made.writes:
        key = write.item if isinstance(write, Put) else write.key
        stamp = decode_stamp(write.set, "_sync") if isinstance(write, Update) else None
        kind = "bury" if stamp is not None and stamp.tombstone else type(write).__name__.lower()
        kinds.append((kind, key["SK"]["S"][:7]))
    return kinds


@dataclass(frozen=True, slots=True)
class Row:
    """Old image, new image, the v2 items by month; the outcome, the writes, the dispute, and the live months."""

    old: Item | None
    new: Item | None
    there: dict[str, Item]
    outcome: str
    writes: list[tuple[str, str]]
    live: tuple[str, ...] = ()
    dispute: tuple[str, tuple[str, ...]] | None = None


A, B, C = lead(name="a"), lead(name="b"), lead(name="c")
CHECK, UPDATE, PUT, BURY = ("check", MARCH), ("update", MARCH), ("put", MARCH), ("bury", MARCH)
BOTH = {MARCH: v2(A), MAY: v2(lead(MAY))}

ROWS = {
    "v2 holds the old image": Row(A, B, {MARCH: v2(A)}, "applied", [UPDATE], (MARCH,)),
    "a creation": Row(None, A, {}, "applied", [PUT], (MARCH,)),
    "a creation over a tombstone": Row(None, A, {MARCH: tombstone()}, "applied", [UPDATE], (MARCH,)),
    "a deletion": Row(A, None, {MARCH: v2(A)}, "applied", [BURY]),
    "a move": Row(A, lead(MAY, name="a"), {MARCH: v2(A)}, "applied", [("put", MAY), BURY], (MAY,)),
    "a move that v2 has made already": Row(
        A, lead(MAY, name="a"), {MAY: v2(lead(MAY, name="a"))}, "duplicate", [CHECK, ("check", MAY)], (MAY,)
    ),
    "v2 holds it already": Row(A, B, {MARCH: v2(B)}, "duplicate", [CHECK], (MARCH,)),
    "both deleted it": Row(A, None, {}, "duplicate", [CHECK]),
    "both changed different fields": Row(A, B, {MARCH: v2({**A, **lead(status="won")})}, "merged", [UPDATE], (MARCH,)),
    "both made the same change, and v2 another": Row(
        A, B, {MARCH: v2({**B, **lead(name="b", status="won")})}, "duplicate", [CHECK], (MARCH,)
    ),
    "both changed one field": Row(A, B, {MARCH: v2(C)}, "conflict", [CHECK], (MARCH,), ("overlap", ("name",))),
    "both created it": Row(None, A, {MARCH: v2(B)}, "conflict", [CHECK], (MARCH,), ("overlap", ())),
    "old deletes what v2 has changed": Row(A, None, {MARCH: v2(B)}, "conflict", [CHECK], (MARCH,), ("deleted", ())),
    "old changes what v2 has deleted": Row(A, B, {}, "conflict", [CHECK], (), ("deleted", ())),
    "two live places": Row(
        A, lead(MAY), BOTH, "conflict", [CHECK, ("check", MAY)], (MARCH, MAY), ("two_live_keys", ())
    ),
    "v2 holds a damaged item": Row(
        A,
        B,
        {MARCH: {**place().key, "name": {"S": "a"}}},
        "conflict",
        [CHECK],
        (MARCH,),
        ("unreadable", ()),
    ),
    "a v2 item without the stamp": Row(A, B, {MARCH: forward(crm(), A).item}, "merged", [UPDATE], (MARCH,)),
    "a tombstone that the application has revived": Row(
        A, B, {MARCH: {**forward(crm(), A).item, **tombstone()}}, "merged", [UPDATE], (MARCH,)
    ),
    "covered by the guarded rule": Row(A, B, {MARCH: v2(B, VERSION, None)}, "duplicate", [CHECK], (MARCH,)),
    "covered, and v2 has changed it since": Row(A, B, {MARCH: v2(C, LATER, None)}, "duplicate", [CHECK], (MARCH,)),
    "covered by a tombstone": Row(A, None, {MARCH: tombstone(version=VERSION, base=None)}, "duplicate", [CHECK]),
    "a half-done guarded move": Row(
        A,
        lead(MAY, name="a"),
        {MARCH: v2(A, EARLIER, None), MAY: v2(lead(MAY, name="a"), VERSION, None)},
        "applied",
        [BURY, ("check", MAY)],
        (MAY,),
    ),
    "not covered by what this rule wrote": Row(A, B, {MARCH: v2(A, LATER)}, "applied", [UPDATE], (MARCH,)),
    "the stamp on old comes off both images": Row(
        {**A, **count(1)}, {**B, **count(1)}, {MARCH: v2(A)}, "applied", [UPDATE], (MARCH,)
    ),
    "an update of a tombstone on old": Row(
        {**KEY, "_sync": encode_stamp(Stamp(count_version(EPOCH, 1), tombstone=True))},
        {**A, "_sync": encode_stamp(Stamp(count_version(EPOCH, 1), tombstone=True))},
        {},
        "applied",
        [PUT],
        (MARCH,),
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_plan_for_a_change(row: str) -> None:
    case = ROWS[row]
    made = plan(case.old, case.new, case.there)
    assert made.outcome == case.outcome
    assert outline(made) == case.writes
    assert made.entry is not None
    assert set(made.entry.keys) == {place(month).text for month in case.live}
    assert (made.conflict and (made.conflict.reason, made.conflict.fields)) == case.dispute


def test_a_record_that_the_ledger_has_changes_nothing() -> None:
    made = plan(A, B, {MARCH: v2(A)}, replace(new_entry(KEY, EPOCH), done=VERSION))
    assert (made.outcome, made.entry, made.writes) == ("duplicate", None, ())


def test_what_reverse_wrote_is_recorded_and_not_carried() -> None:
    made = plan(A, {**B, **count(1)}, {MARCH: v2(A)})
    assert (made.outcome, made.writes) == ("own", ())
    assert made.entry == replace(new_entry(KEY, EPOCH), done=VERSION, seen=count_version(EPOCH, 1))


def test_what_is_written_has_its_version_and_the_count_seen() -> None:
    seen = count_version(EPOCH, 3)
    made = plan(A, B, {MARCH: v2(A)}, replace(new_entry(KEY, EPOCH), seen=seen))
    (update,) = made.writes
    assert isinstance(update, Update)
    stamp = decode_stamp(update.set, "_sync")
    assert stamp is not None
    assert (stamp.version, stamp.base) == (VERSION, seen)


def test_two_live_places_are_held_from_the_first_time_on() -> None:
    first = plan(A, lead(MAY), BOTH)
    again = plan(A, lead(MAY), BOTH, replace(new_entry(KEY, EPOCH), held_since=5.0))
    assert [made.entry.held_since for made in (first, again) if made.entry] == [NOW, 5.0]


def test_a_place_that_only_the_ledger_knows_is_read() -> None:
    entry = replace(new_entry(KEY, EPOCH), keys=(place(MAY).text,))
    made = plan(A, B, {MAY: v2(lead(MAY, name="a"))}, entry)
    assert (made.outcome, made.tombstoned) == ("merged", ()), "v2 has moved it, old has changed its name"
    assert ("update", MAY) in outline(made)


def test_a_place_that_was_not_read_is_reported() -> None:
    """A merge can lead to a place that no image has."""
    made = forward_plan(crm(), change(None, A), VERSION, new_entry(KEY, EPOCH), [], NOW)
    assert (made.outcome, made.entry, made.missing) == ("unread", None, place())


@pytest.mark.parametrize("broken", ["id", "entity_type"])
def test_a_change_that_cannot_be_mapped_is_poison_only_where_it_is_to_be_written(broken: str) -> None:
    bad = {name: value for name, value in B.items() if name != broken}
    with pytest.raises(Poison):
        plan(A, bad, {MARCH: v2(A)})
    assert plan(bad, None, {}).outcome == "duplicate"


def test_an_item_of_too_many_attributes_is_poison() -> None:
    many = {**v2(A), **{f"x{number}": {"N": "1"} for number in range(MAX_NAMES)}}
    with pytest.raises(Poison, match="120") as caught:
        plan(lead(name="other"), None, {MARCH: many})
    assert caught.value.reason == "too_many_attributes"


def with_v2(item: Item) -> MemoryDynamoDB:
    """A v2 table that holds ``item``."""
    memory = MemoryDynamoDB()
    memory.create_table(TABLE, ("PK", "SK"))
    memory.apply(Put(TABLE, item))
    return memory


def test_an_attribute_that_the_application_adds_meanwhile_survives() -> None:
    memory = with_v2(v2(A))
    (update,) = plan(A, B, {MARCH: v2(A)}).writes
    memory.apply(Update(TABLE, place().key, {"nobody_knows": {"S": "it"}}))
    assert memory.apply(update)
    item = memory.item(TABLE, place().key)
    assert item is not None
    assert (item["name"], item["nobody_knows"]) == ({"S": "b"}, {"S": "it"})


def test_an_attribute_that_old_has_lost_is_removed() -> None:
    before = lead(name="a", website="w")
    memory = with_v2(v2(before))
    (update,) = plan(before, A, {MARCH: v2(before)}).writes
    assert memory.apply(update)
    item = memory.item(TABLE, place().key)
    assert item is not None
    assert item == v2(A, VERSION)


MEANWHILE: dict[str, Item] = {
    "changes a mapped attribute": {"name": {"S": "mine"}},
    "adds a mapped attribute": {"website": {"S": "w"}},
    "changes the stamp": {"_sync": encode_stamp(Stamp(backfill_version(0)))},
    "changes an unmapped attribute": {"note": {"S": "other"}},
}

WRITES: dict[str, Callable[[PlaceReading], Update | Put | Check]] = {
    "an update": lambda reading: replacement(crm(), reading, forward(crm(), B), VERSION, BASE),
    "a tombstone": lambda reading: tombstone_update(crm(), reading, VERSION, BASE),
    "a check": lambda reading: unchanged(crm(), reading),
}


@pytest.mark.parametrize("edit", MEANWHILE)
@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_when_the_application_meanwhile(edit: str, write: str) -> None:
    memory = with_v2({**v2(A), "note": {"S": "read"}})
    made = WRITES[write](PlaceReading(place(), memory.item(TABLE, place().key)))
    memory.apply(Update(TABLE, place().key, MEANWHILE[edit]))
    assert not memory.apply(made)


@pytest.mark.parametrize("write", WRITES)
def test_nothing_is_written_where_an_item_has_appeared_or_gone(write: str) -> None:
    memory = with_v2(v2(A))
    gone = WRITES[write](PlaceReading(place(), v2(A)))
    memory.apply(Delete(TABLE, place().key))
    assert not memory.apply(gone)
    if write != "a tombstone":  # none is written where nothing was read
        come = WRITES[write](PlaceReading(place(), None))
        memory.apply(Put(TABLE, v2(A)))
        assert not memory.apply(come)
