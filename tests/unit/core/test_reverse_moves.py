"""What reverse makes of forward's moves, of items that were held, and of records that it need not read anything for."""

from dataclasses import replace

import pytest

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.ledger import EVERY_COUNT, ReverseClaim, ReverseHalf, place_name
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.reverse import is_passed
from service.errors import Poison
from tests.builders.dual_lead import (
    JULY,
    MAY,
    by_application,
    by_forward,
    count,
    lead,
    place,
    reading,
    stamped_v2,
    tombstone,
    version,
)
from tests.builders.reverse_cases import NOTHING_PUT, gives, plan, put, record

A, B = lead(status="a", company="x"), lead(status="b", company="x")
WHOLE = ReverseHalf(count(3), whole=count(3), last=count(3))
"""Reverse has put the whole item, with count 3."""


def restore(old: Item, *units: str, base: int = 2) -> Item:
    """The v2 item of ``old`` after forward has refused its delete."""
    return {**stamped_v2(Stamp(version(41), base=count(base), restore=frozenset(units)), by_application(old))}


def moved(units: tuple[str, ...], base: int = 2) -> Item:
    """Forward's put at the new place of a move from March to May."""
    made = by_forward(lead(MAY, status="b", company="x"), 41, base)
    stamp = Stamp(version(41), base=count(base), moved=frozenset(units))
    return stamped_v2(stamp, {name: content for name, content in made.items() if name != "_sync"}, MAY)


MOVED = ("created_at", "status")


def test_a_put_at_the_new_place_is_an_update_of_the_units_that_were_carried() -> None:
    """Taken for a create, it would bring back fields that old has written since."""
    change = record(None, moved(MOVED), ours=True, month=MAY)
    on_old = lead(MAY, status="c", company="old side")
    made = plan(change, moved(MOVED), on_old, put(status=3, company=4))
    assert gives(made, lead(MAY, status="b", company="old side"))
    assert plan(change, moved(MOVED), on_old, put(company=3)).outcome == "own"
    seen = record(None, moved(MOVED, base=3), ours=True, month=MAY)
    assert plan(seen, moved(MOVED, base=3), on_old, put(status=3)).outcome == "own"


def test_a_put_at_the_new_place_brings_all_back_where_old_was_put_from_an_earlier_record_of_that_place() -> None:
    """v2 had the item there, elsewhere, and deleted it; reverse read only the first record of that, and old had none. Then forward
    moved the item there, and its put named only what the old side had changed: the other fields stayed on old as they once were."""
    change = record(None, moved(MOVED), ours=True, month=MAY)
    once = lead(MAY, status="once", company="once")
    assert gives(plan(change, moved(MOVED), once, WHOLE), lead(MAY, status="b", company="x"))
    seen = record(None, moved(MOVED, base=3), ours=True, month=MAY)
    assert plan(seen, moved(MOVED, base=3), once, WHOLE).outcome == "own"


def test_a_put_at_the_new_place_brings_an_item_back_that_reverse_has_deleted() -> None:
    """It had read the delete at the previous place before forward moved the item: nobody else would put it on old again."""
    change = record(None, moved(MOVED), ours=True, month=MAY)
    made = plan(change, moved(MOVED), None, WHOLE)
    assert (made.outcome, made.units) == ("carried_back", None)
    assert gives(made, lead(MAY, status="b", company="x"))
    assert plan(change, moved(MOVED), None, put(status=3)).content is None, (
        "the old side has deleted it: forward decides"
    )


def test_a_put_at_the_new_place_over_a_live_item_brings_back_what_it_changed_there() -> None:
    """The application had created it there."""
    change = record(by_application(lead(MAY, status="b", company="v2")), moved(MOVED), ours=True, month=MAY)
    made = plan(change, moved(MOVED), lead(MAY, status="b", company="z"), put(company=3))
    assert gives(made, lead(MAY, status="b", company="x"))


def vacated(base: int = 2, **stamp: frozenset[str]) -> tuple[Item, Stamp]:
    """Forward's tombstone in March, and its stamp."""
    made = Stamp(version(41), base=count(base), tombstone=True, **stamp)
    return stamped_v2(made, {}), made


AT_MAY: PlaceReading = reading(moved(MOVED), MAY)


