"""Changes of the old table that cannot be carried, or were before `dual`; and what is read before one is decided."""

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.forward import is_ours, known_places
from service.core.rules.forward_plan import OldChange, V2State, waiting_units
from service.core.rules.ledger import ForwardClaim, ForwardHalf, ReverseHalf, new_entry
from service.core.rules.restore import restore_plan
from service.core.rules.units import differing, old_units
from service.core.rules.waiting import WHOLE
from service.errors import Poison
from tests.builders.dual_lead import (
    EPOCH,
    JULY,
    KEY,
    MAPPING,
    MARCH,
    MAY,
    attributes,
    by_application,
    by_forward,
    count,
    form_of,
    lead,
    place,
    reading,
    stamped_v2,
    version,
)
from tests.worlds.forward_cases import RECORD, after, plan, stamp_of

UNTOUCHED = "as it was"
A, B = lead(status="a", company="x"), lead(status="b", company="x")
WAITING: dict[str, tuple[Item, tuple[str, ...], Item | str]] = {
    "a unit that cannot be mapped waits, the other is carried": (
        lead(id="8", status="b", company="x"),
        ("id",),
        lead(status="b", company="x"),
    ),
    "all that was changed waits": (lead(id="8", status="a", company="x"), ("id",), UNTOUCHED),
}


@pytest.mark.parametrize("row", WAITING)
def test_a_unit_that_cannot_be_carried_waits(row: str) -> None:
    new, waiting, then = WAITING[row]
    made = plan(A, new, by_forward(A))
    assert made.waiting == waiting
    assert made.poison is not None
    assert made.poison.reason == "key_mismatch"
    if isinstance(then, str):
        assert (made.outcome, made.writes) == ("waiting", ())
    else:
        item = after(made, by_forward(A))
        assert item is not None
        assert differing(form_of(item), old_units(MAPPING, then)) == frozenset()


def test_a_later_change_is_judged_from_before_the_change_that_waits() -> None:
    """v2 still has the first value: judged from its own old image the change would be lost."""
    first, waits, third = lead(status="a"), lead(status="b"), lead(status="c")
    now = by_forward(first)
    assert plan(waits, third, now).outcome == "conflict"
    base = {"status": old_units(MAPPING, first)["status"]}
    then = after(plan(waits, third, now, bases=base), now)
    assert then is not None
    assert then["status"] == {"S": "c"}


def test_where_nothing_can_be_written_the_units_wait_and_a_create_or_a_delete_waits_whole() -> None:
    def waits(old: Item | None, new: Item | None) -> tuple[str, ...]:
        return waiting_units(MAPPING, OldChange(KEY, RECORD, old, new))

    assert waits(A, B) == ("status",)
    assert waits(None, B) == waits(A, None) == (WHOLE,)
    bases = {"company": old_units(MAPPING, lead(company="before"))["company"]}
    assert waiting_units(MAPPING, OldChange(KEY, RECORD, A, B, bases)) == ("company", "status"), (
        "what waits already, too"
    )


def test_a_delete_after_a_change_that_waits_is_carried() -> None:
    base = {"status": old_units(MAPPING, lead(status="a"))["status"]}
    assert (
        after(plan(lead(status="b"), None, by_forward(lead(status="a")), bases=base), by_forward(lead(status="a")))
        is None
    )


def test_an_image_of_an_unknown_entity_waits_as_a_whole() -> None:
    """Its attributes are no units of this item: `stage`, held as `phase`, would look removed, and so would the group."""
    before = lead(phase="won", amount=1, currency="EUR")
    with pytest.raises(Poison, match="GHOST"):
        plan(before, {**before, "entity_type": {"S": "GHOST"}}, by_forward(before))


UNMAPPABLE = {name: content for name, content in A.items() if name != "id"}


def test_a_create_that_cannot_be_mapped_is_poison_and_its_delete_is_not() -> None:
    with pytest.raises(Poison, match="id is absent"):
        plan(None, UNMAPPABLE, None)
    assert plan(UNMAPPABLE, None, None).outcome == "duplicate"


