"""What stops the embedded engine: a gap in the stream, an error of the sink, a cancellation; and what it has saved then."""

import asyncio

import pytest

from service.core.shards import FIRST_READ_SECONDS, Position
from service.errors import GAP_REMEDY, Fenced, Poison, Retryable, StreamGone, Trimmed
from tests.fakes.clocks import VirtualClock, settle
from tests.worlds.stream_run import START, Pace, RecordingSink, running, stream_with


async def test_stop_saves_what_was_applied_and_not_the_batch_in_hand() -> None:
    stream = stream_with(*"abcdef")
    async with running(stream, START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        await run.clock.until(lambda: len(run.sink.changes) == 3)
        run.sink.gate.clear()
        await run.clock.advance(1)
        assert (run.sink.begun, run.positions.saves) == (2, [])
        await run.stop()
        assert run.task.cancelled()
        assert run.positions.saved["p"].sequence == run.sink.changes[2].sequence


async def test_a_stop_saves_how_far_an_idle_shard_was_read_so_that_the_next_reader_begins_without_lag() -> None:
    """A move between phases opens the streams anew: after a quiet half hour the gate and the alerts would see its lag."""
    clock = VirtualClock()
    start = {"p": Position(None, as_of=clock.now())}
    async with running(stream_with(), start, clock=clock) as run:
        await run.clock.advance(1800)
        await run.stop()
    stopped = clock.now()
    async with running(stream_with(), start | run.positions.saved, clock=clock) as run:
        await settle()
        assert run.engine.snapshot().lag_seconds == pytest.approx(clock.now() - stopped, abs=10)


async def test_a_fenced_worker_saves_nothing_more() -> None:
    stream = stream_with(*"abcdef")
    async with running(stream, START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        await run.clock.until(lambda: len(run.sink.changes) == 3)
        run.sink.faults = [Fenced("the lease has passed")]
        assert isinstance(await run.fails(), Fenced)
        assert run.positions.saves == []


async def test_what_the_sink_raises_for_good_stops_the_engine_plainly_after_saving_what_was_applied() -> None:
    stream = stream_with(*"abcdef")
    async with running(stream, START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        await run.clock.until(lambda: len(run.sink.changes) == 3)
        run.sink.faults = [Poison("cannot be written", reason="too_big")]
        assert type(await run.fails()) is Poison
        assert run.positions.saved["p"].sequence == run.sink.changes[2].sequence


async def test_trimmed_position_fails_closed() -> None:
    stream = stream_with("a", "b", "c")
    first = stream.shards["p"].entries[0]["dynamodb"]["SequenceNumber"]  # type: ignore[index]  # a record
    stream.trim("p", 2)
    async with running(stream, {"p": Position(None, first)}) as run:
        error = await run.fails()
        assert type(error) is Trimmed
        assert error.message == (
            "table old, shard p: unread changes are older than 24 hours and gone; changes may be missing"
        )
        assert error.remedy == GAP_REMEDY
        assert run.sink.values == []


async def test_a_position_whose_record_is_a_day_old_is_no_gap_while_all_of_that_day_is_applied() -> None:
    """A table that was quiet before a long stop: the last record is gone from the stream, and every later one is there."""
    clock = VirtualClock()
    stream = stream_with("applied", "new")
    applied = stream.shards["p"].entries[0]["dynamodb"]["SequenceNumber"]  # type: ignore[index]  # a record
    stream.trim("p", 1)
    quiet = Position(None, applied, as_of=clock.now() - FIRST_READ_SECONDS + 60)
    async with running(stream, {"p": quiet}, clock=clock) as run:
        await run.rounds()
        assert run.sink.values == ["new"]


async def test_records_trimmed_under_a_slow_reader_fail_closed_after_the_page_in_hand() -> None:
    stream = stream_with()
    stream.created = VirtualClock().now() - FIRST_READ_SECONDS - 1  # each was trimmed at its time
    stream.write("p", *"abcdefghijkl")
    async with running(stream, START) as run:
        run.sink.gate.clear()
        await run.clock.advance(5)
        stream.trim("p", 9)
        run.sink.gate.set()
        assert type(await run.fails()) is Trimmed
        assert run.sink.values == list("abcdef")
        assert run.positions.saved["p"].sequence == run.sink.changes[-1].sequence


async def test_a_shard_never_opened_for_a_day_fails_closed_though_the_trim_horizon_would_open() -> None:
    clock = VirtualClock()
    stream = stream_with("a")
    seen = clock.now() - FIRST_READ_SECONDS - 1
    async with running(stream, {"p": Position(None, as_of=seen)}, clock=clock) as run:
        error = await run.fails()
        assert type(error) is Trimmed
        assert "shard p: first read later than 24 hours after it began" in error.message


async def test_a_shard_that_vanished_unread_fails_closed() -> None:
    stream = stream_with("a")
    async with running(stream, {"p": Position(None), "q": Position(None)}) as run:
        error = await run.fails()
        assert type(error) is StreamGone
        assert "table old, shard q: not" in error.message
        assert error.remedy == GAP_REMEDY


async def test_a_generation_that_came_and_went_unseen_fails_closed_before_its_children_are_read() -> None:
    stream = stream_with()
    stream.shard("grandchild", "never-seen")
    stream.write("grandchild", "z")
    async with running(stream, START) as run:
        error = await run.fails()
        assert type(error) is StreamGone
        assert "shard never-seen" in error.message
        assert run.sink.values == []


async def test_a_listing_that_lags_behind_once_is_not_a_vanished_shard() -> None:
    stream = stream_with("a")
    async with running(stream, START) as run:
        await run.rounds()
        stream.shards["p"].listed = False
        await run.clock.until(lambda: stream.calls[-1][0] == "describe_stream")
        stream.shards["p"].listed = True
        stream.write("p", "b")
        await run.rounds()
        assert run.sink.values == ["a", "b"]


@pytest.mark.parametrize("status", ["DISABLING", "DISABLED"])
async def test_a_stream_that_is_switched_off_fails_closed(status: str) -> None:
    stream = stream_with("a")
    async with running(stream, START) as run:
        await run.rounds()
        stream.status = status
        error = await run.fails()
        assert type(error) is StreamGone
        assert error.message == (f"table old, stream {stream.arn}: the stream is {status}; changes may be missing")


async def test_a_changed_arn_fails_closed() -> None:
    stream = stream_with("a")
    stream.faults["describe_stream"].append(StreamGone("Requested resource not found"))
    async with running(stream, START) as run:
        error = await run.fails()
        assert type(error) is StreamGone
        assert error.remedy == GAP_REMEDY


async def test_a_save_that_hangs_does_not_keep_the_engine_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.streams.shard_reader.STOP_SECONDS", 0.01)
    async with running(stream_with("a"), START) as run:
        run.positions.faults = [Retryable("control table away", reason="timeout")] * 1000
        await run.clock.until(lambda: "timeout" in run.retries)
        run.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(run.task, 5)
        assert run.positions.saves == []


async def test_cancel_while_waiting_for_a_shard_ends_at_once() -> None:
    sink = RecordingSink()
    async with running(stream_with(), START, sink=sink) as run:
        await run.clock.advance(7)
        await run.stop()
        with pytest.raises(asyncio.CancelledError):
            run.task.result()
