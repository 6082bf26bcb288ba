"""Table F: what forward writes on v2 for a change of the old table, by what v2 holds. Moves: `test_forward_moves.py`."""

from dataclasses import dataclass

import pytest

from service.core.item.change import Change
from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.forward import (
    ForwardPlan,
    OldChange,
    V2State,
    forward_plan,
    is_ours,
    known_places,
    restore_plan,
)
from service.core.rules.images import old_form
from service.core.rules.ledger import ForwardClaim, ForwardHalf, ReverseHalf, new_entry
from service.core.rules.units import Form, differing, old_units
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
    tombstone,
    version,
)
from tests.fakes.memory import MemoryDynamoDB

RECORD = version(50)


def plan(
    old: Item | None,
    new: Item | None,
    now: Item | None,
    *,
    refused: Item | None = None,
    bases: Form | None = None,
    month: str = MARCH,
    seen: str = count(0),
) -> ForwardPlan:
    """The plan for a change, while v2 has ``now`` in March and nothing elsewhere. ``month``: where the new image belongs."""
    known = [reading(now)] + ([] if month == MARCH else [reading(None, month)])
    return forward_plan(MAPPING, OldChange(KEY, RECORD, old, new, bases or {}), V2State(known, seen, refused))


def after(made: ForwardPlan, now: Item | None) -> Item | None:
    """The item in March once the plan's writes are made on ``now``; None for a tombstone or nothing."""
    memory = MemoryDynamoDB()
    memory.create_table("leads", ("PK", "SK"))
    if now is not None:
        memory.apply(Put("leads", now))
    assert all(memory.apply(write) for write in made.writes)
    item = memory.item("leads", place().key)
    return item if item is not None and "id" in item else None


def stamp_of(made: ForwardPlan) -> Stamp:
    (write,) = made.writes
    stamp = own_stamp(write.item if isinstance(write, Put) else write.set, place().key, "_sync")
    assert stamp is not None
    return stamp


@dataclass(frozen=True, slots=True)
class Row:
    """The old side's change, and what v2 has; the outcome, what v2 represents then (None: no item; "as it was": no write), and
    the reason and units of the conflict."""

    old: Item | None
    new: Item | None
    now: Item | None
    outcome: str
    then: Item | str | None
    lost: tuple[str, tuple[str, ...]] | None = None


UNTOUCHED = "as it was"
A, B = lead(status="a", company="x"), lead(status="b", company="x")
BOTH = lead(status="b", company="y")
ROWS = {
    # update
    "an update of what v2 has": Row(A, B, by_forward(A), "applied", B),
    "an update beside a field that v2 has written": Row(
        A, B, by_forward(A, company="v2"), "applied", lead(status="b", company="v2")
    ),
    "an update of a field that v2 has written too": Row(
        A, B, by_forward(A, status="v2"), "conflict", UNTOUCHED, ("overlap", ("status",))
    ),
    "an update of two fields, one of which v2 has written": Row(
        A, BOTH, by_forward(A, status="v2"), "conflict", lead(status="v2", company="y"), ("overlap", ("status",))
    ),
    "an update that v2 has made too": Row(A, B, by_forward(B), "duplicate", UNTOUCHED),
    "an update of what v2's application has put without a stamp": Row(A, B, by_application(A), "applied", B),
    "an update of what v2 has made of a tombstone": Row(
        A, B, {**by_application(A), "_sync": tombstone()["_sync"]}, "applied", B
    ),
    "an update of what v2 has deleted": Row(A, B, None, "conflict", UNTOUCHED, ("deleted", ("status",))),
    "an update of what v2 has buried": Row(A, B, tombstone(), "conflict", UNTOUCHED, ("deleted", ("status",))),
    "no change of content": Row(A, A, by_forward(A, status="v2"), "duplicate", UNTOUCHED),
    "no change of content of what v2 has deleted": Row(A, A, None, "duplicate", UNTOUCHED),
    # create
    "a create": Row(None, A, None, "applied", A),
    "a create over a tombstone": Row(None, A, tombstone(), "applied", A),
    "a create of what v2 has created": Row(
        None, A, by_application(B), "conflict", UNTOUCHED, ("exists", ("status",))
    ),
    "a create of what v2 has created alike": Row(None, A, by_application(A), "duplicate", UNTOUCHED),
    "a create of what v2 has created with more": Row(
        None, A, by_application(lead(status="a", company="x", note="v2")), "duplicate", UNTOUCHED
    ),
    # delete
    "a delete": Row(A, None, by_forward(A), "applied", None),
    "a delete of what v2 has changed": Row(
        A, None, by_forward(A, status="v2"), "conflict", A | attributes(status="v2"), (
            "delete_refused", ("company", "created_at", "entity_type", "id", "status")
        )
    ),
    "a delete of what v2 has deleted": Row(A, None, None, "duplicate", UNTOUCHED),
    "a delete of what v2 has buried": Row(A, None, tombstone(), "duplicate", UNTOUCHED),
    "a delete of an item whose stamp v2's application has dropped": Row(A, None, by_application(A), "applied", None),
    # nothing before nor afterwards
    "nothing": Row(None, None, by_forward(A), "duplicate", UNTOUCHED),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS)
