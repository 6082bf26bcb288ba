"""Table R1: what reverse writes on the old table for a record of v2's application. Forward's records: `test_reverse_of_ours.py`."""

from dataclasses import dataclass, replace

import pytest

from service.core.item.wire import Item
from tests.builders.dual_lead import (
    MAY,
    PRICE,
    by_application,
    by_forward,
    element,
    lead,
    place,
    reading,
    tombstone,
)
from tests.builders.reverse_cases import gives, live_image, plan, record

A, B = lead(status="a", company="x"), lead(status="b", company="x")


@dataclass(frozen=True, slots=True)
class Row:
    """The record's images, v2 now, the old item; the outcome, the old item then (None: nothing is written, ``{}``: a tombstone),
    and the units that are written (None: the whole item)."""

    old: Item | None
    new: Item | None
    now: Item | None
    on_old: Item | None
    outcome: str
    then: Item | None
    units: tuple[str, ...] | None = ()


ROWS = {
    # update
    "an update": Row(by_forward(A), by_forward(B), by_forward(B), A, "applied", B, ("status",)),
    "an update by a Put without the stamp": Row(
        by_forward(A), by_application(B), by_application(B), A, "applied", B, ("status",)
    ),
    "an update beside a field that old has written": Row(
        by_forward(A),
        by_forward(B),
        by_forward(B),
        lead(status="a", company="old side"),
        "applied",
        lead(status="b", company="old side"),
        ("status",),
    ),
    "an update of a field that old has written too": Row(
        by_forward(A), by_forward(B), by_forward(B), lead(status="c", company="x"), "applied", B, ("status",)
    ),
    "an update of a field that v2 has written again since": Row(
        by_forward(A), by_forward(B), by_forward(lead(status="c", company="x")), A, "duplicate", None
    ),
    "an update beside a field that v2 has written since": Row(
        by_forward(A),
        by_forward(B),
        by_forward(lead(status="b", company="later")),
        A,
        "applied",
        B,
        ("status",),
    ),
    "an update that old has made too": Row(by_forward(A), by_forward(B), by_forward(B), B, "duplicate", None),
    "an update of what v2 has deleted since": Row(by_forward(A), by_forward(B), None, A, "duplicate", None),
    "an update of what v2 has buried since": Row(by_forward(A), by_forward(B), tombstone(), A, "duplicate", None),
    "an update of what old has deleted": Row(by_forward(A), by_forward(B), by_forward(B), None, "duplicate", None),
    "no change of content": Row(by_forward(A), by_application(A), by_application(A), B, "duplicate", None),
    # create
    "a create": Row(None, by_application(A), by_application(A), None, "applied", A, None),
    "a create over a tombstone": Row(tombstone(), by_application(A), by_application(A), None, "applied", A, None),
    "a create of what old has": Row(
        None, by_application(A), by_application(A), B, "applied", A, ("status", "visits")
    ),
    "a create of what old has with more": Row(
        None,
        by_application(A),
        by_application(A),
        lead(status="a", company="x", note="old side"),
        "applied",
        A,
        ("note", "visits"),
    ),
    "a create of what v2 has written since": Row(
        None, by_application(A), by_application(B), lead(company="x"), "applied", lead(company="x"), ("visits",)
    ),
    "a create of what v2 has deleted since": Row(None, by_application(A), None, None, "duplicate", None),
    # delete
    "a delete": Row(by_forward(A), None, None, A, "applied", {}, None),
    "a delete of what old has written": Row(by_forward(A), None, None, B, "applied", {}, None),
    "a delete of what v2 has created again": Row(
        by_forward(A), None, by_application(B), A, "duplicate", None
    ),
    "a delete of what old has deleted": Row(by_forward(A), None, None, None, "duplicate", None),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_plan_for_a_record(row: str) -> None:
    case = ROWS[row]
    made = plan(record(case.old, case.new), case.now, case.on_old)
    assert (made.outcome, made.units) == (case.outcome, case.units)
    if case.then is None or case.then == {}:
        assert made.content == case.then
    else:
        assert gives(made, case.then)
    assert made.places == ((place().text,) if reading(case.now).is_live("_sync") else ())


def test_originals_of_units_that_v2_has_not_changed_stay_on_old() -> None:
    """v2's application puts the item whole, without `_sync`: the former rule normalised all of old's attributes then."""
    dirty = lead(status="a", followers="1,054", phase="x", company={"NULL": True})
    made = plan(
        record(by_forward(dirty), by_application({**dirty, "status": {"S": "b"}})),
        by_application({**dirty, "status": {"S": "b"}}),
        dirty,
    )
    assert made.content == {**dirty, "status": {"S": "b"}}
    assert made.units == ("status",)


def test_what_v2_can_have_only_in_the_residue_stays_on_old_when_the_stamp_is_dropped() -> None:
    own = lead(status="a", PK="old's own")
    dropped = by_application(lead(status="b"))
    made = plan(record(by_forward(own), dropped), dropped, own)
    assert made.content == {**own, "status": {"S": "b"}}
    assert made.units == ("status",)


def test_a_value_goes_under_the_name_that_the_old_application_uses() -> None:
    new = by_forward(lead(phase="won"))
    made = plan(record(by_forward(lead(phase="a")), new), new, lead(phase="a"))
    assert made.content == lead(phase="won")


def test_v2s_own_attribute_goes_to_old() -> None:
    new = by_forward(A, note="v2")
    made = plan(record(by_forward(A), new), new, A)
    assert made.content == {**A, "note": {"S": "v2"}}


def test_a_counter_is_put_by_the_difference_that_the_record_made() -> None:
    """Old has raised it too: neither increment may be lost. What v2 has by now does not matter: later records bring theirs."""
    old, new = by_forward(lead(visits=5)), by_forward(lead(visits=6))
    for now in (new, by_forward(lead(visits=9))):
        made = plan(record(old, new), now, lead(visits=7))
        assert made.content is not None
        assert made.content["visits"] == {"N": "8"}
        assert (made.units, made.added) == ((), ("visits",))


def test_a_counter_that_looks_equal_on_old_is_raised_all_the_same() -> None:
    old, new = by_forward(lead(visits=5)), by_forward(lead(visits=6))
    made = plan(record(old, new), new, lead(visits=6))
    assert made.content is not None
    assert made.content["visits"] == {"N": "7"}


def test_a_create_sets_a_counter_by_value_even_where_old_has_the_value() -> None:
    """The write must have its place among the differences: forward's records before it are told by its count."""
    item = by_application(lead(visits=3))
    made = plan(record(None, item), item, lead(visits=3))
    assert (made.content, made.units, made.added) == (lead(visits=3), ("visits",), ())


def test_a_counter_that_v2_has_removed_is_removed() -> None:
    made = plan(record(by_application(lead(likes=3)), by_application(lead())), by_application(lead()), lead(likes=3))
    assert made.content is not None
    assert "likes" not in made.content
    assert made.units == ("likes",)


def test_elements_go_one_by_one() -> None:
    def tags(*texts: str) -> Item:
        return lead(tags={"L": [{"S": text} for text in texts]})

    old, new = by_forward(tags("a", "b")), by_forward(tags("b", "c"))
    made = plan(record(old, new), new, tags("a", "b", "old side"))
    assert made.content is not None
    assert made.content["tags"] == {"L": [{"S": "b"}, {"S": "old side"}, {"S": "c"}]}
    assert made.units == (element("tags", "a"), element("tags", "c"))


def test_a_group_goes_as_a_whole() -> None:
    old, new = by_forward(lead(amount=1, currency="EUR")), by_forward(lead(amount=1, currency="USD"))
    made = plan(record(old, new), new, lead(amount=9, currency="EUR"))
    assert gives(made, lead(amount=1, currency="USD"))
    assert made.units == tuple(PRICE.split("\1"))


def test_an_odd_value_of_v2_goes_to_old_as_it_is() -> None:
    new = by_forward(A, followers="many")
    made = plan(record(by_forward(A), new), new, A)
    assert made.content is not None
    assert made.content["followers"] == {"S": "many"}


def test_a_copy_with_the_stamp_of_another_key_is_carried_as_the_applications() -> None:
    """The stamp's residue is of the other item, and says nothing about this one."""
    dirty = lead(MAY, followers="1,054")
    copied = {**by_application(A), "_sync": by_forward(dirty)["_sync"]}
    assert gives(plan(record(None, copied), copied, None), A)


def test_an_item_at_two_places_is_held() -> None:
    item = by_application(A)
    made = plan(record(None, item), item, A, elsewhere=(reading(by_application(lead(MAY)), MAY),))
    assert (made.outcome, made.content, made.places) == ("held", None, (place().text, place(MAY).text))


def test_of_several_records_a_unit_that_was_changed_back_is_judged_too() -> None:
    """An earlier record may have been left to these: old still has the value between."""
    a, b = live_image(by_forward(A)), live_image(by_forward(B))
    together = record(by_forward(A), by_forward(A))
    assert plan(together, by_forward(A), B).content is None
    assert gives(plan(replace(together, steps=((a, b), (b, a))), by_forward(A), B), A)


def test_a_delete_at_a_place_that_the_item_has_left_is_no_delete() -> None:
    made = plan(record(by_application(A), None), None, A, elsewhere=(reading(by_application(lead(MAY)), MAY),))
    assert (gives(made, lead(MAY)), made.places) == (True, (place(MAY).text,))


def test_an_update_at_a_place_that_the_item_has_left_is_judged_where_it_lives() -> None:
    moved = lead(MAY, status="b", company="later")
    made = plan(record(by_forward(A), by_forward(B)), None, A, elsewhere=(reading(by_application(moved), MAY),))
    assert gives(made, B), "the company and the date come with the record of the new place"
