"""A stream of 500 shards, which lists 3,500: how often it is described, and how soon new shards are found all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.core.shards import Position
from service.dynamodb.protocol import StreamDescription
from service.errors import StreamGone
from service.streams.embedded import CHILD_WAITS_SECONDS
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from tests.fakes.clocks import VirtualClock
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import MemoryPositions, RecordingSink

SHARDS = 500
GENERATIONS = 7
"""A day of them, rolled over every four hours."""

CALLS_PER_SECOND = 2.0
WINDOW = 60.0
DISCOVERY_SECONDS = 2.0
"""The default."""

LAST = f"g{GENERATIONS - 1}"


def finished(parent: str | None, at: float) -> Position:
    return Position(parent, state="finished", finished_at=at)


class Counted(ScriptedStream):
    """Notes when each DescribeStream was made."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self.clock = clock
        self.described: list[float] = []

    async def describe_stream(
        self, arn: str, *, children_of: str | None = None, after: str | None = None, whole: bool = True
    ) -> StreamDescription:
        assert not whole, "a listing whose pages nobody paces"
        self.described.append(self.clock.monotonic())
        return await super().describe_stream(arn, children_of=children_of, after=after, whole=False)

    @property
    def busiest(self) -> float:
        """Calls a second in the busiest window."""
        counts = [sum(1 for at in self.described if begin <= at < begin + WINDOW) for begin in self.described]
        return max(counts) / WINDOW


def day_old(clock: VirtualClock) -> tuple[Counted, dict[str, Position]]:
    stream = Counted(clock)
    known = {}
    for generation in range(GENERATIONS):
        for number in range(SHARDS):
            name, parent = f"g{generation}-{number}", f"g{generation - 1}-{number}" if generation else None
            stream.shard(name, parent)
            stream.shards[name].ended = generation < GENERATIONS - 1
            known[name] = finished(parent, clock.now()) if stream.shards[name].ended else Position(parent)
    return stream, known


@dataclass
class Discovery:
    """The shards of a stream, listed as the embedded engine does it."""

    stream: Counted
    clock: VirtualClock
    shards: Shards
    positions: MemoryPositions

    async def list_forever(self) -> None:
        while True:
            await self.shards.look()
            await self.clock.sleep(DISCOVERY_SECONDS)

    async def end(self, shard_id: str) -> None:
        """The shard is read to its end, and its children are searched for."""
        await self.shards.save(shard_id, finished(self.shards.known[shard_id].parent_id, self.clock.now()))
        for seconds in CHILD_WAITS_SECONDS:
            if self.shards.has_child(shard_id):
                return
            await self.shards.refresh_children(shard_id)
            await self.clock.sleep(seconds)


@asynccontextmanager
async def discovering() -> AsyncIterator[tuple[Discovery, asyncio.Task[None]]]:
    clock = VirtualClock()
    stream, known = day_old(clock)
    positions = MemoryPositions(RecordingSink(), known)
    shards = Shards(StreamRequests(stream, stream.arn, "old", StreamRetry(clock, lambda _: None)), positions)
    await shards.load()
    discovery = Discovery(stream, clock, shards, positions)
    task = asyncio.create_task(discovery.list_forever())
    yield discovery, task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_500_shards_stay_under_two_calls_a_second_also_when_all_of_them_roll_over_at_once() -> None:
    async with discovering() as (discovery, _):
        await discovery.clock.advance(120)
        for number in range(SHARDS):
            discovery.stream.split(f"{LAST}-{number}", f"new-{number}")
        ends = asyncio.gather(*(discovery.end(f"{LAST}-{number}") for number in range(SHARDS)))
        await discovery.clock.until(ends.done)
        found = [discovery.shards.known[f"new-{number}"].as_of for number in range(SHARDS)]
        assert max(moment or 0.0 for moment in found) - discovery.clock.now() < 0
        assert discovery.clock.monotonic() < 120 + 60
        await discovery.clock.advance(120)
        assert 0.2 < discovery.stream.busiest < CALLS_PER_SECOND, discovery.stream.busiest


async def test_a_child_of_one_shard_is_found_in_seconds_among_500() -> None:
    async with discovering() as (discovery, _):
        await discovery.clock.advance(70)
        discovery.stream.split(f"{LAST}-7", "new")
        began = discovery.clock.now()
        end = asyncio.ensure_future(discovery.end(f"{LAST}-7"))
        await discovery.clock.until(end.done)
        found = discovery.shards.known["new"].as_of
        assert found is not None
        assert found - began < 3


async def test_a_shard_whose_parent_is_not_listed_is_not_adopted_from_a_part_of_the_listing() -> None:
    """It may be of a generation that came and went unseen: only a whole listing shows that, and the lane stops then."""
    async with discovering() as (discovery, task):
        await discovery.clock.advance(70)
        discovery.stream.shard("orphan", "never-seen")
        await discovery.clock.until(task.done)
        assert isinstance(task.exception(), StreamGone)
        assert "orphan" not in discovery.positions.saved
