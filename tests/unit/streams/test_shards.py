"""The shards of a stream: where reading starts, where it goes on after an accepted gap, and listings that overlap."""

import asyncio

import pytest

from service.core.shards import FIRST_READ_SECONDS, Position
from service.errors import Retryable, Trimmed
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.streams.shards import Shards, initial_positions, positions_after_gap
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import MemoryPositions, RecordingSink, running, stream_with

NOW = 1_700_000_000.0


async def test_the_saved_start_is_every_listed_shard() -> None:
    stream = ScriptedStream()
    stream.shard("c", "p")
    stream.shard("p", "trimmed-long-ago")
    start = await initial_positions(stream, stream.arn, VirtualClock(NOW))
    assert list(start.items()) == [
        ("p", Position("trimmed-long-ago", as_of=NOW)),
        ("c", Position("p", as_of=NOW)),
    ]


async def test_the_start_waits_until_the_stream_lists_a_shard() -> None:
    """A shard that was missing at the start would seem to have begun when it was listed, a day later perhaps."""
    stream, clock = ScriptedStream(), VirtualClock(NOW)
    starting = asyncio.create_task(initial_positions(stream, stream.arn, clock))
    await clock.advance(5)
    assert not starting.done()
    stream.shard("s")
    await clock.until(starting.done)
    assert [*starting.result()] == ["s"]


async def test_a_stream_that_lists_no_shard_is_said_in_the_end() -> None:
    stream, clock = ScriptedStream(), VirtualClock(NOW)
    starting = asyncio.create_task(initial_positions(stream, stream.arn, clock))
    await clock.until(starting.done)
    with pytest.raises(Retryable, match="lists no shard"):
        starting.result()


async def test_a_shard_that_began_and_was_trimmed_while_nobody_read_is_a_gap() -> None:
    """Its parent was read to its end before the stop; the shard was first listed a day later."""
    stream = stream_with("a")
    clock = VirtualClock(NOW)
    ended = clock.now() - FIRST_READ_SECONDS - 1
    stream.split("p", "c")
    stream.write("c", "gone", "left")
    stream.trim("c", 1)
    done = Position(None, "9", "finished", finished_at=ended, as_of=ended)
    async with running(stream, {"p": done}, clock=clock) as run:
        assert type(await run.fails()) is Trimmed
        assert run.sink.values == []


async def test_after_an_accepted_gap_the_engine_runs_on_from_what_is_left() -> None:
    stream = ScriptedStream()
    stream.shard("fine")
    read, _ = stream.write("fine", "old", "x")
    stream.shard("trimmed")
    lost, _, _ = stream.write("trimmed", "old", "gone", "y")
    stream.trim("trimmed", 2)
    stream.shard("late")
    stream.write("late", "z")
    stream.shard("orphan", "never-seen")
    stream.write("orphan", "w")
    known = {
        "fine": Position(None, read, as_of=NOW),
        "trimmed": Position(None, lost, as_of=NOW - FIRST_READ_SECONDS - 1),
        "vanished": Position(None, as_of=NOW),
        "late": Position(None, as_of=NOW - FIRST_READ_SECONDS - 1),
        "done": Position(None, "9", "finished", finished_at=NOW - 1000),
    }
    after = await positions_after_gap(stream, stream.arn, known, now=NOW)
    assert after == {
        "done": known["done"],
        "fine": known["fine"],
        "trimmed": Position(None, as_of=NOW),
        "late": Position(None, as_of=NOW),
        "orphan": Position("never-seen", as_of=NOW),
    }
    async with running(stream, after) as run:
        await run.rounds()
        assert sorted(run.sink.values) == ["w", "x", "y", "z"]


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
