"""A real child of KCL's daemon and the service, by KCL's own protocol: what is checkpointed, and when a child leaves."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.core.item.write import Put
from service.core.shards import Position
from service.errors import Fatal, StreamGone
from tests.fakes.memory import Hook
from tests.worlds.kcl_child_world import World, child_of

END = {"action": "shardEnded"}
DEADLINE_SECONDS = 300
LOST = {"action": "leaseLost"}
STOP = {"action": "shutdownRequested"}


@pytest.fixture
async def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    await world.claims.save(world.shard_id, Position(parent_id=None))
    return world


async def test_a_batch_is_checkpointed_once_it_is_applied_and_saved(world: World) -> None:
    async with world.serving(), child_of(world) as kcl:
        records = world.put("1", "2", "3")
        world.sink.gate.clear()
        asked = asyncio.create_task(kcl.process_records(records))
        await world.sink.reached.wait()
        assert (kcl.checkpoints, asked.done()) == ([], False)
        world.sink.gate.set()
        await asked
        await kcl.process_records([])  # an empty read: what has been saved since is checkpointed
        last = records[-1]["sequenceNumber"]
        assert world.sink.values == ["1", "2", "3"]
        assert kcl.checkpoints[-1] == last == (await world.saved()).sequence


async def test_what_is_delivered_again_is_not_applied_again(world: World) -> None:
    async with world.serving():
        records = world.put("1", "2")
        async with child_of(world) as kcl:
            await kcl.process_records(records)
            await kcl.ask(STOP)
        async with child_of(world) as kcl:
            await kcl.process_records([*records, *world.put("3")])
        assert world.sink.values == ["1", "2", "3"]


async def test_a_child_whose_batch_cannot_be_applied_ends_and_says_nothing_is_done(world: World) -> None:
    world.sink.faults.append(Fatal("broken"))

    async def serve() -> None:
        async with world.serving(), child_of(world) as kcl:
            with pytest.raises(EOFError):
                await kcl.process_records(world.put("1"))
            assert await kcl.status() == 1
            assert kcl.checkpoints == []
            await asyncio.Event().wait()  # the service stops

    with pytest.raises(ExceptionGroup) as stopped:
        await asyncio.wait_for(serve(), DEADLINE_SECONDS)
    assert stopped.group_contains(Fatal, match="broken")


async def test_a_lost_shard_is_not_checkpointed_and_kcl_says_next_that_it_is_lost(world: World) -> None:
    async with world.serving(), child_of(world) as kcl:
        await world.claims.claim(world.shard_id)  # another worker
        await kcl.process_records(world.put("1"))
        await kcl.ask(LOST)
        assert (kcl.checkpoints, world.sink.values) == ([], [])


async def test_a_shard_that_is_claimed_while_its_page_is_being_saved_costs_no_other_shard_its_daemon(
    world: World,
) -> None:
    # By then the service has answered "applied"; KCL reports next that the shard is lost, and the child must not exit for that.
    async with world.serving(), child_of(world) as kcl:
        world.db.before = _claim_before_the_save(world)
        await kcl.process_records(world.put("1"))
        await kcl.ask(LOST)
        assert (kcl.checkpoints, world.sink.values) == ([], ["1"])
        assert kcl.process.returncode is None


def _claim_before_the_save(world: World) -> Hook:
    """Another worker claims the shard right before its position is saved."""
    claimed = False

    async def before(operation: str, subject: object) -> None:
        nonlocal claimed
        if not claimed and operation == "write" and isinstance(subject, Put) and world.sink.values:
            claimed = True
            await world.claims.claim(world.shard_id)

    return before


async def test_pages_that_are_delivered_again_do_not_show_the_end_of_the_shard(world: World) -> None:
    # With what is applied left out they are empty; taken for empty reads, four of them would say "caught up".
    records = world.put(*(str(number) for number in range(12)))
    await world.claims.forget(world.shard_id)
    await world.claims.save(world.shard_id, Position(parent_id=None, sequence=records[9]["sequenceNumber"]))
    async with world.serving(), child_of(world) as kcl:
        for record in records[:10]:
            await kcl.process_records([record])
        (held,) = world.children.held
        assert (held.pages, held.tip_page) == (10, 0)
        for page in (records[10:], [], [], [], [], []):
            await kcl.process_records(page)
        assert held.tip_page > 10
        assert world.sink.values == ["10", "11"]


async def test_a_shard_that_is_delivered_nothing_lags_whatever_its_last_page_has_shown(world: World) -> None:
    # The daemon hangs, or is refused: an idle shard would be delivered empty pages.
    async with world.serving(), child_of(world) as kcl:
        for _ in range(8):
            await kcl.process_records([])
        (held,) = world.children.held
        now = SystemClock().now()
        assert held.view(now).lag_seconds == 0
        later = held.view(now + 3600)
        assert later.lag_seconds == later.read_lag_seconds == pytest.approx(3600, abs=60)


async def test_a_shard_is_not_read_before_its_parent_whatever_kcls_rows_say(world: World) -> None:
    (child,) = world.db.stream("old").split(world.shard_id, 1)
    await world.claims.save(child, Position(parent_id=world.shard_id))
    world.shard_id = child

    async def serve() -> None:
        async with world.serving():
            with pytest.raises(EOFError):
                async with child_of(world):
                    """It is never initialized."""
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as stopped:
        await asyncio.wait_for(serve(), DEADLINE_SECONDS)
    assert stopped.group_contains(StreamGone, match="before its parent shardId-00000000 has been read to its end")


async def test_a_child_that_is_given_more_of_a_lost_shard_ends_so_that_nothing_is_passed_over(world: World) -> None:
    # With no more than "lost", the next batch's checkpoint would pass over the one that was not applied.
    async with world.serving(), child_of(world) as kcl:
        await world.claims.claim(world.shard_id)
        await kcl.process_records(world.put("1"))
        with pytest.raises(EOFError):
            await kcl.process_records(world.put("2"))
        assert await kcl.status() == 1
        assert kcl.checkpoints == []


async def test_the_end_of_a_shard_is_saved_before_it_is_checkpointed(world: World) -> None:
    async with world.serving(), child_of(world) as kcl:
        await kcl.process_records(world.put("1"))
        world.db.stream("old").split(world.shard_id)
        await kcl.ask(END)
        assert kcl.checkpoints[-1] is None
        assert (await world.saved()).state == "finished"


async def test_a_shard_that_has_vanished_stops_the_service_and_not_the_shard(world: World) -> None:
    # KCL's adapter takes "resource not found" for the end of a shard, and would go on with the children.
    async def serve() -> None:
        async with world.serving(), child_of(world) as kcl:
            world.db.stream("old").split(world.shard_id)
            world.db.stream("old").forget(world.shard_id)
            with pytest.raises(EOFError):
                await kcl.ask(END)
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as stopped:
        await asyncio.wait_for(serve(), DEADLINE_SECONDS)
    assert stopped.group_contains(StreamGone, match="not listed any more although unread")
    assert (await world.saved()).state == "reading"


async def test_a_stop_checkpoints_what_is_applied(world: World) -> None:
    async with world.serving(), child_of(world) as kcl:
        records = world.put("1", "2")
        await kcl.process_records(records)
        await kcl.ask(STOP)
        await kcl.ask(LOST)
        assert kcl.checkpoints[-1] == records[-1]["sequenceNumber"]


@pytest.mark.parametrize(
    ("error", "goes_on"), [("ThrottlingException", True), ("ShutdownException", True), ("InvalidStateException", False)]
)
async def test_a_checkpoint_that_is_refused(world: World, error: str, goes_on: bool) -> None:
    async with world.serving(), child_of(world) as kcl:
        kcl.errors.append(error)

        async def deliver() -> None:
            for records in (world.put("1"), [], []):
                await kcl.process_records(records)

        if goes_on:
            await deliver()
            assert len(kcl.checkpoints) == (2 if error == "ThrottlingException" else 1)
        else:
            with pytest.raises(EOFError):
                await deliver()
            assert await kcl.status() == 1


async def test_a_child_whose_service_is_gone_ends(world: World) -> None:
    async with AsyncExitStack() as later:
        async with world.serving():
            kcl = await later.enter_async_context(child_of(world))
        with pytest.raises(EOFError):
            await kcl.process_records(world.put("1"))
        assert await kcl.status() == 1
