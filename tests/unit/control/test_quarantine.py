"""The quarantine by interleaving: what waits, what a retry makes of it, and the races between both."""

import asyncio
import contextlib
import itertools
import random

import pytest

from service.control.quarantine import quarantine_id
from service.control.quarantine_documents import listing, shown
from service.control.waiting_changes import WaitingChange, WaitingChanges
from service.core.item.change import Change
from service.errors import Fenced, Misconfigured, Poison
from service.migration.settlement.quarantine import drop_from_quarantine
from tests.builders.small_crm import lead, old_key
from tests.worlds.sync_world import SyncWorld, bad, fixed_mapping

UNMAPPED = Poison("no such entity", reason="unknown_entity")


@pytest.fixture
async def world() -> SyncWorld:
    return SyncWorld()


async def test_ids_are_short_stable_and_differ_by_table_and_key_type() -> None:
    keys = [("old", {"pk": {"S": "1"}}), ("old", {"pk": {"N": "1"}}), ("new", {"pk": {"S": "1"}})]
    ids = [quarantine_id(table, key) for table, key in keys]
    assert ids == ["989476ee7e79e848", *ids[1:]]
    assert len(set(ids)) == 3
    assert {len(one) for one in ids} == {16}


async def test_images_too_large_for_one_record_come_back_as_they_were(world: SyncWorld) -> None:
    noise = random.Random(7).randbytes(380_000).hex()
    change = Change(
        "old",
        "s",
        "1" * 21,
        old_key("LEAD", "a"),
        {"x": {"S": noise[:390_000]}},
        {"x": {"B": noise[390_000:]}},
    )
    waiting = WaitingChange(change, 3)
    changes = WaitingChanges(world.control, "id")
    puts = changes.puts(waiting)
    assert len(puts) > 1
    world.db.apply(*puts)
    assert await changes.load() == [waiting]


@pytest.mark.parametrize("step", range(8))
async def test_a_retry_killed_at_any_step_leaves_a_large_change_whole(world: SyncWorld, step: int) -> None:
    noise = random.Random(7).randbytes(150_000).hex()
    world.put(bad("a", noise={"S": noise}))
    both_images = world.put(bad("a", noise={"S": noise[::-1]}))
    await world.sink().apply("shard", [both_images, world.delete("a")])
    steps = itertools.count()

    async def die(operation: str, subject: object) -> None:
        if operation in ("write", "transact") and next(steps) == step:
            raise asyncio.CancelledError

    world.db.after = die
    with contextlib.suppress(asyncio.CancelledError):
        await world.retry().retry(world.id("a"))
    world.db.after = None
    if world.id("a") in await world.quarantine.heads():
        assert await world.retry().retry(world.id("a")) is None
    assert await world.quarantine.heads() == {}
    assert world.v2("a") is None


async def test_the_listing_names_each_key_as_the_design_says(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a"))])
    (item,) = listing(await world.quarantine.heads())["items"]
    assert item["id"] == world.id("a")
    assert {name: item[name] for name in ("table", "key", "reason", "first_seen", "attempts")} == {
        "table": "old",
        "key": {"pk": "LEAD#a", "sk": "METADATA"},
        "reason": "unknown_entity",
        "first_seen": "2023-11-14T22:13:20Z",
        "attempts": 0,
    }


async def test_show_gives_the_images_of_every_change(world: SyncWorld) -> None:
    changes = [world.put(bad("a")), world.delete("a")]
    await world.sink().apply("shard", changes)
    head = await world.quarantine.head(world.id("a"))
    document = shown(world.id("a"), head.value, await world.quarantine.changes(world.id("a")))
    assert [(one["old"], one["new"]) for one in document["changes"]] == [(one.old, one.new) for one in changes]


async def test_a_retry_under_a_mended_mapping_replays_everything_in_order(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(lead("a")), world.put(bad("a", company={"S": "x"}))])
    retried = await world.retry(fixed_mapping()).retry(world.id("a"))
    item = world.v2("a")
    assert retried is None
    assert item is not None
    assert item["company"] == {"S": "x"}
    assert await world.quarantine.heads() == {}
    assert await world.quarantine.changes(world.id("a")) == []
    assert await world.control.records("repair", dict).all() == {}


async def test_a_retry_needs_no_mapping_for_what_a_later_change_supersedes(world: SyncWorld) -> None:
    changes = [
        world.put(lead("a")),
        world.put(bad("a")),
        world.put(lead("a", created_at={"S": "2023-01-01"})),
    ]
    await world.sink().apply("shard", changes)
    assert await world.retry().retry(world.id("a")) is None
    assert world.v2("a", "2023-01") is not None
    assert world.v2("a") is None


async def test_a_retry_of_a_deleted_item_leaves_nothing_alive(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(lead("a")), world.put(bad("a")), world.delete("a")])
    assert world.v2("a") is not None
    assert await world.retry().retry(world.id("a")) is None
    assert world.v2("a") is None


