"""Table R2: what reverse makes of forward's records: crossed units, restores, moves and tombstones; and of items that were held."""

from dataclasses import dataclass, replace

import pytest

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.ledger import ReverseHalf
from service.errors import Poison
from tests.builders.dual_lead import (
    MAY,
    by_application,
    by_forward,
    count,
    lead,
    reading,
    stamped_v2,
    tombstone,
    version,
)
from tests.builders.reverse_cases import NOTHING_PUT, gives, plan, put, record

A, B = lead(status="a", company="x"), lead(status="b", company="x")
WHOLE = ReverseHalf(count(3), whole=count(3), last=count(3))
"""Reverse has put the whole item, with count 3."""


BURIED_2, BURIED_3 = tombstone(41, base=2), tombstone(41, base=3)


@dataclass(frozen=True, slots=True)
class Row:
    """Forward's record, v2 now, the old item, what reverse has put; the old item then (None: nothing is written)."""

    old: Item | None
    new: Item | None
    now: Item | None
    on_old: Item | None
    half: ReverseHalf
    then: Item | None
    units: tuple[str, ...] | None = ()


ROWS = {
    # update; base 2
    "an update, and reverse has put nothing": Row(by_forward(A), by_forward(B, 41, 2), by_forward(B, 41, 2), A, NOTHING_PUT, None),
    "an update that had seen all": Row(by_forward(A), by_forward(B, 41, 3), by_forward(B, 41, 3), A, put(status=3), None),
    "an update of a field that reverse has put since": Row(
        by_forward(A), by_forward(B, 41, 2), by_forward(B, 41, 2), A, put(status=3), B, ("status",)
    ),
    "an update of another field than reverse has put since": Row(
        by_forward(A), by_forward(B, 41, 2), by_forward(B, 41, 2), lead(status="old side", company="y"), put(company=3), None
    ),
    "an update of two fields, one of which reverse has put since": Row(
        by_forward(A),
        by_forward(lead(status="b", company="y"), 41, 2),
        by_forward(lead(status="b", company="y"), 41, 2),
        lead(status="old side", company="z"),
        put(company=3, status=1),
        lead(status="old side", company="y"),
        ("company",),
    ),
    "a crossed field that v2 has written since": Row(
        by_forward(A), by_forward(B, 41, 2), by_forward(lead(status="c", company="x"), 42), A, put(status=3), None
    ),
    "a crossed field of an item that v2 has deleted since": Row(by_forward(A), by_forward(B, 41, 2), None, A, put(status=3), None),
    "a crossed field of an item that old has deleted": Row(
        by_forward(A), by_forward(B, 41, 2), by_forward(B, 41, 2), None, put(status=3), None
    ),
    "an update after reverse has put the whole item": Row(
        by_forward(A), by_forward(B, 41, 2), by_forward(B, 41, 2), A, WHOLE, B, ("status",)
    ),
    # create
    "a create that had seen all": Row(None, by_forward(A, 41, 3), by_forward(A, 41, 3), None, WHOLE, None),
    "a create, and reverse has deleted the item since": Row(None, by_forward(A, 41, 2), by_forward(A, 41, 2), None, WHOLE, A, None),
    "a create, and reverse has put a field since": Row(
        None, by_forward(A, 41, 2), by_forward(A, 41, 2), B, put(status=3), A, ("status", "visits")
    ),
    "a create of what v2 has deleted since": Row(None, by_forward(A, 41, 2), None, A, WHOLE, None),
    # delete
    "a delete that had seen all": Row(by_forward(A), BURIED_3, BURIED_3, A, WHOLE, None),
    "a delete, and reverse has put a field since": Row(by_forward(A), BURIED_2, BURIED_2, A, put(status=3), {}, None),
    "a delete of what v2 has created again": Row(by_forward(A), BURIED_2, by_application(B), A, put(status=3), None),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_plan_for_a_record_of_forwards(row: str) -> None:
    case = ROWS[row]
    change = record(case.old, case.new, ours=True)
    if change.stamp is None:  # a delete: its record has the tombstone's stamp
        assert case.new is not None
        change = replace(change, stamp=record(None, {**by_forward(A), "_sync": case.new["_sync"]}, ours=True).stamp)
    made = plan(change, case.now, case.on_old, case.half)
    assert made.outcome == ("own" if case.then is None else "carried_back")
    if case.then is None or case.then == {}:
        assert made.content == case.then
    else:
        assert gives(made, case.then)
        assert made.units == case.units


def test_a_crossed_group_is_brought_back_whole_when_one_of_its_fields_was_put() -> None:
    """Also when the fields have become a group since."""
    new = by_forward(lead(amount=2, currency="USD"), 41, 2)
    made = plan(
        record(by_forward(lead(amount=1, currency="EUR")), new, ours=True), new, lead(amount=3), put(currency=3)
    )
    assert gives(made, lead(amount=2, currency="USD"))


def counted(visits: int, base: int = 2) -> Item:
    return by_forward(lead(visits=visits), 41, base)


def test_a_counter_is_brought_back_by_its_difference_only_after_a_put_by_value() -> None:
    """Reverse's own differences do not cross forward's: both are sums. A value that it has put since takes forward's away."""
    change = record(by_forward(lead(visits=5)), counted(6), ours=True)
    by_difference = ReverseHalf(count(3), last=count(3))
    assert plan(change, counted(6), lead(visits=9), by_difference).content is None
    made = plan(change, counted(6), lead(visits=9), put(visits=3))
    assert made.content is not None
    assert made.content["visits"] == {"N": "10"}
    assert made.added == ("visits",)


def test_a_create_is_brought_back_when_reverse_has_put_but_a_difference_since() -> None:
    change = record(None, counted(6), ours=True)
    made = plan(change, counted(6), lead(visits=9), ReverseHalf(count(3), last=count(3)))
    assert made.content is not None
    assert (made.content["visits"], made.added) == ({"N": "6"}, ())


def restore(old: Item, *units: str, base: int = 2) -> Item:
    """The v2 item of ``old`` after forward has refused its delete."""
    return {**stamped_v2(Stamp(version(41), base=count(base), restore=frozenset(units)), by_application(old))}


RESTORES: dict[str, tuple[tuple[str, ...], Item | None, Item | None, ReverseHalf, Item | None]] = {
    "old has no item": (("status",), restore(B, "status"), None, NOTHING_PUT, B),
    "old has no item, and reverse has put it whole since the delete": (
        ("status",),
        restore(B, "status"),
        None,
        WHOLE,
        None,
    ),
    "old has created it again": (("status",), restore(B, "status"), A, NOTHING_PUT, B),
    "old has created it again otherwise": (
        ("status",),
        restore(B, "status"),
        lead(status="c", company="old side"),
        NOTHING_PUT,
        lead(status="b", company="old side"),
    ),
    "reverse has put the field since the delete": (("status",), restore(B, "status"), A, put(status=3), None),
    "reverse has put one of two fields since": (
        ("company", "status"),
        restore(lead(status="b", company="y"), "company", "status"),
        A,
        put(status=3),
        lead(status="a", company="y"),
    ),
    "v2 has written the field since": (
        ("status",),
        by_application(lead(status="c", company="x")),
        A,
        NOTHING_PUT,
        None,
    ),
    "v2 has deleted it since": (("status",), None, A, NOTHING_PUT, None),
}
"""The units, v2 now, the old item, what reverse has put; the old item then."""


@pytest.mark.parametrize("row", RESTORES)
def test_a_refused_delete_gives_old_back_what_v2_has_written(row: str) -> None:
    units, now, on_old, half, then = RESTORES[row]
    written = lead(status="b", company="y") if "company" in units else B
    change = record(by_forward(written), restore(written, *units), ours=True)
    made = plan(change, now, on_old, half)
    assert made.outcome == ("own" if then is None else "carried_back")
    assert made.content is None if then is None else gives(made, then)
    assert (made.units is None) == (then is not None and on_old is None)


def test_a_restore_gives_a_group_back_by_the_name_of_a_field() -> None:
    item = restore(lead(amount=2, currency="USD"), "amount")
    made = plan(record(item, item, ours=True), item, lead(amount=1, currency="EUR"))
    assert gives(made, lead(amount=2, currency="USD"))


def test_a_restore_removes_what_v2_does_not_have() -> None:
    item = restore(A, "note")
    assert gives(plan(record(item, item, ours=True), item, {**A, "note": {"S": "old side"}}), A)


def test_a_restore_sets_a_counter_by_value_whatever_reverse_has_put() -> None:
    """The delete has made an end of the differences on old; v2 has kept them."""
    item = restore(lead(visits=6), "visits")
    made = plan(record(item, item, ours=True), item, lead(visits=1), put(visits=3))
    assert made.content is not None
    assert (made.content["visits"], made.units, made.added) == ({"N": "6"}, ("visits",), ())


def test_a_restore_of_an_item_that_lives_elsewhere_by_now_gives_its_units_there() -> None:
    item = restore(B, "status")
    moved = reading(by_application(lead(MAY, status="c", company="x")), MAY)
    made = plan(record(item, item, ours=True), None, A, elsewhere=(moved,))
    assert gives(made, {**A, "status": {"S": "c"}})


def test_a_restore_of_an_item_that_lives_elsewhere_by_now_puts_it_whole_where_old_has_none() -> None:
    item = restore(B, "status")
    elsewhere = (reading(by_application(lead(MAY, status="c")), MAY),)
    change = record(item, item, ours=True)
    assert gives(plan(change, None, None, elsewhere=elsewhere), lead(MAY, status="c"))
    assert plan(change, None, None, put(status=3), elsewhere).outcome == "own", "old has deleted what reverse had put"


def test_a_restore_of_a_unit_that_leads_to_another_key_waits() -> None:
    """v2's application has led the item to another key; old deletes it; v2 keeps it. Passed as ours, it would never reach old."""
    item = {**restore(A, "created_at", "status"), "created_at": {"S": f"{MAY}-05"}, "status": {"S": "b"}}
    change = record(item, item, ours=True)
    made = plan(change, item, A)
    assert made.waiting == ("created_at",)
    assert gives(made, B)
    with pytest.raises(Poison):
        plan(change, item, None)
