"""The forward sink under the ledger rule: claims and how they are recovered, pages, and what waits in quarantine."""

from typing import Any

import pytest

from service.control.ledger import Ledger
from service.control.quarantine import quarantine_id
from service.core.item.stamp import is_bare_tombstone, stamped, stream_version
from service.core.item.wire import UNREADABLE, Item
from service.core.item.write import Delete, Put, Update
from service.core.mapping.transform import forward
from service.core.rules.ledger import Place
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

KEY = old_key("LEAD", "a")
A = lead("a", status={"S": "new"})
WON, LOST = {**A, "status": {"S": "won"}}, {**A, "status": {"S": "lost"}}
WITHOUT_ID = {name: value for name, value in A.items() if name != "id"}
"""No v2 item can be made of it, but of its other fields."""


@pytest.fixture
async def world() -> BothWays:
    """One lead, carried to v2."""
    return await BothWays.carried(A)


def on_v2(write: Any) -> bool:
    return bool(write.table == "leads")


def status(world: BothWays) -> Any:
    return (world.v2_lead() or {}).get("status")


def unstamped(item: Item) -> Item:
    return {name: value for name, value in item.items() if name != MAPPING.stamp}


async def entry(world: BothWays) -> Any:
    return (await Ledger(world.control, world.clock, "old", 1).read(KEY)).entry


async def waits(world: BothWays) -> tuple[str, ...] | None:
    """The units that wait; None: the key is not in quarantine."""
    head = (await world.quarantine.heads()).get(quarantine_id("old", KEY))
    return None if head is None else head.units


