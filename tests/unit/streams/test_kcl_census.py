"""The census: what several workers' reports add up to, and what KCL itself would not report."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from service.control.claims import SharedCheckpoints
from service.control.table import ControlTable
from service.core.item.write import Delete
from service.core.shards import Position
from service.errors import StreamGone
from service.streams.kcl.census import ROWS_SECONDS, Census, CountedStream
from service.streams.kcl.lease_table import KEY, LeaseTable
from service.streams.kcl.reader import HUNG_SECONDS, KclReader
from service.streams.kcl.reports import ShardReports, ShardView
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


class World:
    """The stream of a table with one shard, KCL's lease table of it, and a census."""

    def __init__(self) -> None:
        self.db = MemoryDynamoDB()
        self.clock = VirtualClock()
        arn = self.db.create_table("old", ("pk",))
        self.db.create_table("control", ("pk", "sk"))
        self.db.create_table("leases", (KEY,))
        self.shard_id = self.db.stream("old").describe(None).shards[0].shard_id
        self.control = control = ControlTable(self.db, "control")
        self.claims = SharedCheckpoints(control, arn, "m", self.clock, 6.0, token=1)
        self.reports = ShardReports(control, "forward", self.clock)
        retry = StreamRetry(self.clock, lambda _: None)
        shards = Shards(StreamRequests(self.db, arn, "old", retry), self.claims)
        counted = CountedStream("old", shards, LeaseTable(self.db, "leases", "control"))
        self.census = Census([counted], self.reports, self.clock, retry, 2.0)

    async def report(self, worker: str, number: int, pages: int, lag: float = 0.0, clock_off: float = 0.0) -> None:
        """A worker that has the shard, and is at its end as of its last page but one. ``clock_off``: how wrong its clock is."""
        view = ShardView(pages, max(0, pages - 1), lag, lag, self.clock.now())
        others = ShardReports(self.control, "forward", SimpleNamespace(now=lambda: self.clock.now() + clock_off))  # type: ignore[arg-type]
        await others.save(worker, number, {f"old/{self.shard_id}": view})

    @asynccontextmanager
    async def counting(self) -> AsyncIterator[asyncio.Task[None]]:
        await self.claims.save(self.shard_id, Position(parent_id=None, as_of=self.clock.now()))
        await self.census.begin()
        task = asyncio.create_task(self.census.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("clock_off", [0.0, -7200.0, -120.0, 120.0])
async def test_rounds_pass_while_the_workers_read_on_and_none_when_one_falls_silent(clock_off: float) -> None:
    world = World()
    async with world.counting():
        for number in range(1, 20):
            await world.report("w", number, 2 * number, clock_off=clock_off)
            await world.clock.advance(0.6)
        rounds = world.census.snapshot().rounds
        assert rounds >= 2
        await world.clock.advance(60)
        assert world.census.snapshot().rounds == rounds
        assert world.census.snapshot().lag_seconds > 40  # nobody reads it


async def test_of_two_workers_that_show_one_shard_the_worse_counts() -> None:
    # One of them is superseded, and does not know it yet: what it shows must not hide the lag of the other.
    world = World()
    async with world.counting():
        for number in (1, 2):
            await world.report("a", number, 10, lag=0.0)
            await world.report("b", number, 10, lag=90.0)
            await world.report("c", number, 10, lag=0.0)
            await world.clock.advance(1)
        assert world.census.snapshot().lag_seconds == 90.0


async def test_a_shard_that_vanishes_unread_stops_the_lane() -> None:
    world = World()
    async with world.counting() as task:
        world.db.stream("old").split(world.shard_id)
        world.db.stream("old").forget(world.shard_id)
        await world.clock.advance(10)
        with pytest.raises(StreamGone, match="not listed any more although unread"):
            task.result()


async def test_a_row_that_kcl_has_dropped_of_a_shard_that_is_to_be_read_comes_back() -> None:
    # Without it KCL takes the shard for read, and goes on with its children.
    world = World()
    async with world.counting():
        assert [row[KEY]["S"] for row in world.db.items("leases")] == [world.shard_id]
        world.db.apply(Delete("leases", {KEY: {"S": world.shard_id}}))
        await world.clock.advance(ROWS_SECONDS + 5)
        assert [row[KEY]["S"] for row in world.db.items("leases")] == [world.shard_id]


async def test_new_shards_get_a_row_and_a_position() -> None:
    world = World()
    async with world.counting():
        children = world.db.stream("old").split(world.shard_id)
        await world.clock.advance(5)
        assert {row[KEY]["S"] for row in world.db.items("leases")} == {world.shard_id, *children}
        assert set(await world.claims.load()) == {world.shard_id, *children}
        assert world.census.snapshot().shards_waiting == 2


@pytest.mark.parametrize(
    ("ages", "killed"), [((70.0, 90.0), True), ((70.0, 5.0), False), ((70.0, None), False), ((), False)]
)
async def test_a_daemon_is_killed_when_none_of_its_shards_is_delivered_anything(
    ages: tuple[float | None, ...], killed: bool
) -> None:
    clock = VirtualClock()
    begun = clock.now() + HUNG_SECONDS / 4
    held = [SimpleNamespace(delivered_at=None if age is None else begun - age) for age in ages]
    settings = SimpleNamespace(poll_interval_seconds=0.5)
    reader: Any = SimpleNamespace(
        _context=SimpleNamespace(clock=clock, settings=settings), _children=SimpleNamespace(held=tuple(held))
    )
    kills: list[float] = []
    daemon: Any = SimpleNamespace(kill=lambda: kills.append(clock.now()))
    watching = asyncio.create_task(KclReader._kill_when_hung(reader, daemon))
    await clock.advance(HUNG_SECONDS / 4 + 1)
    watching.cancel()
    assert bool(kills) == killed