@pytest.mark.parametrize(
    ("half", "then"),
    [
        (NOTHING_PUT, None),
        (put(company=3), None),
        (put(status=1), None),
        (put(status=3), lead(status="b", company="x")),
    ],
)
def test_a_tombstone_of_a_move_brings_back_carried_units_that_reverse_has_put_since(
    half: ReverseHalf, then: Item | None
) -> None:
    item, stamp = vacated(moved=frozenset(MOVED))
    change = replace(record(by_forward(A), item), stamp=stamp)
    made = plan(change, item, A, half, (AT_MAY,))
    assert made.outcome == ("own" if then is None else "carried_back")
    assert made.content is None if then is None else gives(made, then)


@pytest.mark.parametrize("mark", ["moved", "restore"])
def test_a_tombstone_of_a_move_of_an_item_that_lives_nowhere_deletes_old(mark: str) -> None:
    """v2's application has deleted it at the one place while forward wrote the other: nobody else carries that delete."""
    item, stamp = vacated(**{mark: frozenset(MOVED)})
    if mark == "restore":  # forward's answer to what v2's application did in between: whatever reverse has put since
        stamp = replace(stamp, base=EVERY_COUNT)
    change = replace(record(by_forward(A), item), stamp=stamp)
    made = plan(change, item, A)
    assert (made.outcome, made.content, made.units) == ("carried_back", {}, None)
    assert plan(change, item, None).outcome == "own"
    since = plan(change, item, A, WHOLE)  # reverse has put the whole item since
    assert since.outcome == ("own" if mark == "moved" else "carried_back")


@pytest.mark.parametrize(("mark", "outcome"), [("moved", "own"), ("restore", "carried_back")])
def test_where_forward_has_removed_the_item_the_tombstone_of_its_move_is_no_delete(mark: str, outcome: str) -> None:
    """The old side has deleted the item and created it anew. Forward's answer to a delete of v2's application is still one."""
    item, stamp = vacated(**{mark: frozenset(MOVED)})
    change = replace(record(by_forward(A), item), stamp=stamp, removed=True)
    assert plan(change, item, A).outcome == outcome


HELD = replace(NOTHING_PUT, held_since=5.0)
RELEASED: dict[str, tuple[Item | None, Item | None, Item | None]] = {
    "one live item": (by_application(B), lead(status="old side", note="x"), B),
    "one live item, and none on old": (by_application(B), None, B),
    "one live item that old agrees with": (by_application(B), B, None),
    "none": (None, A, {}),
    "none on either side": (None, None, None),
}
"""v2 now, the old item; the old item then (None: nothing is written)."""


@pytest.mark.parametrize("row", RELEASED)
@pytest.mark.parametrize("ours", [False, True])
def test_an_item_that_is_held_no_longer_is_put_whole_by_whatever_record_finds_that(row: str, ours: bool) -> None:
    now, on_old, then = RELEASED[row]
    made = plan(record(by_forward(A), by_forward(A, 41, 9), ours=ours), now, on_old, HELD)
    assert made.released
    if then is None:
        assert made.content is None or gives(made, on_old or {})
    elif then == {}:
        assert (made.content, made.units) == ({}, None)
    else:
        assert gives(made, then)


def test_an_item_that_is_held_still_is_held() -> None:
    now, other = by_application(A), (reading(by_application(lead(MAY)), MAY),)
    made = plan(record(by_application(A), None), now, A, HELD, other)
    assert (made.outcome, made.released, made.content) == ("held", False, None)


def test_an_item_held_no_longer_whose_fields_lead_elsewhere_is_poison() -> None:
    item = {**by_application(lead(MAY)), **place().key}
    with pytest.raises(Poison, match="lead to another key"):
        plan(record(None, item), item, A, HELD)


CLAIM = ReverseClaim(version(9), "", "w", count(3), ("status",))
MOVED_HERE = stamped_v2(Stamp(version(41), base=count(3), moved=frozenset({"id"})), by_application(B))
PASSED: dict[str, tuple[Item | None, Item | None, ReverseHalf, bool]] = {
    "an update that has seen all": (by_forward(A), by_forward(B, 41, 3), WHOLE, True),
    "an update where nothing was put": (by_forward(A), by_forward(B, 41), NOTHING_PUT, True),
    "an update that has not seen a put": (by_forward(A), by_forward(B, 41, 2), put(status=3), False),
    "an update that has not seen a difference": (by_forward(A), by_forward(B, 41, 2), ReverseHalf(count(3), last=count(3)), False),
    "an update that has not seen what another place has claimed": (
        by_forward(A), by_forward(B, 41, 2), replace(NOTHING_PUT, claims={place(MAY).text: CLAIM}), False,
    ),
    "a create, which may make a second live place": (None, by_forward(A, 41, 3), WHOLE, False),
    "a restore": (restore(A, "status", base=3), restore(A, "status", base=3), WHOLE, False),
    "a put of a move": (by_forward(A), MOVED_HERE, WHOLE, False),
    "an item that is held": (by_forward(A), by_forward(B, 41, 3), replace(WHOLE, held_since=1.0), False),
}  # fmt: skip


