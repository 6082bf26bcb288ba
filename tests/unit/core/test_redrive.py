"""A re-drive of a v2 item, and an operator's resolution: writes on v2 that make reverse carry the item to the old table."""

from dataclasses import replace

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.authorship import authorship_on_v2
from service.core.rules.images import old_form
from service.core.rules.ledger import Entry, ForwardHalf, ReverseHalf, Track, new_entry
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.redrive import Redrive, redrive, resolution_places, resolution_writes, units_waiting
from service.core.rules.units import differing, old_units
from service.errors import Poison
from tests.builders.dual_lead import (
    EPOCH,
    JULY,
    KEY,
    MAPPING,
    MARCH,
    MAY,
    by_application,
    by_forward,
    count,
    form_of,
    lead,
    place,
    reading,
    stamped_v2,
    tombstone,
    version,
)
from tests.builders.reverse_cases import gives, plan, record
from tests.fakes.memory import MemoryDynamoDB

A, B = lead(status="a", company="x"), lead(status="b", company="x")
ENTRY = new_entry(KEY, EPOCH)
KNOWN = Entry(
    KEY,
    EPOCH,
    ForwardHalf(seen=count(4), done=version(60)),
    ReverseHalf(count(7), whole=count(7), tracks={place().text: Track(version(90), version(61))}),
)


def written(made: Redrive, item: Item) -> Item:
    """The v2 item after a re-drive."""
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    memory.apply(Put("leads", item))
    assert memory.apply(made.write)
    then = memory.item("leads", place().key)
    assert then is not None
    return then


def stamp_of(item: Item, month: str = MARCH) -> Stamp:
    stamp = own_stamp(item, place(month).key, "_sync")
    assert stamp is not None
    return stamp


def test_a_redrive_changes_the_stamp_alone_and_names_what_differs() -> None:
    item = by_application(B, mine="kept")
    made = redrive(MAPPING, reading(item), ENTRY, A)
    then = written(made, item)
    assert {**then, "_sync": None} == {**item, "_sync": None}
    assert stamp_of(then).restore == {"mine", "status"}
    assert made.old == {**B, "mine": {"S": "kept"}} | {
        name: made.old[name] for name in made.old.keys() - B.keys() - {"mine"}
    }


def test_where_nothing_differs_every_unit_is_named() -> None:
    """An operator asks for it all the same: old gets a record."""
    item = by_application(A)
    assert stamp_of(written(redrive(MAPPING, reading(item), ENTRY, A), item)).restore >= {
        "status",
        "amount",
        "currency",
    }


def test_of_what_waits_in_quarantine_only_those_units_are_given_back() -> None:
    """The others old may have written since, and forward has yet to read them."""
    item = by_application(lead(status="b", company="y"))
    made = redrive(MAPPING, reading(item), ENTRY, A, ("status", "amount"))
    assert made.units == {"status"}
    assert stamp_of(written(made, item)).restore == {"status"}


def test_the_units_that_wait_are_those_named_or_those_changed_since() -> None:
    now = reading(by_application(lead(status="b", company="x")))

    def waiting(before: Item | None, *names: str) -> tuple[str, ...] | None:
        changes = [Change("leads", "s", "1", place().key, before, None)]
        return units_waiting(MAPPING, now, names, changes)

    assert waiting(by_application(A), "created_at") == ("created_at",)
    assert waiting(by_application(A)) == ("status",)
    assert waiting(tombstone()) is waiting(None) is waiting({**place().key, "x": {"S": "no lead"}}) is None
    assert units_waiting(MAPPING, now, (), []) is None


def test_a_redrive_keeps_the_residue() -> None:
    dirty = lead(followers="1,054")
    item = by_forward(dirty, status="v2")
    then = written(redrive(MAPPING, reading(item), ENTRY, dirty), item)
    assert old_form(MAPPING, place(), then)["followers"] == {"S": "1,054"}


@pytest.mark.parametrize("entry", [ENTRY, KNOWN], ids=["nothing known", "much known"])
@pytest.mark.parametrize("on_old", [None, A, lead(status="old side")])
def test_reverse_carries_it_whatever_it_has_put_before(entry: Entry, on_old: Item | None) -> None:
    """Its base is above all counts: reverse's own earlier puts must not hold units back."""
    item = by_application(B)
    then = written(redrive(MAPPING, reading(item), entry, on_old), item)
    seen = entry.reverse.track(place()).seen
    author = authorship_on_v2(Change("leads", "s", "99", place().key, item, then), "_sync", seen, EPOCH)
    assert author.ours
    made = plan(record(item, then, ours=True), then, on_old, entry.reverse)
    assert gives(made, B)