async def test_a_retry_that_still_fails_counts_an_attempt_and_loses_nothing(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a"))])
    retried = await world.retry().retry(world.id("a"))
    assert retried is not None
    assert "entity_type is 'GOBLIN'" in retried
    head = (await world.quarantine.heads())[world.id("a")]
    assert (head.attempts, head.waiting) == (1, 1)


async def test_a_change_that_arrives_during_a_retry_is_replayed_by_it(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a")), world.put(lead("a"))])
    late = world.put(lead("a", company={"S": "late"}))
    arrived: list[object] = []

    async def arrive(operation: str, subject: object) -> None:
        if operation == "write" and "leads" in str(subject) and not arrived:
            arrived.append(subject)
            await world.sink().apply("shard", [late])

    world.db.after = arrive
    assert await world.retry().retry(world.id("a")) is None
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "late"}
    assert await world.quarantine.heads() == {}


@pytest.mark.parametrize("step", range(12))
async def test_a_change_that_arrives_at_any_step_of_a_retry_ends_in_v2(world: SyncWorld, step: int) -> None:
    sink = world.sink()
    await sink.apply("shard", [world.put(bad("a")), world.put(lead("a"))])
    late = world.put(lead("a", company={"S": "late"}))
    retrying = asyncio.create_task(world.retry().retry(world.id("a")))
    for _ in range(step):
        await asyncio.sleep(0)
    await sink.apply("shard", [late])
    await retrying
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "late"}
    assert await world.quarantine.heads() == {}


async def test_after_a_retry_changes_are_applied_at_once_again(world: SyncWorld) -> None:
    sink = world.sink()
    await sink.apply("shard", [world.put(bad("a")), world.put(lead("a"))])
    await world.retry().retry(world.id("a"))
    await sink.apply("shard", [world.put(lead("a", company={"S": "after"}))])
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "after"}


async def test_a_retry_killed_between_its_effect_and_its_end_is_done_again(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a")), world.put(lead("a"))])

    async def die(operation: str, subject: object) -> None:
        if operation == "transact" and "Delete" in str(subject):
            raise asyncio.CancelledError

    world.db.before = die
    with pytest.raises(asyncio.CancelledError):
        await world.retry().retry(world.id("a"))
    world.db.before = None
    assert world.v2("a") is not None
    assert await world.retry().retry(world.id("a")) is None
    assert await world.quarantine.heads() == {}


async def test_a_retry_that_takes_too_long_begins_no_more_writes(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a")), world.put(lead("a"))])

    async def slow(operation: str, subject: object) -> None:
        if operation == "query":
            await world.clock.sleep(7)

    world.db.before = slow
    retrying = asyncio.create_task(world.retry().retry(world.id("a")))
    await world.clock.advance(8)
    with pytest.raises(Fenced, match="repair of op took longer than 6 s"):
        await retrying
    assert world.v2("a") is None


async def test_a_retry_is_registered_before_it_reads(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a"))])
    order = []

    async def note(operation: str, subject: object) -> None:
        order.append((operation, "repair" in str(subject)))

    world.db.before = note
    await world.retry().retry(world.id("a"))
    assert order[0] == ("write", True)
    assert order[-1] == ("write", True)


async def test_a_copy_is_retried_from_the_old_item_as_it_is_now(world: SyncWorld) -> None:
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), UNMAPPED)
    world.put(lead("a", company={"S": "now"}))
    assert await world.retry().retry(world.id("a")) is None
    item = world.v2("a")
    assert item is not None
    assert item["company"] == {"S": "now"}


async def test_a_retried_copy_never_overwrites_what_a_change_wrote(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(lead("a", company={"S": "change"}))])
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), UNMAPPED)
    before = world.v2("a")
    assert await world.retry().retry(world.id("a")) is None
    assert world.v2("a") == before


async def test_a_copy_noted_twice_keeps_its_first_head(world: SyncWorld) -> None:
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), UNMAPPED)
    await world.clock.advance(50)
    await world.quarantine.add_copy("old", old_key("LEAD", "a"), Poison("later", reason="other"))
    head = (await world.quarantine.heads())[world.id("a")]
    assert (head.reason, head.first_seen) == ("unknown_entity", 1_700_000_000.0)


async def test_drop_takes_everything_away_and_says_what_it_was(world: SyncWorld) -> None:
    await world.sink().apply("shard", [world.put(bad("a")), world.put(lead("a"))])
    dropped = await drop_from_quarantine(world.quarantine, world.id("a"))
    assert dropped.waiting == 2
    assert await world.quarantine.heads() == {}
    assert await world.quarantine.changes(world.id("a")) == []


async def test_an_unknown_id_is_reported_plainly(world: SyncWorld) -> None:
    with pytest.raises(Misconfigured, match="nothing in quarantine has the id nope"):
        await world.retry().retry("nope")
    with pytest.raises(Misconfigured):
        await drop_from_quarantine(world.quarantine, "nope")


async def test_numeric_and_binary_old_keys_are_kept_as_they_are(world: SyncWorld) -> None:
    for key in ({"pk": {"N": "12345678901234567890123456789012345678"}}, {"pk": {"B": "AAE="}}):
        await world.quarantine.add_copy("old", key, UNMAPPED)
    heads = (await world.quarantine.heads()).values()
    assert sorted(map(str, (head.key for head in heads))) == [
        "{'pk': {'B': 'AAE='}}",
        "{'pk': {'N': '12345678901234567890123456789012345678'}}",
    ]
    assert await world.quarantine.holds("old", {"pk": {"B": "AAE="}})
    assert not await world.quarantine.holds("old", {"pk": {"S": "AAE="}})