@pytest.mark.parametrize("row", PASSED)
def test_what_may_be_passed_without_reading_anything(row: str) -> None:
    old, new, half, passed = PASSED[row]
    assert is_passed(record(old, new, ours=True), half) is passed
    assert not is_passed(record(old, new), half), "the application's"


@pytest.mark.parametrize(
    ("old", "then"),
    [
        pytest.param(lead(status="a", company="x"), lead(MAY, status="m", company="y"), id="as it was deleted"),
        pytest.param(
            lead(status="a", company="z"), lead(MAY, status="m", company="z"), id="the old side has written a field"
        ),
        pytest.param(lead(MAY, status="m", company="y"), None, id="it has all of it"),
        pytest.param(None, None, id="the old side has deleted it"),
    ],
)
def test_of_an_item_that_v2_deletes_at_one_place_and_has_at_another_old_gets_the_other(
    old: Item | None, then: Item | None
) -> None:
    """It may have been there before: then no record carries what it is there.

    A field that old does not have as it was at the deleted place is the old side's, or that of a later record."""
    deleted = record(by_application(A), None)
    at_may = reading(by_application(lead(MAY, status="m", company="y")), MAY)
    made = plan(deleted, None, old, elsewhere=(at_may,))
    assert made.outcome == ("duplicate" if then is None else "applied")
    assert then is None or gives(made, then)


def test_forwards_tombstone_takes_nothing_from_another_place() -> None:
    """The old side has deleted the item, and may have created it again with the same values: its own write stays."""
    deleted = record(by_application(A), tombstone(41), ours=True)
    at_may = reading(by_application(lead(MAY, status="m", company="y")), MAY)
    assert plan(deleted, tombstone(41), A, WHOLE, (at_may,)).content is None


def test_a_field_that_leads_elsewhere_is_not_taken_from_another_place() -> None:
    """Its own record waits in quarantine: on old it would move the item that v2 has there."""
    deleted = record(by_application(A), None)
    edited = {**by_application(lead(MAY, status="m")), "created_at": {"S": f"{JULY}-01"}}
    made = plan(deleted, None, A, elsewhere=(reading(edited, MAY),))
    assert made.content is not None
    assert (made.content["created_at"], made.content["status"]) == (A["created_at"], {"S": "m"})


def test_a_counter_of_another_place_is_left_to_the_records_of_that_place() -> None:
    """They may carry a difference: it would be added to what has it already."""
    deleted = record(by_application(lead(visits=5)), None)
    at_may = reading(by_application(lead(MAY, visits=6)), MAY)
    made = plan(deleted, None, lead(visits=5), elsewhere=(at_may,))
    assert gives(made, lead(MAY, visits=5))


@pytest.mark.parametrize(
    ("counted", "visits"),
    [("", 7), (place_name(place().text), 7), (place_name(place(MAY).text), 5)],
    ids=["never", "from its own place", "from where the item lives"],
)
def test_a_late_step_of_a_counter_is_not_added_when_old_has_the_counter_of_another_place(
    counted: str, visits: int
) -> None:
    """v2's application counts an item, moves it with what it has counted, and reverse reads the place that it has left last.

    Forward has written the new place since, and so looks like the one that moved the item: then the step would have to be added."""
    change = record(by_application(lead(visits=3)), by_application(lead(visits=5)))
    at_may = reading(by_forward(lead(MAY, visits=5)), MAY)
    old, half = lead(MAY, visits=5), replace(NOTHING_PUT, counted=counted)
    made = plan(change, None, old, half, (at_may,))
    assert made.outcome == ("duplicate" if visits == 5 else "applied")
    assert visits == 5 or gives(made, lead(MAY, visits=visits))


def test_whose_counters_old_gets_by_value_is_remembered() -> None:
    created = record(None, by_application(lead(MAY, visits=5)), month=MAY)
    made = plan(created, by_application(lead(MAY, visits=5)), lead(visits=3))
    assert (made.outcome, made.counted) == ("applied", place_name(place(MAY).text))
    claim = ReverseClaim(version(50), "", "w", count(1), made.units, counted=made.counted)
    half = replace(NOTHING_PUT, claims={place(MAY).text: claim}).folded(place(MAY)).forgetting(count(1))
    assert half.counted == made.counted
