"""Validation and repair from the first `dual` on: v2 stands for the old item, and a repair is carried by reverse."""

from typing import Any

import pytest
from structlog.testing import capture_logs

from service.control.conflicts import Conflict, Held
from service.control.ledger import ledger_id
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp, stream_version
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.rules.repair import RepairPhase
from service.errors import Poison
from tests.builders.small_crm import BASE, COUNT, MAPPING, by_reverse, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

A = lead("a", status={"S": "new"})
WHOLE = {**A, "company": {"S": "X"}, "followers": {"N": "3"}, "updated_at": {"S": "2024-05-07"}}
"""An item whose v2 item needs no residue."""

STAMP = MAPPING.stamp


@pytest.fixture
def world() -> BothWays:
    return BothWays()


def kinds(document: dict[str, Any]) -> list[tuple[str, list[str]]]:
    return sorted((entry["kind"], entry["fields"]) for entry in document["differences"])


EQUAL = [
    ("as forward writes it", A, v2_of(A)),
    ("old written by reverse", by_reverse(A), v2_of(A)),
    ("a v2 item of the application, without a stamp", WHOLE, v2_of(WHOLE, _sync=None)),
    ("index attributes of its own", A, v2_of(A, GSI1PK={"S": "OWN"}, GSI2PK=None, GSI2SK=None)),
    ("an attribute of its own, on both sides", {**A, "x": {"S": "1"}}, v2_of(A, x={"S": "1"})),
    (
        "a tombstone on old, nothing on v2",
        {**old_key("LEAD", "a"), STAMP: encode_stamp(Stamp(COUNT, tombstone=True))},
        None,
    ),
    (
        "a tombstone on v2, nothing on old",
        None,
        {**lead_key("a"), STAMP: encode_stamp(Stamp(stream_version(1, "5"), tombstone=True))},
    ),
]


@pytest.mark.parametrize(("old", "v2"), [row[1:] for row in EQUAL], ids=[row[0] for row in EQUAL])
async def test_v2_that_stands_for_the_old_item_is_equal(world: BothWays, old: Item | None, v2: Item | None) -> None:
    world.put_on_both_sides(old, v2)
    assert (await world.both_ways())["result"] == "equal"


DIFFERENT = [
    ("a field", A, v2_of(A, status={"S": "won"}), "mismatch", ["status"]),
    ("a type", A, v2_of(A, status={"N": "1"}), "mismatch", ["status"]),
    ("a damaged stamp", A, v2_of(A, _sync={"S": "?"}), "mismatch", ["damaged_stamp"]),
    ("an attribute on v2 only", A, v2_of(A, x={"S": "1"}), "mismatch", ["x"]),
    ("nothing on v2", by_reverse(A), None, "missing", []),
    (
        "a tombstone on v2",
        A,
        {**lead_key("a"), STAMP: encode_stamp(Stamp(stream_version(1, "5"), tombstone=True))},
        "missing",
        [],
    ),
    ("nothing on old", None, v2_of(A), "extra", []),
]


@pytest.mark.parametrize(
    ("old", "v2", "kind", "fields"), [row[1:] for row in DIFFERENT], ids=[row[0] for row in DIFFERENT]
)
async def test_each_kind_of_difference_is_found(
    world: BothWays, old: Item | None, v2: Item | None, kind: str, fields: list[str]
) -> None:
    world.put_on_both_sides(old, v2)
    assert kinds(await world.both_ways()) == [(kind, fields)]


async def test_before_the_first_dual_v2_must_be_what_forward_makes(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A, GSI1PK={"S": "OWN"}))
    assert kinds((await world.validate()).to_json()) == [("mismatch", ["GSI1PK"])]


async def test_a_change_on_its_way_in_either_direction_is_no_difference(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A))
    world.put_on_both_sides(lead("b"), v2_of(lead("b")))
    world.db.apply(Put("old", {**A, "status": {"S": "won"}}))
    world.db.apply(Put("leads", v2_of(lead("b"), status={"S": "lost"})))
    assert (await world.both_ways())["result"] == "equal"
    assert world.old_lead("b") == lead("b", status={"S": "lost"})


