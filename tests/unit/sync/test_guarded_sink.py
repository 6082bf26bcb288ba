"""The guarded sink by interleaving: order per key, effect before return, poison blocks its key only, fencing."""

import asyncio

import pytest

from service.core.item.change import Change
from service.core.item.wire import UNREADABLE
from service.core.item.write import Put, Update
from service.errors import Fatal, Fenced, Poison, Retryable
from tests.builders.small_crm import lead, old_key
from tests.fakes.clocks import settle
from tests.worlds.sync_world import Owner, SyncWorld, bad


def written_id(subject: object) -> str | None:
    """The id of the item that a call writes whole; None for other calls."""
    items = {Put: lambda: subject.item, Update: lambda: subject.set}  # type: ignore[attr-defined]
    item = items.get(type(subject), dict)()
    return item["id"]["S"] if "id" in item else None


@pytest.fixture
async def world() -> SyncWorld:
    return SyncWorld()


async def test_changes_of_a_key_are_coalesced_to_the_last_one(world: SyncWorld) -> None:
    changes = [world.put(lead("a", company={"S": str(n)})) for n in range(3)]
    await world.sink().apply("shard", changes)
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "2"}
    assert world.counts == {"applied": 1}


async def test_a_replay_is_stale_and_changes_nothing(world: SyncWorld) -> None:
    changes = [world.put(lead("a")), world.put(lead("a", company={"S": "x"}))]
    await world.sink().apply("shard", changes)
    before = world.v2("a")
    await world.sink().apply("shard", changes[:1])
    assert world.v2("a") == before
    assert world.counts["stale"] == 1


async def test_it_returns_only_when_every_key_is_acknowledged(world: SyncWorld) -> None:
    gate = asyncio.Event()

    async def hold_one(operation: str, subject: object) -> None:
        if written_id(subject) == "b":
            await gate.wait()

    world.db.after = hold_one
    applying = asyncio.create_task(world.sink().apply("shard", [world.put(lead(n)) for n in "abc"]))
    await settle()
    assert world.v2("c") is not None
    assert not applying.done()
    gate.set()
    await applying


async def test_no_more_keys_are_in_hand_than_allowed(world: SyncWorld) -> None:
    in_hand = []

    async def enter(operation: str, subject: object) -> None:
        if operation == "write":
            in_hand.append(subject)
            await asyncio.Event().wait()

    world.db.before = enter
    sink = world.sink(concurrency=2)
    batches = [[world.put(lead(f"{shard}{n}")) for n in range(3)] for shard in range(2)]
    tasks = [asyncio.create_task(sink.apply(str(number), batch)) for number, batch in enumerate(batches)]
    await settle()
    assert len(in_hand) == 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_removal_leaves_a_tombstone_and_tells_the_purger(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(lead("a"))])
    await world.sink().apply("shard", [world.delete("a")])
    assert world.v2("a") is None
    assert [put.item["SK"] for put in world.tombstones] == [{"S": "2024-05#a"}]


async def test_a_move_tells_the_purger_of_the_vacated_key_only(world: SyncWorld) -> None:
    moved = [world.put(lead("a")), world.put(lead("a", created_at={"S": "2023-01-01"}))]
    await world.sink().apply("shard", moved)
    assert world.v2("a", "2023-01") is not None
    assert [put.item["SK"] for put in world.tombstones] == [{"S": "2024-05#a"}]


async def test_a_poison_change_blocks_its_own_key_only(world: SyncWorld) -> None:
    changes = [world.put(bad("a")), world.put(lead("b")), world.put(lead("a")), world.put(lead("c"))]
    await world.sink().apply("shard", changes)
    assert world.v2("a") is None
    assert world.v2("b") is not None
    assert world.v2("c") is not None
    head = (await world.quarantine.heads())[world.id("a")]
    assert (head.reason, head.waiting, head.origin) == ("unknown_entity", 2, "stream")
    assert world.counts == {"quarantined": 2, "applied": 2}


async def test_what_comes_before_the_poison_change_is_applied(world: SyncWorld) -> None:
    changes = [world.put(lead("a", company={"S": "1"})), world.put(bad("a")), world.delete("a")]
    await world.sink().apply("shard", changes)
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "1"}
    waiting = await world.quarantine.changes(world.id("a"))
    assert [one.change for one in waiting] == changes[1:]


