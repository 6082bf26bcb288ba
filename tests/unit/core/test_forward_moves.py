"""Forward's moves of an item to another v2 key: the two writes, what a crash between them leaves, and what v2 has written since."""

from collections.abc import Sequence

import pytest

from service.core.item.stamp import Stamp, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.forward import forward_plan
from service.core.rules.forward_plan import ConflictCause, ForwardPlan, OldChange, V2State
from service.core.rules.ledger import EVERY_COUNT, Move, next_version
from service.core.rules.units import differing, old_units
from tests.builders.dual_lead import (
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
A, B = lead(MARCH, status="a"), lead(MAY, status="b")
"""The item before and after the change of the old table, which moves it."""


class V2:
    """The item's two places on v2, on which plans are made and carried out."""

    def __init__(self, march: Item | None, may: Item | None = None) -> None:
        self.memory = MemoryDynamoDB()
        self.memory.create_table("leads", ("PK", "SK"))
        for item in (march, may):
            if item is not None:
                self.memory.apply(Put("leads", item))

    def at(self, month: str) -> Item | None:
        """The item at a place; None for a tombstone or nothing."""
        item = self.memory.item("leads", place(month).key)
        return item if item is not None and "id" in item else None

    def stamp(self, month: str) -> Stamp:
        stamp = own_stamp(self.memory.item("leads", place(month).key), place(month).key, "_sync")
        assert stamp is not None
        return stamp

    def plan(self, begun: Move | None = None, old: Item | None = A, new: Item | None = B) -> ForwardPlan:
        known = [reading(self.memory.item("leads", place(month).key), month) for month in (MARCH, MAY)]
        return forward_plan(MAPPING, OldChange(KEY, RECORD, old, new), V2State(known, count(3), begun=begun))

    def write(self, plan: ForwardPlan, writes: int | None = None) -> None:
        """Make the first ``writes`` of a plan (None: all)."""
        assert all(self.memory.apply(write) for write in plan.writes[:writes])

    def update(self, month: str, **contents: str) -> None:
        """v2's application updates its item."""
        item = self.at(month)
        assert item is not None
        self.memory.apply(Put("leads", {**item, **attributes(**contents)}))

    def put(self, old: Item) -> None:
        """v2's application puts an item, without a stamp."""
        self.memory.apply(Put("leads", by_application(old)))

    def delete(self, month: str) -> None:
        self.memory.apply(Put("leads", stamped_v2(Stamp(version(1), base=count(0), tombstone=True), {}, month)))


def begun(v2: V2) -> Move:
    """The move, once its put at the new place is made and the worker has crashed."""
    plan = v2.plan()
    v2.write(plan, 1)
    assert plan.move is not None
    return plan.move


def same_item(v2_item: Item | None, old: Item, month: str = MAY) -> bool:
    return v2_item is not None and not differing(form_of(v2_item, month), old_units(MAPPING, old))


def test_a_move_puts_the_new_place_first_and_then_the_tombstone() -> None:
    """Both have the version and say which units were carried: so reverse knows them for parts of one move."""
    v2 = V2(by_forward(A, company="v2"))
    plan = v2.plan()
    assert (plan.outcome, plan.places) == ("applied", (place(MAY).text,))
    assert [place(MAY), place(MARCH)] == [
        place(write.item["SK"]["S"][:7] if isinstance(write, Put) else write.key["SK"]["S"][:7])
        for write in plan.writes
    ]
    v2.write(plan)
    assert same_item(v2.at(MAY), {**B, **attributes(company="v2")})
    assert v2.at(MARCH) is None
    stamps = v2.stamp(MAY), v2.stamp(MARCH)
    assert [stamp.version for stamp in stamps] == [RECORD] * 2
    assert [stamp.base for stamp in stamps] == [count(3)] * 2
    assert [stamp.moved for stamp in stamps] == [{"created_at", "status", "updated_at"}] * 2
    assert [stamp.tombstone for stamp in stamps] == [False, True]


def test_a_move_that_v2_has_made_too_is_no_move() -> None:
    v2 = V2(None, by_forward(lead(MAY, status="a")))
    v2.write(v2.plan())
    assert same_item(v2.at(MAY), B)
    assert v2.at(MARCH) is None


def test_a_move_against_v2s_own_move_is_lost() -> None:
    v2 = V2(None, by_application(lead(MAY, status="a")))
    plan = v2.plan(new=lead("2024-07", status="b"))
    v2.write(plan)
    assert plan.conflict is not None
    assert plan.conflict.units == ("created_at",)
    assert same_item(v2.at(MAY), B)


def test_the_new_place_must_have_been_read() -> None:
    """A merge can lead to a place that no image has."""
    known = [reading(by_forward(A))]
    plan = forward_plan(MAPPING, OldChange(KEY, RECORD, A, B), V2State(known, count(0)))
    assert (plan.outcome, plan.missing, plan.writes) == ("unread", place(MAY), ())


def test_a_move_over_a_tombstone_leaves_no_mark() -> None:
    v2 = V2(by_forward(A), tombstone(30, MAY))
    v2.write(v2.plan())
    assert not v2.stamp(MAY).tombstone


def test_a_move_that_was_begun_is_finished_with_its_tombstone() -> None:
    v2 = V2(by_forward(A))
    plan = v2.plan(begun(v2))
    assert (len(plan.writes), plan.keeps_log, plan.places) == (1, True, (place(MAY).text,))
    v2.write(plan)
    assert v2.at(MARCH) is None
    assert v2.stamp(MARCH).moved == v2.stamp(MAY).moved


def test_a_set_that_is_read_in_another_order_is_as_it_was_put() -> None:
    """DynamoDB does not keep the order of a set. Taken for a write of v2's, the deleted item would live on."""
    v2 = V2(by_forward(A))
    new = {**B, "numbers": {"NS": ["2", "1"]}}
    plan = v2.plan(new=new)
    v2.write(plan, 1)
    v2.delete(MARCH)
    v2.write(v2.plan(plan.move, new=new))
    assert v2.at(MAY) is None


def test_written_at_the_new_place_meanwhile_the_move_is_finished() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MAY, company="v2")
    v2.write(v2.plan(move))
    assert v2.at(MARCH) is None
    assert same_item(v2.at(MAY), {**B, **attributes(company="v2")})


