"""The known shards of a stream, when two looks at it overlap."""

import asyncio

from service.core.shards import Position
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import MemoryPositions, RecordingSink


class SlowPositions(MemoryPositions):
    """Every save waits for ``gate``."""

    gate: asyncio.Event

    async def save(self, shard_id: str, position: Position) -> None:
        await self.gate.wait()
        await super().save(shard_id, position)


async def test_a_child_found_by_two_looks_at_once_is_saved_once_so_its_progress_is_not_set_back() -> None:
    stream = ScriptedStream()
    stream.shard("p")
    stream.split("p", "c")
    positions = SlowPositions(RecordingSink(), {"p": Position(None)})
    positions.gate = asyncio.Event()
    clock = VirtualClock()
    retry = StreamRetry(clock, lambda reason: None)
    shards = Shards(StreamRequests(stream, stream.arn, "old", retry), positions)
    await shards.load()
    looks = asyncio.gather(shards.refresh(), shards.refresh_children("p"))
    await settle()
    positions.gate.set()
    await looks
    assert [shard for shard, _ in positions.saves] == ["c"]
