"""What the engine tells the metrics: the age of what it reads and applies, and which shards wait."""

import pytest

from service.streams.engine import Position
from tests.fakes.clocks import VirtualClock
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import running

START = {"p": Position(None)}


def hour_old(clock: VirtualClock, *values: str) -> ScriptedStream:
    """A shard whose records are an hour old, one a page."""
    stream = ScriptedStream(page_size=1)
    stream.shard("p")
    stream.created = clock.now() - 3600
    stream.write("p", *values)
    return stream


async def test_the_age_of_each_change_is_measured_once_it_is_applied() -> None:
    clock = VirtualClock()
    stream = hour_old(clock, "a")
    async with running(stream, START, clock=clock) as run:
        run.sink.gate.clear()
        await clock.advance(20)
        assert run.ages == []
        run.sink.gate.set()
        await run.rounds()
        assert run.ages == [pytest.approx(3620, abs=1)]


async def test_a_clock_behind_that_of_the_stream_makes_no_negative_age() -> None:
    clock = VirtualClock()
    stream = hour_old(clock)
    stream.created = clock.now() + 5
    stream.write("p", "a")
    async with running(stream, START, clock=clock) as run:
        await clock.advance(2)
        assert run.ages == [0.0]


async def test_read_lag_is_the_age_of_the_newest_change_read_whether_applied_or_not() -> None:
    clock = VirtualClock()
    stream = hour_old(clock, "a")
    stream.created = clock.now() - 1800
    stream.write("p", "b")
    async with running(stream, START, clock=clock) as run:
        run.sink.gate.clear()
        await clock.advance(10)
        assert run.sink.begun == 1  # of the first page; the second is read and waits
        assert run.engine.snapshot().read_lag_seconds == pytest.approx(1810, abs=1)
        assert run.engine.snapshot().lag_seconds == pytest.approx(3610, abs=1)


async def test_read_lag_is_zero_at_the_tip() -> None:
    clock = VirtualClock()
    async with running(hour_old(clock, "a"), START, clock=clock) as run:
        await run.rounds()
        await clock.advance(60)
        assert run.engine.snapshot().read_lag_seconds == 0


async def test_a_child_waits_for_its_parent() -> None:
    clock = VirtualClock()
    stream = hour_old(clock, "a")
    stream.split("p", "c")
    async with running(stream, START, clock=clock) as run:
        run.sink.gate.clear()
        await clock.advance(5)
        seen = run.engine.snapshot()
        assert (seen.shards_unfinished, seen.shards_waiting, seen.shards_finished) == (2, 1, 0)
        run.sink.gate.set()
        await run.rounds()
        seen = run.engine.snapshot()
        assert (seen.shards_unfinished, seen.shards_waiting, seen.shards_finished) == (1, 0, 1)