def test_written_at_the_previous_place_meanwhile_the_write_goes_along() -> None:
    """The put at the new place was made of what was there before: the application's write must not be buried."""
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MARCH, company="v2")
    plan = v2.plan(move)
    v2.write(plan)
    assert v2.at(MARCH) is None
    assert same_item(v2.at(MAY), {**B, **attributes(company="v2")})
    assert v2.stamp(MAY).version > RECORD, "with the stamp of the first put reverse would take it for the application's"
    assert v2.stamp(MAY).version < version(51)


def test_written_at_the_previous_place_so_that_it_does_not_move_any_more() -> None:
    """v2 has moved it itself, in place or not: the new place gets a tombstone."""
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.memory.apply(Put("leads", {**by_forward(A), **attributes(created_at=f"{MARCH}-09")}))
    plan = v2.plan(move)
    v2.write(plan)
    assert plan.conflict is not None
    assert plan.conflict.units == ("created_at",)
    assert v2.at(MAY) is None
    march = v2.at(MARCH)
    assert same_item(march, {**lead(status="b"), **attributes(created_at=f"{MARCH}-09")}, MARCH)


def test_written_at_both_places_the_new_one_gets_both_writes() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MARCH, company="at the previous")
    v2.update(MAY, note="at the new")
    v2.write(v2.plan(move))
    assert v2.at(MARCH) is None
    assert same_item(v2.at(MAY), {**B, **attributes(company="at the previous", note="at the new")})
    assert RECORD < v2.stamp(MAY).version < v2.stamp(MARCH).version < version(51)


def test_written_at_both_places_in_one_unit_the_new_place_stands() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MARCH, company="at the previous")
    v2.update(MAY, company="at the new")
    plan = v2.plan(move)
    v2.write(plan)
    assert same_item(v2.at(MAY), {**B, **attributes(company="at the new")})
    assert v2.at(MARCH) is None
    assert plan.conflict == ConflictCause("two_live_keys", ("company",)), (
        "the write at the previous place is in the log"
    )