async def test_an_item_with_two_live_places_is_held_and_left_alone(world: BothWays) -> None:
    moved = lead("a", created="2024-06-01")
    world.put_on_both_sides(A, v2_of(A))
    world.put_on_both_sides(None, v2_of(moved, _sync=None))
    keys = (("leads", lead_key("a")), ("leads", lead_key("a", "2024-06")))
    held = Held("old", old_key("LEAD", "a"), "LEAD", keys, 1.0)
    assert world.db.apply(*await world.conflicts.held_puts(ledger_id("old", old_key("LEAD", "a")), held))
    document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"]) == ([("held", [])], 0)


async def test_a_v2_key_in_quarantine_is_left_alone(world: BothWays) -> None:
    world.put_on_both_sides(None, v2_of(A))
    await world.quarantine.add_copy("leads", lead_key("a"), Poison("bad", reason="bad"))
    document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"]) == ([("quarantined", [])], 0)


@pytest.mark.parametrize(
    ("old", "v2"),
    [row[1:3] for row in DIFFERENT if row[3] != "missing"],
    ids=[row[0] for row in DIFFERENT if row[3] != "missing"],
)
async def test_a_repair_has_v2_carried_to_old_and_keeps_what_it_replaces(
    world: BothWays, old: Item | None, v2: Item
) -> None:
    world.put_on_both_sides(old, v2)
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 1)
    now = world.v2_lead() or {}
    assert {name: now[name] for name in now if name != STAMP} == {name: v2[name] for name in v2 if name != STAMP}
    kept = [(await world.conflicts.load(name)).lost for name in await world.conflicts.heads()]
    assert kept == ([] if old is None or old == world.old_lead() else [old])


TOMBSTONE = {**lead_key("a"), STAMP: encode_stamp(Stamp(stream_version(1, "5"), base=BASE, tombstone=True))}


@pytest.mark.parametrize("phase", ["forward", "dual"])
@pytest.mark.parametrize("v2", [None, TOMBSTONE], ids=["nothing", "a tombstone"])
@pytest.mark.parametrize("old", [A, by_reverse(A)], ids=["by the application", "by reverse"])
async def test_a_repair_puts_on_v2_what_only_old_has_and_reverse_takes_it_for_ours(
    world: BothWays, old: Item, v2: Item | None, phase: RepairPhase
) -> None:
    world.phase = phase
    world.put_on_both_sides(old, v2)
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 1)
    await world.carry()
    assert world.db.item("old", old_key("LEAD", "a")) == old
    assert {**(world.v2_lead() or {}), STAMP: None} == {**v2_of(A), STAMP: None}
    assert await world.conflicts.heads() == {}


async def test_after_a_put_by_a_repair_both_sides_go_on(world: BothWays) -> None:
    world.put_on_both_sides(A, None)
    assert (await world.both_ways(repair=True))["result"] == "equal"
    world.db.apply(Put("old", {**A, "status": {"S": "won"}}))
    await world.carry()
    assert (world.v2_lead() or {})["status"] == {"S": "won"}
    world.db.apply(Put("leads", {**(world.v2_lead() or {}), "company": {"S": "Y"}}))
    await world.carry()
    assert world.old_lead() == {**A, "status": {"S": "won"}, "company": {"S": "Y"}}
    assert await world.conflicts.heads() == {}


async def test_v2_gets_an_item_of_its_own_between_a_repairs_reading_and_its_put(world: BothWays) -> None:
    world.put_on_both_sides(A, None)
    own = v2_of(A, status={"S": "won"}, _sync=None)

    async def in_between(operation: str, subject: object) -> None:
        if operation == "write" and isinstance(subject, Put) and subject.table == "leads" and world.v2_lead() is None:
            world.db.apply(Put("leads", own))

    world.db.before = in_between
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"], world.v2_lead()) == ("equal", 0, own)


async def test_a_repair_of_a_sample_puts_nothing_on_v2(world: BothWays) -> None:
    world.put_on_both_sides(A, None)
    assert (await world.both_ways(repair=True, sample=10))["repaired"] == 0
    assert world.v2_lead() is None


