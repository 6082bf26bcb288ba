"""What a repair does about an item under the ledger rule: by phase and by what both sides hold; and the stamp of its put."""

from dataclasses import replace
from typing import Any

import pytest

from service.core.item.stamp import Stamp, encode_stamp, key_hash, sound_stamp, stream_version
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.agreement import BothSides, agree, describe_difference
from service.core.rules.ledger import Entry, ForwardClaim, Place, ReverseClaim, Track, new_entry
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.repair import (
    LeftAlone,
    PutOnV2,
    RedriveV2,
    RepairPhase,
    RepairPlan,
    put_writes,
    repair_plan,
    repair_version,
)
from tests.builders.small_crm import BASE, COUNT, MAPPING, lead, lead_key, old_key, v2_of

A = lead("a", status={"S": "new"})
MOVED = lead("a", created="2024-06-01")
HOME, ELSEWHERE = Place("leads", lead_key("a")), Place("leads", lead_key("a", "2024-06"))
TOMBSTONE = {**lead_key("a"), MAPPING.stamp: encode_stamp(Stamp(stream_version(1, "5"), base=BASE, tombstone=True))}
WON = v2_of(A, status={"S": "won"})
UNREADABLE = v2_of(A, _sync={"S": "?"})
PHASES: tuple[RepairPhase, ...] = ("forward", "dual", "reverse")
ENTRY = new_entry(old_key("LEAD", "a"), 1)
DONE = stream_version(1, "70")
IN_FLIGHT = ReverseClaim("0001.9", DONE, "w", COUNT, ())


def with_forward(**changes: Any) -> Entry:
    return replace(ENTRY, forward=replace(ENTRY.forward, **changes))


def sides(old: Item | None, home: Item | None, elsewhere: Item | None = None) -> BothSides:
    return BothSides((PlaceReading(HOME, home), PlaceReading(ELSEWHERE, elsewhere)), old)


def said(plan: RepairPlan) -> str:
    return plan.reason if isinstance(plan, LeftAlone) else type(plan).__name__


# what is there, then the plan in forward, dual and reverse
PLANS: list[tuple[str, BothSides, tuple[str, str, str]]] = [
    ("nothing on v2", sides(A, None), ("PutOnV2", "PutOnV2", "only_on_old")),
    ("a tombstone on v2", sides(A, TOMBSTONE), ("PutOnV2", "PutOnV2", "only_on_old")),
    ("nothing on old", sides(None, v2_of(A)), ("only_on_v2", "RedriveV2", "RedriveV2")),
    ("a field", sides(A, WON), ("PutOnV2", "RedriveV2", "RedriveV2")),
    ("another place", sides(MOVED, v2_of(A)), ("PutOnV2", "RedriveV2", "RedriveV2")),
    ("unreadable", sides(A, UNREADABLE), ("unreadable", "RedriveV2", "RedriveV2")),
    ("two live", sides(A, v2_of(A), v2_of(MOVED)), ("two_live_keys",) * 3),
    ("equal", sides(A, v2_of(A)), ("equal",) * 3),
    ("neither side", sides(None, TOMBSTONE), ("equal",) * 3),
]


@pytest.mark.parametrize(("both", "plans"), [row[1:] for row in PLANS], ids=[row[0] for row in PLANS])
def test_the_plan_by_phase(both: BothSides, plans: tuple[str, str, str]) -> None:
    assert tuple(said(repair_plan(MAPPING, phase, both)) for phase in PHASES) == plans


@pytest.mark.parametrize("both", [row[1] for row in PLANS], ids=[row[0] for row in PLANS])
def test_what_does_not_agree_is_described(both: BothSides) -> None:
    if not agree(MAPPING, both):
        found = describe_difference(MAPPING, both)
        assert found.entity == "LEAD"
        assert (found.kind in ("fields", "unreadable")) == bool(found.fields)


@pytest.mark.parametrize("phase", ["prepare", "complete"])
def test_where_nothing_is_carried_nothing_is_repaired(phase: RepairPhase) -> None:
    assert repair_plan(MAPPING, phase, sides(A, None)) == LeftAlone("phase")


def test_with_an_open_conflict_nothing_is_put_where_v2_has_nothing() -> None:
    assert repair_plan(MAPPING, "dual", sides(A, None), conflict=True) == LeftAlone("conflict")
    assert said(repair_plan(MAPPING, "dual", sides(A, WON), conflict=True)) == "RedriveV2"