async def test_a_claim_that_was_not_put_is_put_by_the_next_worker_once_the_first_is_silent(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    await world.killed("old", on_v2)
    assert ((await entry(world)).forward.claim is not None, status(world)) == (True, A["status"])
    await world.carry_from("old", worker="w2")
    assert (status(world), world.silence.waits) == (WON["status"], 1)


async def test_a_worker_does_not_wait_for_itself(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    await world.killed("old", on_v2)
    await world.carry_from("old")
    assert (status(world), world.silence.waits) == (WON["status"], 0)


async def test_a_put_that_arrives_while_the_next_worker_waits_is_not_made_again(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    write = await world.killed("old", on_v2)

    async def late() -> None:
        assert world.db.apply(write)

    world.silence.until_silent = [late]
    before = len(world.db.written)
    await world.carry_from("old", worker="w2")
    assert (status(world), len(world.written("leads", before))) == (WON["status"], 1)


async def test_a_put_whose_worker_was_killed_after_it_is_seen_by_its_stamp(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    await world.killed("old", on_v2, after=True)
    before = len(world.db.written)
    await world.carry_from("old", worker="w2")
    assert (status(world), world.written("leads", before), world.silence.waits) == (WON["status"], [], 0)


async def test_a_put_that_the_application_has_replaced_since_is_found_in_the_stream(world: BothWays) -> None:
    """v2 has what the change replaced again: without the search it would be carried a second time."""
    world.db.apply(Put("old", WON))
    await world.killed("old", on_v2, after=True)
    world.db.apply(Put("leads", unstamped(v2_of(A))))
    await world.carry_from("old", worker="w2")
    assert (status(world), await world.conflicts.heads()) == (A["status"], {})
    await world.carry()
    assert world.old_lead() == A


async def test_a_put_that_reverse_has_passed_is_seen_in_its_half(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    await world.killed("old", on_v2, after=True)
    world.db.apply(Put("leads", unstamped(v2_of(A))))
    await world.carry_from("leads")
    await world.carry_from("old", worker="w2")
    await world.carry()
    assert (status(world), world.old_lead(), await world.conflicts.heads()) == (A["status"], A, {})


async def test_a_claim_is_folded_by_the_next_change(world: BothWays) -> None:
    world.db.apply(Put("old", WON))
    await world.carry()
    claimed = (await entry(world)).forward
    assert (claimed.claim is not None, claimed.done < claimed.claim.version) == (True, True)
    world.db.apply(Put("old", LOST))
    await world.carry()
    assert (await entry(world)).forward.done == claimed.claim.version


async def test_a_conflict_is_in_the_log_with_the_claim(world: BothWays) -> None:
    """The worker dies before the put: the log has the lost field already, and has it once when the next worker has finished."""
    world.db.apply(Put("leads", {**v2_of(A), "company": {"S": "v2"}}))
    world.db.apply(Put("old", {**WON, "company": {"S": "old"}}))
    await world.killed("old", on_v2)
    assert [head.fields for head in (await world.conflicts.heads()).values()] == [("company",)]
    await world.carry_from("old", worker="w2")
    assert [head.fields for head in (await world.conflicts.heads()).values()] == [("company",)]
    assert (status(world), (world.v2_lead() or {})["company"]) == (WON["status"], {"S": "v2"})


async def test_a_conflict_that_is_none_any_more_leaves_the_log(world: BothWays) -> None:
    world.db.apply(Put("leads", {**v2_of(A), "company": {"S": "v2"}}))
    world.db.apply(Put("old", {**WON, "company": {"S": "old"}}))
    await world.killed("old", on_v2)
    world.db.apply(Put("leads", v2_of(A)))
    await world.carry_from("old", worker="w2")
    assert ((world.v2_lead() or {})["company"], await world.conflicts.heads()) == ({"S": "old"}, {})


async def test_our_own_records_of_a_page_are_noted_in_one_write(world: BothWays) -> None:
    for value in ("1", "2", "3"):
        world.edit("leads", lead_key("a"), followers={"N": value})
        await world.carry_from("leads")
    before = len(world.db.written)
    await world.carry_from("old")
    assert len(world.written("control", before)) == 1
    assert (await entry(world)).forward.seen == (await entry(world)).reverse.count


async def test_changes_that_follow_one_another_are_carried_as_one(world: BothWays) -> None:
    for item in (WON, {**WON, "company": {"S": "X"}}, {**LOST, "company": {"S": "Y"}}):
        world.db.apply(Put("old", item))
    before = len(world.db.written)
    await world.carry_from("old")
    assert len(world.written("leads", before)) == 1
    assert (status(world), (world.v2_lead() or {})["company"]) == (LOST["status"], {"S": "Y"})


async def test_of_several_changes_whose_first_the_guarded_rule_has_applied_each_is_carried_alone() -> None:
    """Before `dual`, and then its worker was killed. Judged as one, the later changes would meet the first of them on v2, and be
    lost."""
    world = BothWays()
    world.put_on_both_sides(A, v2_of(A))
    world.db.apply(Put("old", WON))
    (first,) = world.unread("old")
    made = forward(MAPPING, WON)
    world.db.apply(Put("leads", stamped(made, stream_version(1, first.sequence), MAPPING.stamp)))
    world.db.apply(Put("old", LOST))
    await world.carry()
    assert (status(world), await world.conflicts.heads()) == (LOST["status"], {})


async def test_a_move_that_was_begun_is_left_to_its_own_change_when_an_earlier_page_is_read_again(
    world: BothWays,
) -> None:
    """That page has nothing left to do. If it dropped the claim, the item would live at both places, and be held."""
    world.db.apply(Put("old", WON))
    earlier = world.unread("old")
    await world.carry_from("old")
    world.db.apply(Put("old", {**WON, "created_at": {"S": "2024-06-01"}}))
    await world.killed("old", lambda write: on_v2(write) and write_key(write) == lead_key("a", "2024-06"), after=True)
    await world.forward_sink().apply("shard", earlier)
    await world.carry()
    assert world.v2_lead("a", "2024-05") is None
    assert (world.v2_lead("a", "2024-06") or {})["status"] == WON["status"]
    assert await world.conflicts.heads() == {}


def write_key(write: Put | Update) -> Item:
    item = write.item if isinstance(write, Put) else write.key
    return {name: item[name] for name in ("PK", "SK")}


async def test_a_write_between_reading_and_put_is_kept_and_the_change_decided_anew(world: BothWays) -> None:
    world.db.apply(Put("old", WON))

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "leads":
            world.db.before = None
            world.edit("leads", lead_key("a"), company={"S": "v2"})

    world.db.before = in_between
    running = world.carry_from("old")
    await world.clock_runs(running)
    assert (status(world), (world.v2_lead() or {})["company"]) == (WON["status"], {"S": "v2"})


async def test_what_is_decided_one_by_one_after_all_is_in_the_log_once(world: BothWays) -> None:
    """The changes were claimed as one. Before the put v2's application writes what the second of them replaces."""
    world.db.apply(Put("leads", {**v2_of(A), "company": {"S": "v2"}}))
    world.db.apply(Put("old", {**WON, "company": {"S": "old"}}))
    (first,) = world.unread("old")
    world.db.apply(Put("old", {**LOST, "company": {"S": "old"}}))

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "leads":
            world.db.before = None
            world.edit("leads", lead_key("a"), status=WON["status"])

    world.db.before = in_between
    await world.clock_runs(world.carry_from("old"))
    assert (status(world), (world.v2_lead() or {})["company"]) == (LOST["status"], {"S": "v2"})
    (conflict_id,) = await world.conflicts.heads()
    conflict = await world.conflicts.load(conflict_id)
    assert conflict.fields == ("company",)
    assert conflict.change is not None
    assert conflict.change.change.sequence == first.sequence


async def test_an_attribute_added_between_reading_and_tombstone_brings_the_item_back(world: BothWays) -> None:
    """The condition of a tombstone lists the attributes that were read."""
    world.db.apply(Delete("old", KEY))

    async def in_between(operation: str, subject: object) -> None:
        if getattr(subject, "table", None) == "leads":
            world.db.before = None
            world.edit("leads", lead_key("a"), note={"S": "v2"})

    world.db.before = in_between
    await world.clock_runs(world.carry_from("old"))
    await world.carry()
    assert {**A, "note": {"S": "v2"}}.items() <= (world.old_lead() or {}).items()
    assert (world.v2_lead() or {})["note"] == {"S": "v2"}


async def test_an_item_that_is_seen_at_no_place_is_read_again(world: BothWays) -> None:
    """It moves between the reads of its two places."""
    places = [Place("leads", lead_key("a", month)) for month in ("2024-06", "2024-05")]
    reads = iter(("first", "second"))

    async def moves(operation: str, subject: object) -> None:
        if operation == "get" and next(reads, None) == "second":
            world.db.apply(Put("leads", {**v2_of(A), **places[0].key}))
            world.db.apply(Delete("leads", places[1].key))

    world.db.before = moves
    found = await world.access().read_places(places)
    assert [reading.is_live(MAPPING.stamp) for reading in found] == [True, False]


async def test_one_place_is_read_once(world: BothWays) -> None:
    reads = 0

    async def count(operation: str, subject: object) -> None:
        nonlocal reads
        reads += 1

    world.db.before = count
    await world.access().read_places([Place("leads", lead_key("b"))])
    assert reads == 1


async def test_a_unit_that_cannot_be_written_waits_and_the_others_are_carried(world: BothWays) -> None:
    world.db.apply(Put("old", {**WITHOUT_ID, "status": {"S": "won"}}))
    await world.carry()
    assert (status(world), await waits(world)) == (WON["status"], ("id",))
    world.db.apply(Put("old", {**WITHOUT_ID, "status": {"S": "lost"}}))
    await world.carry()
    assert (status(world), await waits(world)) == (LOST["status"], ("id",))
    assert [head.waiting for head in (await world.quarantine.heads()).values()] == [1]


async def test_a_later_change_of_the_unit_heals_it(world: BothWays) -> None:
    world.db.apply(Put("old", WITHOUT_ID))
    await world.carry()
    world.db.apply(Put("old", WON))
    await world.carry()
    assert (status(world), await waits(world)) == (WON["status"], None)
    assert await world.conflicts.heads() == {}


async def test_what_waits_is_carried_with_the_next_change_once_it_can_be(world: BothWays) -> None:
    world.db.apply(Put("leads", unstamped(v2_of(A, id=None))))
    await world.carry_from("leads")
    world.db.apply(Put("old", WON))
    await world.carry_from("old")
    world.db.apply(Put("old", {**WON, "company": {"S": "X"}}))
    await world.carry_from("old")
    assert await waits(world) == ("company", "status")
    world.db.apply(Put("leads", unstamped(v2_of(A))))
    await world.carry_from("leads")
    world.db.apply(Put("old", {**LOST, "company": {"S": "X"}}))
    await world.carry_from("old")
    assert (status(world), (world.v2_lead() or {})["company"], await waits(world)) == (LOST["status"], {"S": "X"}, None)


async def test_a_write_of_reverse_heals_nothing(world: BothWays) -> None:
    world.db.apply(Put("old", WITHOUT_ID))
    await world.carry()
    world.edit("leads", lead_key("a"), followers={"N": "9"})
    await world.carry()
    assert ((world.old_lead() or {})["followers"], await waits(world)) == ({"N": "9"}, ("id",))


async def test_an_item_revived_on_our_tombstone_loses_the_mark(world: BothWays) -> None:
    world.remove("leads", lead_key("a"))

    async def keep_tombstone(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) and subject.table == "old":
            world.db.before = None
            revived = {**(world.db.item("old", KEY) or {}), **LOST}
            world.db.apply(Put("old", revived))

    world.db.before = keep_tombstone
    await world.carry()
    item = world.db.item("old", KEY)
    assert (item, status(world)) == (LOST, LOST["status"])
    assert not is_bare_tombstone(item, KEY, MAPPING.stamp)


async def test_half_a_surrogate_pair_waits_and_the_next_whole_write_settles_it(world: BothWays) -> None:
    world.db.apply(Put("old", {**WON, "company": {UNREADABLE: '{"S": "x\\ud83d"}'}}))
    await world.carry()
    head = (await world.quarantine.heads())[quarantine_id("old", KEY)]
    assert (head.reason, status(world), "company" in head.units) == ("unreadable_text", WON["status"], True)
    world.db.apply(Put("old", {**WON, "company": {"S": "whole"}}))
    await world.carry()
    assert (await waits(world), (world.v2_lead() or {}).get("company")) == (None, {"S": "whole"})