async def test_later_batches_wait_behind_also_after_a_restart(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a"))])
    await world.sink().apply("shard", [world.put(lead("a"))])
    assert world.v2("a") is None
    assert (await world.quarantine.heads())[world.id("a")].waiting == 2


async def test_a_replayed_batch_does_not_wait_twice(world: SyncWorld) -> None:
    batch = [world.put(bad("a")), world.put(lead("a")), world.put(lead("a", company={"S": "z"}))]
    for _ in range(2):
        await world.sink().apply("shard", batch)
    assert (await world.quarantine.heads())[world.id("a")].waiting == 3
    assert [one.change for one in await world.quarantine.changes(world.id("a"))] == batch


async def test_an_item_that_the_server_refuses_goes_to_quarantine(world: SyncWorld) -> None:
    async def refuse(operation: str, subject: object) -> None:
        if written_id(subject) == "a":
            raise Poison("item too strange", reason="refused_by_dynamodb")

    world.db.before = refuse
    changes = [world.put(lead("a")), world.put(lead("a", company={"S": "x"})), world.put(lead("b"))]
    await world.sink().apply("shard", changes)
    head = (await world.quarantine.heads())[world.id("a")]
    assert (head.reason, head.waiting) == ("refused_by_dynamodb", 2)
    assert world.v2("b") is not None


async def test_the_put_decides_where_the_server_refuses_the_update_itself(world: SyncWorld) -> None:
    """An update of 400 attributes is over the limit of an expression, while the item is fine. So is one that is refused because the
    item is not as the change before left it."""

    async def refuse(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "leads":
            raise Poison("expression too long", reason="refused_by_dynamodb")

    await world.sink().apply("shard", [world.put(lead("a"))])
    world.db.before = refuse
    await world.sink().apply("shard", [world.put(lead("a", company={"S": "x"})), world.put(lead("b"))])
    assert (world.v2("a") or {})["company"] == {"S": "x"}
    assert world.v2("b") is not None
    assert await world.quarantine.heads() == {}


async def test_a_change_of_a_known_item_is_one_request(world: SyncWorld) -> None:
    sent: list[object] = []

    async def note(operation: str, subject: object) -> None:
        if isinstance(subject, Put | Update) and subject.table == "leads":
            sent.append(type(subject))

    world.db.before = note
    for change in (lead("a"), lead("a", company={"S": "x"}), lead("a", company={"S": "y"})):
        await world.sink().apply("shard", [world.put(change)])
    await world.sink().apply("shard", [world.delete("a")])
    assert sent == [Update, Update, Update, Put]
    assert world.counts == {"applied": 4}


async def test_a_change_replaces_what_only_the_backfill_could_not_copy(world: SyncWorld) -> None:
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), Poison("bad", reason="unknown_entity"))
    await world.sink().apply("shard", [world.put(lead("a"))])
    assert world.v2("a") is not None
    assert await world.quarantine.heads() == {}


async def test_a_poison_change_takes_over_the_head_that_the_backfill_made(world: SyncWorld) -> None:
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), Poison("bad", reason="unknown_entity"))
    await world.sink().apply("shard", [world.put(bad("a"))])
    head = (await world.quarantine.heads())[world.id("a")]
    assert (head.origin, head.waiting) == ("stream", 1)


async def test_a_fenced_worker_sends_nothing_more(world: SyncWorld) -> None:
    owner = Owner()
    changes = [world.put(lead("a")), world.put(bad("b"))]

    async def lose_the_lease(operation: str, subject: object) -> None:
        owner.valid = False

    world.db.before = lose_the_lease
    written = len(world.db.written)
    sink = world.sink(owner)
    with pytest.raises(Fenced):
        await sink.apply("shard", changes)
    assert len(world.db.written) == written


async def test_passing_trouble_comes_out_and_the_same_batch_again_completes_it(world: SyncWorld) -> None:
    failed: list[object] = []

    async def fail_once(operation: str, subject: object) -> None:
        if operation == "write" and not failed:
            failed.append(subject)
            raise Retryable("throttled", reason="throttled")

    world.db.after = fail_once
    changes = [world.put(lead("a")), world.put(lead("b"))]
    sink = world.sink()
    with pytest.raises(Retryable):
        await sink.apply("shard", changes)
    await sink.apply("shard", changes)
    assert world.v2("a") is not None
    assert world.v2("b") is not None


async def test_a_fatal_error_comes_out_before_a_passing_one(world: SyncWorld) -> None:
    async def fail(operation: str, subject: object) -> None:
        if written_id(subject) is not None:
            await asyncio.sleep(0)
            if written_id(subject) == "a":
                raise Retryable("throttled", reason="throttled")
            raise Fatal("no permission")

    world.db.before = fail
    with pytest.raises(Fatal, match="no permission"):
        await world.sink().apply("shard", [world.put(lead("a")), world.put(lead("b"))])


async def test_the_removal_of_an_item_whose_key_was_too_long_for_v2_does_not_stay_in_quarantine(
    world: SyncWorld,
) -> None:
    name = "a" * 1500
    await world.sink().apply("shard", [world.put(lead(name)), world.delete(name)])
    assert await world.retry().retry(world.id(name)) is None
    assert await world.quarantine.heads() == {}
    assert world.db.items("leads") == []


@pytest.mark.parametrize("wrong", ["entity_type", "id"])
async def test_a_poison_item_that_is_nearly_all_wrong_value_goes_to_quarantine(world: SyncWorld, wrong: str) -> None:
    # Its reason quotes the value; a record that held all of it would be refused, and the lane would stop.
    await world.sink().apply("shard", [world.put({**lead("a"), wrong: {"S": "\n" * 390_000}}), world.put(lead("b"))])
    assert list(await world.quarantine.heads()) == [world.id("a")]
    assert world.v2("b") is not None


HALF = {UNREADABLE: '{"S": "x\\ud83d"}'}


async def test_half_a_surrogate_pair_waits_in_quarantine_with_its_key_and_stops_nothing_else(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(lead("a", company=HALF)), world.put(lead("b"))])
    [head] = (await world.quarantine.heads()).values()
    assert (head.key, head.reason, head.waiting) == (old_key("LEAD", "a"), "unreadable_text", 1)
    assert "company: a text in it has half a surrogate pair" in head.message
    assert (world.v2("a"), world.v2("b") is None) == (None, False)


async def test_a_key_that_cannot_be_read_is_quarantined_too(world: SyncWorld) -> None:
    key = {**old_key("LEAD", "a"), "pk": HALF}
    await world.sink().apply("shard", [Change("old", "shard", "1" * 21, key, None, {**lead("a"), **key})])
    [head] = (await world.quarantine.heads()).values()
    assert (head.key["pk"], head.reason) == (HALF, "unreadable_text")