async def test_an_item_whose_write_lost_against_v2s_delete_is_left_to_the_operator(world: BothWays) -> None:
    lost = WaitingChange(Change("old", "shard", "7", old_key("LEAD", "a"), A, A), 1)
    name = ledger_id("old", old_key("LEAD", "a"))
    conflict = Conflict(f"{name}-1", "old", old_key("LEAD", "a"), "LEAD", "deleted", (), lost, (), 0.0)
    for put in await world.conflicts.puts(conflict):
        world.db.apply(put)
    world.put_on_both_sides(A, None)
    document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"], world.v2_lead()) == ([("missing", [])], 0, None)
    assert "conflicts list" in document["remedy"]


async def test_in_forward_the_old_item_is_put_over_v2_which_is_kept(world: BothWays) -> None:
    world.phase = "forward"
    was = v2_of(A, status={"S": "won"})
    world.put_on_both_sides(A, was)
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 1)
    await world.carry()
    assert world.db.item("old", old_key("LEAD", "a")) == A
    (name,) = await world.conflicts.heads()
    kept = await world.conflicts.load(name)
    assert (kept.reason, kept.lost, kept.v2) == (
        "replaced",
        {**A, "status": {"S": "won"}},
        (("leads", lead_key("a"), was),),
    )


async def test_in_forward_an_item_that_only_v2_has_is_left(world: BothWays) -> None:
    world.phase = "forward"
    world.put_on_both_sides(None, v2_of(A))
    with capture_logs() as log:
        document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"], world.old_lead()) == ([("extra", [])], 0, None)
    assert [line["only_on_v2"] for line in log if line["log_level"] == "warning"] == [1]


MOVED = lead("a", created="2024-06-01")


async def test_in_dual_an_item_whose_move_was_lost_goes_back_to_where_v2_has_it(world: BothWays) -> None:
    world.put_on_both_sides(MOVED, v2_of(A))
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 1)
    await world.carry()
    assert (world.old_lead(), world.v2_lead(month="2024-06")) == ({**MOVED, "created_at": A["created_at"]}, None)


async def test_in_forward_an_item_whose_move_was_lost_moves_on_v2(world: BothWays) -> None:
    world.phase = "forward"
    world.put_on_both_sides(MOVED, v2_of(A))
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 1)
    await world.carry()
    assert world.db.item("old", old_key("LEAD", "a")) == MOVED
    assert (world.v2_lead(), {**(world.v2_lead(month="2024-06") or {}), STAMP: None}) == (
        None,
        {**v2_of(MOVED), STAMP: None},
    )


async def test_in_reverse_a_repair_leaves_an_old_item_that_v2_lacks_and_says_what_to_do(world: BothWays) -> None:
    world.phase = "reverse"
    world.put_on_both_sides(A, None)
    document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"]) == ([("missing", [])], 0)
    assert "conflicts list" in document["remedy"]
    assert (world.old_lead(), world.v2_lead()) == (A, None)


async def test_the_application_writes_v2_between_a_repairs_reading_and_its_write(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A, status={"S": "won"}))
    later = v2_of(A, status={"S": "lost"})

    async def in_between(operation: str, subject: object) -> None:
        if operation == "transact" and world.v2_lead() != later:
            world.db.apply(Put("leads", later))

    world.db.before = in_between
    document = await world.both_ways(repair=True)
    assert (document["result"], document["repaired"]) == ("equal", 0)
    assert await world.conflicts.heads() == {}
    assert world.old_lead() == {**A, "status": {"S": "lost"}}


async def test_a_second_repair_of_one_item_leaves_a_record_too(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A, status={"S": "won"}))
    for lost in ("new", "spoilt"):
        world.db.apply(Put("old", {**A, "status": {"S": lost}}))
        world.skip()
        assert (await world.both_ways(repair=True))["result"] == "equal"
    assert world.old_lead() == {**A, "status": {"S": "won"}}
    assert len(await world.conflicts.heads()) == 2


async def test_a_repair_of_what_reverse_cannot_carry_is_not_made(world: BothWays) -> None:
    world.put_on_both_sides(A, v2_of(A, created_at={"S": "2030-01-01"}))
    document = await world.both_ways(repair=True)
    assert (kinds(document), document["repaired"]) == ([("mismatch", ["created_at"])], 0)
    assert world.old_lead() == A