def test_on_a_v2_item_that_has_no_old_form_the_changed_units_wait() -> None:
    made = plan(A, B, by_forward(A) | {"_sync": {"S": "mine"}})
    assert (made.outcome, made.writes, made.waiting) == ("waiting", (), ("status",))


@pytest.mark.parametrize("edit", [{"created_at": f"{MAY}-05"}, {"id": "8"}])
def test_an_item_whose_fields_v2_has_led_to_another_key_is_written_where_it_is(edit: dict[str, str]) -> None:
    """Reverse keeps that edit in quarantine. Moved there by forward, it would count as carried, and old would never get it."""
    now = by_forward(A, **edit)
    made = plan(A, B, now)
    assert made.places == (place().text,)
    then = after(made, now)
    assert then is not None
    assert {name: then[name] for name in ("status", *edit)} == attributes(status="b", **edit)


def test_a_delete_of_a_v2_item_that_has_no_old_form_waits() -> None:
    with pytest.raises(Poison):
        plan(A, None, by_forward(A) | {"_sync": {"S": "mine"}})


def test_the_places_are_the_ledgers_and_those_of_both_images() -> None:
    entry = new_entry(KEY, EPOCH)
    claim = ForwardClaim(RECORD, count(0), "w", (place("2024-09").text,), (place("2024-10").text,))
    half = ForwardHalf(seen=count(0), places=(place(JULY).text,), claim=claim)
    known = known_places(
        MAPPING,
        Change("old", "s", "50", KEY, lead(), lead(MAY)),
        type(entry)(KEY, EPOCH, half, ReverseHalf(count(0), places=(place("2024-08").text,))),
    )
    assert [found.text for found in known] == [
        place(month).text for month in (JULY, "2024-08", "2024-09", "2024-10", MARCH, MAY)
    ]
    assert known_places(MAPPING, Change("old", "s", "50", KEY, UNMAPPABLE, None), entry) == []


def test_reverses_writes_are_told_by_a_count_above_those_seen() -> None:
    new = {**B, "_sync": {"M": {"v": {"S": count(2)}}}}
    change = Change("old", "s", "50", KEY, A, new)
    assert is_ours(MAPPING, change, count(1))
    assert not is_ours(MAPPING, change, count(2))


def test_what_was_lost_while_v2_had_no_item_is_given_back_once_it_lives_again() -> None:
    known = [reading(by_application(A))]
    made = restore_plan(MAPPING, RECORD, V2State(known, count(4)), ("status",))
    assert (made.outcome, made.places) == ("own", (place().text,))
    assert (stamp_of(made).restore, stamp_of(made).base) == ({"status"}, count(4))


def test_what_another_worker_has_given_back_is_not_given_back_again() -> None:
    known = [reading(by_forward(A, 50))]
    assert restore_plan(MAPPING, RECORD, V2State(known, count(4)), ("status",)).writes == ()


@pytest.mark.parametrize("months", [(), (MARCH, MAY)])
def test_with_no_item_or_two_nothing_is_given_back(months: tuple[str, ...]) -> None:
    known = [reading(by_application(lead(month)), month) for month in months]
    assert restore_plan(MAPPING, RECORD, V2State(known, count(4)), ("status",)).writes == ()


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        (stamped_v2(Stamp(RECORD), by_application(B)), "duplicate"),
        (stamped_v2(Stamp(version(60)), by_application(lead(status="c"))), "duplicate"),
        (stamped_v2(Stamp(RECORD, tombstone=True), {}), "duplicate"),
        (stamped_v2(Stamp(version(49)), by_application(A)), "applied"),
        (by_forward(A, 60), "applied"),
    ],
)
def test_what_the_guarded_rule_has_applied_before_dual_is_not_applied_again(now: Item, outcome: str) -> None:
    assert plan(A, B, now).outcome == outcome