def test_a_second_redrive_is_above_the_first() -> None:
    item = by_application(B)
    first = written(redrive(MAPPING, reading(item), KNOWN, A), item)
    second = written(redrive(MAPPING, reading(first), KNOWN, A), first)
    assert version(60) < stamp_of(first).version < stamp_of(second).version < version(62)


def test_a_redrive_is_refused_where_the_item_has_changed_since() -> None:
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    memory.apply(Put("leads", by_application(A)))
    assert not memory.apply(redrive(MAPPING, reading(by_application(B)), ENTRY, A).write)


def test_what_reverse_could_not_carry_is_poison() -> None:
    with pytest.raises(Poison, match="another key"):
        redrive(MAPPING, reading(by_application(lead(), created_at=f"{MAY}-05")), ENTRY, A)


def test_a_damaged_stamp_is_replaced() -> None:
    """It keeps reverse from carrying the item, and shows nothing of it."""
    item = {**by_application(B), "_sync": {"S": "mine"}}
    made = redrive(MAPPING, reading(item), ENTRY, A)
    assert stamp_of(written(made, item)).restore == {"status"}
    assert not differing(old_units(MAPPING, made.old), old_units(MAPPING, B))


def resolved(old: Item | None, march: Item | None, may: Item | None = None) -> dict[str, Item | None]:
    """The items by month, tombstones included, after v2 was made to represent ``old``."""
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    items = {MARCH: march, MAY: may}
    for item in items.values():
        if item is not None:
            memory.apply(Put("leads", item))
    for write in resolution_writes(MAPPING, old, [PlaceReading(place(month), item) for month, item in items.items()]):
        assert memory.apply(write)
    return {month: memory.item("leads", place(month).key) for month in items}


def test_a_resolution_keeps_what_is_v2s_own_and_reverse_takes_it_for_the_applications() -> None:
    """Its stamp has no base, as forward's writes never have under this rule."""
    before = by_forward(A, mine="kept", GSI2PK="mine")
    then = resolved({**B, "mine": {"S": "kept"}}, before)[MARCH]
    assert then is not None
    assert (then["status"], then["mine"], then["GSI2PK"]) == ({"S": "b"}, {"S": "kept"}, {"S": "mine"})
    assert not authorship_on_v2(Change("leads", "s", "99", place().key, before, then), "_sync", "", EPOCH).ours


def test_a_resolution_of_a_deleted_item_puts_it_anew() -> None:
    then = resolved(A, tombstone())[MARCH]
    assert then is not None
    assert not differing(form_of(then), old_units(MAPPING, A))
    assert not stamp_of(then).tombstone


def test_a_resolution_leaves_one_place() -> None:
    then = resolved(lead(MAY), by_application(A), by_application(lead(MAY, status="v2")))
    march, may = then[MARCH], then[MAY]
    assert march is not None
    assert may is not None
    assert (stamp_of(march).tombstone, stamp_of(march).base) == (True, None)
    assert not differing(form_of(may, MAY), old_units(MAPPING, lead(MAY)))


def test_a_resolution_by_deleting_leaves_tombstones() -> None:
    then = resolved(None, by_application(A), None)
    assert then[MAY] is None
    assert then[MARCH] is not None
    assert stamp_of(then[MARCH] or {}).tombstone


def test_where_v2_represents_it_already_nothing_is_written() -> None:
    dirty = lead(followers="85")
    assert resolution_writes(MAPPING, dirty, [reading(by_application(lead(followers=85)))]) == ()
    assert resolution_writes(MAPPING, None, [reading(tombstone())]) == ()


def test_a_resolution_is_refused_where_the_item_has_changed_since() -> None:
    (write,) = resolution_writes(MAPPING, B, [reading(by_application(A))])
    assert isinstance(write, Update)
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    memory.apply(Put("leads", by_application(lead(status="c", company="x"))))
    assert not memory.apply(write)


def test_a_resolution_of_what_cannot_be_mapped_is_poison() -> None:
    with pytest.raises(Poison):
        resolution_writes(MAPPING, {**A, "entity_type": {"S": "GHOST"}}, [])


def test_the_places_of_a_resolution() -> None:
    entry = replace(ENTRY, forward=ForwardHalf(seen=count(0), places=(place(JULY).text,)))
    assert resolution_places(MAPPING, [place(), place()], entry, lead(MAY)) == [place(), place(JULY), place(MAY)]
    assert resolution_places(MAPPING, [place()], entry, None) == [place(), place(JULY)]


def test_an_item_stamped_for_the_other_key_is_put_with_its_own() -> None:
    copied = {**by_application(A), "_sync": stamped_v2(Stamp(version(1), base=count(0)), {}, MAY)["_sync"]}
    assert stamp_of(resolved(B, copied)[MARCH] or {}).version