def test_written_at_both_places_so_that_they_are_two_items_both_are_held() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MARCH, created_at="2024-07-01")
    v2.update(MAY, note="at the new")
    plan = v2.plan(move)
    assert plan.conflict is not None
    assert (plan.conflict.reason, len(plan.places)) == ("two_live_keys", 2)


def test_deleted_at_the_new_place_meanwhile_the_item_stays_and_old_gets_it_back() -> None:
    """Its tombstone at the previous place would leave no item on v2, and one on old for ever."""
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.delete(MAY)
    plan = v2.plan(move)
    v2.write(plan)
    assert plan.conflict is not None
    assert plan.conflict.reason == "deleted"
    assert same_item(v2.at(MARCH), A, MARCH)
    assert v2.stamp(MARCH).restore == frozenset(move.units)


def test_deleted_at_the_previous_place_meanwhile_the_item_is_deleted() -> None:
    """The application has deleted the item that it knew; forward's copy must not bring it back. Reverse deletes old."""
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.delete(MARCH)
    plan = v2.plan(move)
    v2.write(plan)
    assert plan.conflict is not None
    assert (plan.conflict.reason, plan.places) == ("deleted", ())
    assert v2.at(MAY) is None
    assert v2.stamp(MAY).restore == frozenset(move.units)
    assert v2.stamp(MAY).version > RECORD


def test_deleted_at_the_previous_place_and_written_at_the_new_one_old_gets_all_of_it() -> None:
    """Reverse may have deleted old already, by the record of the previous place."""
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.delete(MARCH)
    v2.update(MAY, note="x")
    plan = v2.plan(move)
    v2.write(plan)
    assert plan.places == (place(MAY).text,)
    assert same_item(v2.at(MAY), {**B, **attributes(note="x")})
    assert v2.stamp(MAY).restore >= {"status", "company", "note"}
    assert v2.stamp(MAY).base == EVERY_COUNT


def test_deleted_at_both_places_nothing_is_left_to_do() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.delete(MARCH)
    v2.delete(MAY)
    plan = v2.plan(move)
    assert (plan.made, plan.writes, plan.places) == (True, (), ())


@pytest.mark.parametrize("since", [(), ("company",), ("company", "company")])
def test_a_move_interrupted_again_and_again_ends_with_one_item(since: Sequence[str]) -> None:
    """Each time after its first write, when v2's application writes the previous place."""
    v2 = V2(by_forward(A))
    plan = v2.plan()
    for number, name in enumerate(since):
        v2.write(plan, 1)
        v2.update(MARCH, **{name: str(number)})
        plan = v2.plan(plan.move)
    v2.write(plan)
    expected = attributes(company=str(len(since) - 1)) if since else {}
    assert same_item(v2.at(MAY), {**B, **expected})
    assert v2.at(MARCH) is None
    assert v2.stamp(MAY).version == (RECORD if not since else plan.move and plan.move.version)


def test_the_versions_of_one_move_grow() -> None:
    v2 = V2(by_forward(A))
    move = begun(v2)
    v2.update(MARCH, company="v2")
    again = v2.plan(move).move
    assert again is not None
    assert again.version == next_version(move.version)


GUARDED = {
    MARCH: stamped_v2(Stamp(version(40)), by_application(A)),
    MAY: stamped_v2(Stamp(RECORD), by_application(B), MAY),
}


def test_a_move_of_the_guarded_rule_that_a_crash_interrupted_is_finished() -> None:
    v2 = V2(GUARDED[MARCH], GUARDED[MAY])
    plan = v2.plan()
    assert (plan.outcome, plan.places, plan.tombstoned) == ("applied", (place(MAY).text,), (place(MARCH),))
    v2.write(plan)
    assert v2.at(MARCH) is None


def test_what_v2s_application_has_put_at_the_previous_place_of_a_guarded_move_is_not_buried() -> None:
    v2 = V2(by_application(A), GUARDED[MAY])
    plan = v2.plan()
    assert (plan.outcome, plan.writes, len(plan.places)) == ("duplicate", (), 2)


def test_a_covered_guarded_move_with_nothing_left_is_a_duplicate() -> None:
    v2 = V2(stamped_v2(Stamp(RECORD, tombstone=True), {}), GUARDED[MAY])
    plan = v2.plan()
    assert (plan.outcome, plan.writes, plan.places) == ("duplicate", (), (place(MAY).text,))
