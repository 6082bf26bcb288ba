"""Table F: what forward writes on v2 for a change of the old table, by what v2 holds. Moves: `test_forward_moves.py`."""

from dataclasses import dataclass

import pytest

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.forward import forward_plan
from service.core.rules.forward_plan import OldChange, V2State
from service.core.rules.images import old_form
from service.core.rules.units import differing, old_units
from tests.builders.dual_lead import (
    KEY,
    MAPPING,
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
from tests.worlds.forward_cases import RECORD, after, plan, stamp_of


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
    # Its change while it was of no entity is lost: a write of v2's took it out of quarantine, or an operator dropped it. The images
    # differ in the entity alone: judged by them, v2 would keep another status for ever, without a conflict.
    "an item that is of an entity again": Row(
        {**B, "entity_type": {"S": "GHOST"}}, B, by_application(A), "conflict", UNTOUCHED, ("exists", ("status",))
    ),
    "an item that is of an entity again, and as v2 has it": Row(
        {**A, "entity_type": {"S": "GHOST"}}, A, by_application(A), "duplicate", UNTOUCHED
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


def test_what_v2_adds_between_the_reading_and_the_tombstone_refuses_the_delete() -> None:
    """The tombstone's condition lists the attributes that were read, so it cannot see a new one: without this, an attribute
    without an item would be left on v2, and the write would be lost."""
    deleted = lead(status="a")
    now = {**tombstone(50), **attributes(note="v2")}
    made = plan(deleted, None, now)
    assert (made.outcome, made.refused) == ("conflict", True)
    assert made.conflict is not None
    assert made.conflict.reason == "delete_refused"
    item = after(made, now)
    assert item is not None
    assert not differing(form_of(item), old_units(MAPPING, {**deleted, **attributes(note="v2")}))
    assert stamp_of(made).restore >= {"status", "note"}
    assert stamp_of(made).version > version(50)


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
