"""Reading a lane together: who begins when, by which rule, and how the engine is changed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from service.config import Settings
from service.control.engine import InForce, engine_in_force, put_embedded_in_force, put_kcl_in_force
from service.control.leases import SYNC_LEASE, Lease
from service.control.state import change_state
from service.core.item.write import Put
from service.migration.start import create_and_start
from service.streams.engine import EngineSnapshot
from service.streams.kcl.sink_slot import SinkSlot
from service.sync import shared_lane as sharing
from service.sync.forward_lane import ForwardLane
from service.sync.lane import Lane, read_alone
from service.sync.shared_lane import read_shared
from tests.worlds.start_world import Started

RUNNING = EngineSnapshot(shards_unfinished=1, shards_finished=0, rounds=0, lag_seconds=0.0)


class Reader:
    """Stands in for KCL's daemon and children: what a lane fills it with, and how often it was opened. ``saves``: for each sink."""

    opened: ClassVar[list["Reader"]] = []

    def __init__(self, streams: Sequence[Any], context: Any) -> None:
        self.streams = [stream.table for stream in streams]
        self.slot = SinkSlot(context.clock)
        self.context = context
        self.saves = 0
        self.open_now = False
        self.taken_over = 0

    @classmethod
    @asynccontextmanager
    async def open(cls, streams: Sequence[Any], context: Any) -> AsyncIterator["Reader"]:
        reader = cls(streams, context)
        cls.opened.append(reader)
        reader.open_now = True
        try:
            yield reader
        finally:
            reader.open_now = False

    async def save_applied(self) -> None:
        self.context.rule_fence()
        self.saves += 1

    def snapshot(self) -> EngineSnapshot:
        return RUNNING