def test_an_old_item_that_cannot_be_mapped_is_left() -> None:
    assert repair_plan(MAPPING, "dual", sides({**A, "entity_type": {"S": "GOBLIN"}}, None)) == LeftAlone("unmappable")


def test_an_old_item_whose_place_was_not_read_is_left() -> None:
    assert repair_plan(MAPPING, "dual", BothSides((PlaceReading(ELSEWHERE, None),), A)) == LeftAlone("unread")


def plan_of(both: BothSides, phase: RepairPhase = "forward") -> PutOnV2:
    plan = repair_plan(MAPPING, phase, both)
    assert isinstance(plan, PutOnV2)
    return plan


def test_the_version_is_above_what_is_done_and_below_the_next_change() -> None:
    entry = with_forward(done=DONE)
    first = repair_version(MAPPING, plan_of(sides(A, None)), entry)
    assert DONE < first < stream_version(1, "71")
    again = {**lead_key("a"), MAPPING.stamp: encode_stamp(Stamp(first, base=BASE, tombstone=True))}
    assert first < repair_version(MAPPING, plan_of(sides(A, again)), entry) < stream_version(1, "71")


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY,
        with_forward(done=DONE),
        replace(ENTRY, reverse=ENTRY.reverse.tracking(HOME, Track("0001.9", DONE))),
        replace(ENTRY, reverse=replace(ENTRY.reverse, claims={HOME.text: IN_FLIGHT})),
        with_forward(claim=ForwardClaim(DONE, BASE, "w", (HOME.text,), (HOME.text,))),
    ],
    ids=["nothing known", "done", "seen on v2", "seen with a claim", "claimed"],
)
def test_reverse_knows_the_put_for_ours(entry: Entry) -> None:
    (put,) = put_writes(MAPPING, plan_of(sides(A, None)), entry)
    assert isinstance(put, Put)
    stamp = sound_stamp(put.item, MAPPING.stamp)
    assert stamp is not None
    assert stamp.version > entry.reverse.seen_in_flight(HOME)
    assert entry.forward.claim is None or stamp.version > entry.forward.claim.version
    assert (stamp.base or "") >= entry.reverse.count
    assert stamp.restore == stamp.moved == frozenset()


def test_a_move_puts_the_item_and_leaves_a_tombstone() -> None:
    put, tombstone = put_writes(MAPPING, plan_of(sides(MOVED, v2_of(A))), ENTRY)
    assert isinstance(put, Put)
    assert isinstance(tombstone, Update)
    assert tombstone.key == lead_key("a")
    there, left = (sound_stamp(item, MAPPING.stamp) for item in (put.item, tombstone.set))
    assert there is not None
    assert left == Stamp(there.version, base=there.base, tombstone=True, key_hash=key_hash(lead_key("a")))


def test_a_redrive_is_of_the_live_item() -> None:
    plan = repair_plan(MAPPING, "reverse", sides(MOVED, v2_of(A)))
    assert isinstance(plan, RedriveV2)
    assert plan.v2.place == HOME


def test_where_v2_has_the_item_only_what_differs_is_written() -> None:
    """v2's own attributes, types and index keys stay."""
    there = v2_of(A, status={"S": "won"}, mine={"S": "kept"}, followers={"S": "many"}, GSI2PK={"S": "mine"})
    (put,) = put_writes(MAPPING, plan_of(sides({**A, "followers": {"S": "many"}, "mine": {"S": "kept"}}, there)), ENTRY)
    assert isinstance(put, Update)
    assert put.set.keys() == {"status", MAPPING.stamp}, "GSI1PK was never made of won"
    assert put.remove == ()


DIRTY = lead("a", status={"S": "new"}, followers={"S": "1,054"}, company={"NULL": True})


@pytest.mark.parametrize("phase", PHASES)
def test_a_lost_residue_is_no_difference(phase: RepairPhase) -> None:
    """A Put of v2's application without `_sync` costs the other side nothing."""
    without = {name: value for name, value in v2_of(DIRTY).items() if name != MAPPING.stamp}
    assert repair_plan(MAPPING, phase, sides(DIRTY, without)) == LeftAlone("equal")