def test_the_plan_for_a_change(row: str) -> None:
    case = ROWS[row]
    made = plan(case.old, case.new, case.now)
    assert made.outcome == case.outcome
    assert (made.conflict and (made.conflict.reason, made.conflict.units)) == case.lost
    then = after(made, case.now)
    if case.then == UNTOUCHED:
        assert made.writes == ()
    elif case.then is None:
        assert then is None
    else:
        assert then is not None
        assert isinstance(case.then, dict)
        assert differing(form_of(then), old_units(MAPPING, case.then)) == frozenset()
    live = case.then is not None if case.then != UNTOUCHED else reading(case.now).is_live("_sync")
    assert made.places == ((place().text,) if live else ())


def test_a_write_has_its_version_the_counts_seen_and_its_key() -> None:
    stamp = stamp_of(plan(A, B, by_forward(A), seen=count(3)))
    assert (stamp.version, stamp.base, stamp.restore, stamp.moved) == (RECORD, count(3), frozenset(), frozenset())
    assert stamp.key_hash is not None


def test_v2s_own_attributes_types_and_index_keys_stay() -> None:
    """The former rule moved `mine` into `custom_fields` and replaced the odd `followers` by 0."""
    now = by_forward(A, mine="kept", followers="many", GSI2PK="mine")
    then = after(plan(A, B, now), now)
    assert then is not None
    assert (then["mine"], then["followers"], then["GSI2PK"]) == ({"S": "kept"}, {"S": "many"}, {"S": "mine"})
    assert "custom_fields" not in then


def test_a_counter_that_both_raised_has_both_differences() -> None:
    """By value one of the two increments would be lost: the second is equal to what v2 has."""
    now = by_forward(lead(visits=5), visits=6)
    then = after(plan(lead(visits=5), lead(visits=6), now), now)
    assert then is not None
    assert then["visits"] == {"N": "7"}


def test_a_create_starts_a_counter_at_its_value_and_v2s_stands() -> None:
    made = plan(None, lead(visits=3), by_application(lead(visits=2)))
    assert made.conflict is not None
    assert (made.conflict.reason, made.conflict.units, made.writes) == ("exists", ("visits",), ())


def test_a_refused_delete_leaves_the_item_and_names_what_reverse_must_give_back() -> None:
    now = by_forward(A, status="v2")
    made = plan(A, None, now, seen=count(2))
    stamp = stamp_of(made)
    assert made.refused
    assert (stamp.version, stamp.base, stamp.tombstone) == (RECORD, count(2), False)
    assert stamp.restore == {"status", "visits"}, "a counter always: the delete ended its differences"
    then = after(made, now)
    assert then is not None
    assert {**then, "_sync": None} == {**now, "_sync": None}


def test_a_refused_delete_keeps_the_residue_of_what_v2_has_left() -> None:
    dirty = lead(followers="1,054")
    now = by_forward(dirty, status="v2")
    then = after(plan(dirty, None, now), now)
    assert then is not None
    assert old_form(MAPPING, place(), then)["followers"] == {"S": "1,054"}


def test_a_create_after_a_refused_delete_is_an_update_of_what_was_deleted() -> None:
    """v2 has changed the company; old deletes, and puts the item again with another status: only the status was written."""
    now = by_forward(A, company="v2")
    assert plan(None, B, now).outcome == "conflict", "without the image of the delete, the company would be lost too"
    made = plan(None, B, now, refused=A)
    then = after(made, now)
    assert then is not None
    assert made.conflict is None
    assert (then["status"], then["company"]) == ({"S": "b"}, {"S": "v2"})


def test_a_create_after_a_refused_delete_raises_a_counter_by_the_difference() -> None:
    now = by_forward(lead(visits=5), visits=6)
    then = after(plan(None, lead(visits=7), now, refused=lead(visits=5)), now)
    assert then is not None
    assert then["visits"] == {"N": "8"}


def test_a_create_that_lacks_what_the_refused_delete_had_removes_it() -> None:
    now = by_forward(lead(note="x"), status="v2")
    then = after(plan(None, lead(), now, refused=lead(note="x")), now)
    assert then is not None
    assert differing(form_of(then), old_units(MAPPING, lead(status="v2"))) == frozenset()


def test_two_live_places_get_a_record_that_reverse_reads_and_the_change_is_lost() -> None:
    known = [reading(by_forward(A)), reading(by_application(lead(MAY)), MAY)]
    made = forward_plan(MAPPING, OldChange(KEY, RECORD, A, B), V2State(known, count(0)))
    assert made.conflict is not None
    assert (made.outcome, made.conflict.reason, made.conflict.units) == ("conflict", "two_live_keys", ("status",))
    assert made.places == (place().text, place(MAY).text)
    assert stamp_of(made).restore == {"status"}


def test_a_write_that_another_worker_has_made_meanwhile_is_not_made_again() -> None:
    now = by_forward(B, 50)
    made = plan(A, B, now)
    assert (made.outcome, made.writes, made.made, made.keeps_log) == ("applied", (), True, True)


def test_a_stamp_of_this_version_on_a_copy_is_not_this_write() -> None:
    copied = {**by_application(A), "_sync": stamped_v2(Stamp(RECORD, base=count(0)), {}, MAY)["_sync"]}
    assert after(plan(A, B, copied), copied) is not None


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


def test_what_another_worker_has_given_back_already_is_not_written_again() -> None:
    made = restore_plan(MAPPING, RECORD, V2State([reading(by_forward(A, sequence=50))], count(4)), ("status",))
    assert (made.writes, made.made) == ((), True)


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