@pytest.fixture(autouse=True)
def readers(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    monkeypatch.setattr(Reader, "opened", [])
    monkeypatch.setattr(sharing, "KclReader", Reader)
    monkeypatch.setattr(sharing, "require_daemon", lambda _: "java")
    return Reader.opened


async def started() -> Started:
    world = Started()
    await create_and_start(world.app)
    made: set[str] = set()

    async def make(table: Any) -> None:
        if table.name not in made:
            made.add(table.name)
            world.db.create_table(table.name, (table.key[0],))

    setattr(world.tables, "make", make)  # noqa: B010 - the stand-in of other tests makes nothing
    return world


@asynccontextmanager
async def running(world: Started, serve: Any = read_shared) -> AsyncIterator[ForwardLane]:
    lane = ForwardLane(world.app, serve)
    task = asyncio.create_task(lane.run())
    await world.clock.advance(2)
    try:
        yield lane
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def another(world: Started) -> Any:
    """The lane's lease, held by another worker."""
    return Lease.acquire(world.control, SYNC_LEASE, "another", world.clock, world.app.settings)


async def test_the_worker_with_the_lease_reads_counts_and_makes_the_lease_rows(readers: list[Reader]) -> None:
    world = await started()
    async with running(world) as lane:
        assert (lane.role, lane.failure) == ("owner", None)
        assert [reader.streams for reader in readers] == [["old"]]
        assert [row["checkpoint"] for row in world.db.items("tablesplit-kcl-old")] == [{"S": "TRIM_HORIZON"}]
        assert await engine_in_force(world.control, "forward") == InForce("kcl", "tablesplit-kcl")
        assert lane.beat().acting is not None
    assert not readers[0].open_now


async def test_without_the_lease_it_reads_once_the_holder_has_made_everything_ready(readers: list[Reader]) -> None:
    world = await started()
    async with another(world) as lease, running(world) as lane:
        await world.clock.advance(10)
        assert (lane.role, readers) == ("standby", [])
        await put_kcl_in_force(world.control, "forward", lease, "tablesplit-kcl")
        await world.clock.advance(2)
        assert (lane.role, lane.beat().reads, len(readers)) == ("reader", True, 1)
        assert lane.beat().rounds == 0  # it counts its own shards only


async def test_a_reader_that_gets_the_lease_goes_on_with_the_same_daemon_and_counts(readers: list[Reader]) -> None:
    world = await started()
    async with AsyncExitStack() as holder:
        lease = await holder.enter_async_context(another(world))
        await put_kcl_in_force(world.control, "forward", lease, "tablesplit-kcl")
        async with running(world) as lane:
            assert lane.role == "reader"
            await holder.aclose()
            await world.clock.advance(20)
            assert (lane.role, len(readers), readers[0].saves) == ("owner", 1, 1)
            assert lane._engines[0]._census is not None  # type: ignore[attr-defined]  # of KclEngine


async def test_a_change_of_rule_saves_what_is_applied_and_keeps_the_daemon(readers: list[Reader]) -> None:
    world = await started()
    async with running(world) as lane:
        was = lane.acting
        await change_state(
            world.control, world.app.mapping, world.clock.now(), lambda state: replace(state, rule="entering", epoch=1)
        )
        await world.clock.advance(3)
        assert lane.acting != was
        assert (lane.role, len(readers), readers[0].saves, readers[0].open_now) == ("owner", 1, 1, True)


async def test_a_worker_that_cannot_read_the_state_begins_anew_from_what_is_saved(readers: list[Reader]) -> None:
    # Stopped for longer than the writer horizon it cannot know by which rule others work: nothing it has in hand may be saved.
    world = await started()
    async with running(world) as lane:
        world.clock._elapsed += world.app.settings.lease_seconds + 1
        with pytest.raises(Exception, match="could not be read in time"):
            readers[0].context.rule_fence()
        await world.clock.advance(30)
        assert (lane.role, len(readers)) == ("owner", 2)


async def test_a_reader_stops_when_the_embedded_engine_is_put_in_force(readers: list[Reader]) -> None:
    world = await started()
    async with another(world) as lease:
        await put_kcl_in_force(world.control, "forward", lease, "tablesplit-kcl")
        async with running(world) as lane:
            assert lane.role == "reader"
            putting = asyncio.create_task(put_embedded_in_force(world.control, world.clock, "forward", lease, 5))
            await world.clock.advance(2)
            assert not readers[0].open_now
            assert (lane.role, lane.beat().acting) == ("standby", None)  # or every move would wait for it
            assert not putting.done()  # former readers may still write until the horizon has passed
            await world.clock.advance(4)
            assert putting.done()


async def test_a_horizon_that_an_earlier_holder_did_not_wait_out_is_waited_out_whole() -> None:
    world = await started()
    async with another(world) as lease:
        await put_kcl_in_force(world.control, "forward", lease, "tablesplit-kcl")
        first = asyncio.create_task(put_embedded_in_force(world.control, world.clock, "forward", lease, 20))
        await world.clock.advance(10)
        first.cancel()
        second = asyncio.create_task(put_embedded_in_force(world.control, world.clock, "forward", lease, 20))
        await world.clock.advance(15)
        assert not second.done()
        await world.clock.advance(6)
        assert second.done()
        assert await engine_in_force(world.control, "forward") == InForce("embedded", "tablesplit-kcl")


async def test_a_worker_with_other_tables_of_kcls_is_refused(readers: list[Reader]) -> None:
    # Both would lease every shard, and take the claims from each other by turns.
    world = await started()
    async with another(world) as lease:
        await put_kcl_in_force(world.control, "forward", lease, "theirs")
        async with running(world) as lane:
            assert (lane.role, readers) == ("stopped", [])
            assert "TABLESPLIT_KCL_APPLICATION=theirs" in (lane.beat().failure or "")


async def test_the_embedded_engine_begins_after_the_writer_horizon_and_reads_on(readers: list[Reader]) -> None:
    world = await started()
    async with running(world):
        assert readers[0].open_now
    world.db.apply(Put("old", {"pk": {"S": "LEAD#a"}, "sk": {"S": "METADATA"}}))
    async with running(world, read_alone) as lane:
        assert lane.acting is None
        await world.clock.advance(world.app.settings.writer_horizon_seconds + 2)
        assert lane.role == "owner"
        await world.clock.advance(60)
        assert lane.rounds() > 0


async def test_another_lease_table_stops_the_lane_with_the_way_out(readers: list[Reader]) -> None:
    world = await started()
    world.db.create_table("tablesplit-kcl-old", ("leaseKey",))
    world.db.apply(Put("tablesplit-kcl-old", {"leaseKey": {"S": "x"}, "checkpoint": {"S": "1"}}))

    async def make(table: Any) -> None:
        """It exists."""

    setattr(world.tables, "make", make)  # noqa: B010
    async with running(world) as lane:
        assert (lane.role, readers) == ("stopped", [])
        assert "belongs to another KCL application" in (lane.beat().failure or "")
        assert "TABLESPLIT_KCL_APPLICATION" in (lane.beat().failure or "")


async def test_nothing_is_read_once_the_migration_is_complete(readers: list[Reader]) -> None:
    world = await started()
    await change_state(
        world.control, world.app.mapping, world.clock.now(), lambda state: replace(state, phase="complete")
    )
    async with running(world) as lane:
        assert (lane.role, readers) == ("owner", [])


def test_the_options_come_from_the_settings() -> None:
    settings = Settings(kcl_application="mine", kcl_heap_mb=128, poll_interval_seconds=2)
    options = sharing.daemon_options(SimpleNamespace(settings=settings))  # type: ignore[arg-type]  # the settings are all
    assert (options.application, options.heap_mb, options.poll_seconds, options.extra) == ("mine", 128, 2, {})
    assert issubclass(ForwardLane, Lane)
