"""The embedded engine, interleaving by interleaving, on a scripted stream."""

import asyncio
from collections.abc import Collection

import pytest

from service.core.shards import CHILD_GRACE_SECONDS, FIRST_READ_SECONDS, FORGET_SECONDS, Position
from service.errors import GAP_REMEDY, Fenced, Poison, Retryable, StreamGone, Throttled, Trimmed
from service.streams.embedded import PAGES_IN_MEMORY
from service.streams.rounds import Rounds
from service.streams.tip import PAGES_AT_TIP
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import Pace, RecordingSink, running

START = {"p": Position(None)}


def stream_with(*values: str) -> ScriptedStream:
    stream = ScriptedStream()
    stream.shard("p")
    stream.write("p", *values)
    return stream


async def test_every_record_is_applied_in_order_and_its_position_saved() -> None:
    stream = stream_with(*"abcdefg")
    async with running(stream, START) as run:
        await run.rounds()
        assert run.sink.values == list("abcdefg")
        assert run.positions.saved["p"].sequence == run.sink.changes[-1].sequence


async def test_restart_goes_on_after_the_saved_position() -> None:
    stream = stream_with()
    first, *_ = stream.write("p", "a", "b", "c")
    async with running(stream, {"p": Position(None, first)}) as run:
        await run.rounds()
        assert run.sink.values == ["b", "c"]


async def test_children_are_read_only_after_their_parent_is_applied() -> None:
    stream = stream_with("1", "2", "3", "4", "5")
    stream.split("p", "c", "d")
    stream.write("c", "6")
    stream.write("d", "7")
    async with running(stream, START) as run:
        run.sink.gate.clear()
        await run.clock.advance(20)
        assert {what for method, what in stream.calls if method == "get_records"} == {"p"}
        run.sink.gate.set()
        await run.rounds()
        assert run.sink.values[:5] == list("12345")
        assert sorted(run.sink.values[5:]) == ["6", "7"]


async def test_records_that_come_with_a_null_iterator_are_applied_before_the_shard_is_finished() -> None:
    stream = stream_with("a", "b")
    stream.split("p", "c")
    async with running(stream, START) as run:
        run.sink.gate.clear()
        await run.clock.advance(10)
        assert run.positions.saved["p"].finished_at is None
        run.sink.gate.set()
        await run.rounds()
        assert run.sink.values == ["a", "b"]
        assert run.positions.saved["p"].state == "finished"
        assert run.positions.saved["p"].sequence == run.sink.changes[-1].sequence


async def test_late_children_hold_back_caught_up_and_are_asked_for_with_growing_waits() -> None:
    stream = stream_with("a")
    stream.split("p", "c", listed=False)
    stream.write("c", "b")
    async with running(stream, START, pace=Pace(shard_discovery_seconds=60)) as run:
        await run.clock.advance(3)
        assert stream.calls.count(("describe_stream", "p")) == 4
        assert run.engine.snapshot().rounds == 0
        assert run.engine.snapshot().lag_seconds > 2
        stream.shards["c"].listed = True
        await run.rounds(1)
        assert run.sink.values == ["a", "b"]


async def test_an_ended_shard_without_children_does_not_hold_back_caught_up_for_ever() -> None:
    stream = stream_with("a")
    stream.split("p")
    async with running(stream, START) as run:
        await run.clock.advance(CHILD_GRACE_SECONDS - 10)
        assert run.engine.snapshot().rounds == 0
        await run.clock.advance(20)
        assert run.engine.snapshot().rounds > 0


async def test_expired_iterator_is_opened_again_after_the_last_applied_record() -> None:
    stream = stream_with("a", "b", "c", "d")
    async with running(stream, START) as run:
        await run.rounds()
        stream.expire_iterators()
        stream.write("p", "e")
        await run.rounds()
        assert run.sink.values == list("abcde")
        last_opened = [what for method, what in stream.calls if method == "shard_iterator"][-1]
        assert last_opened == f"p AFTER_SEQUENCE_NUMBER {run.sink.changes[3].sequence}"
        assert run.retries == ["iterator_expired"]


async def test_iterator_that_expires_while_a_page_is_applied_does_not_repeat_that_page() -> None:
    stream = stream_with("a", "b", "c", "d")
    async with running(stream, START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        run.sink.gate.clear()
        await settle()
        stream.expire_iterators()
        await run.clock.advance(20)
        run.sink.gate.set()
        await run.rounds()
        assert run.sink.values == list("abcd")


async def test_expired_iterator_before_anything_was_applied_starts_at_the_trim_horizon_again() -> None:
    stream = stream_with()
    async with running(stream, START) as run:
        await run.rounds()
        stream.expire_iterators()
        stream.write("p", "a")
        await run.rounds()
        assert run.sink.values == ["a"]


@pytest.mark.parametrize("empty_pages", [1, PAGES_AT_TIP - 1, PAGES_AT_TIP + 1])
async def test_empty_pages_in_the_middle_do_not_end_a_shard(empty_pages: int) -> None:
    stream = stream_with("a")
    stream.pause("p", empty_pages)
    stream.write("p", "b")
    async with running(stream, START) as run:
        await run.rounds()
        assert run.sink.values == ["a", "b"]


async def test_a_few_empty_pages_are_not_yet_the_tip() -> None:
    stream = stream_with()
    stream.pause("p", 3)
    stream.write("p", "a")
    async with running(stream, START) as run:
        run.sink.gate.clear()
        await run.clock.advance(30)
        assert run.sink.begun == 1
        assert run.engine.snapshot().rounds == 0


async def test_old_thin_traffic_is_a_backlog_and_not_the_tip() -> None:
    stream = ScriptedStream(page_size=1)
    stream.shard("p")
    clock = VirtualClock()
    stream.created = clock.now() - 3600
    stream.write("p", *"abcdefgh")
    async with running(stream, START, clock=clock) as run:
        await run.clock.until(lambda: len(run.sink.changes) == 6)
        assert run.engine.snapshot().lag_seconds == pytest.approx(3600, abs=10)


async def test_rounds_go_on_under_continuous_writes() -> None:
    stream = stream_with()
    async with running(stream, START) as run:
        for _ in range(80):
            stream.created = run.clock.now()
            stream.write("p", "x")
            await run.clock.advance(0.25)
        assert run.engine.snapshot().rounds >= 2


async def test_a_round_needs_a_discovery_of_its_own() -> None:
    stream = stream_with("a")
    async with running(stream, START, pace=Pace(shard_discovery_seconds=50)) as run:
        await run.clock.advance(49)
        assert run.engine.snapshot().rounds == 1
        stream.shard("q")
        stream.write("q", "b")
        await run.rounds(1)
        assert run.sink.values == ["a", "b"]


async def test_a_round_needs_the_position_saved() -> None:
    stream = stream_with("a")
    async with running(stream, START) as run:
        run.positions.faults = [Retryable("control table away", reason="timeout")] * 1000
        await run.clock.advance(60)
        assert run.sink.values == ["a"]
        assert run.engine.snapshot().rounds == 0
        run.positions.faults = []
        await run.rounds()
        assert run.positions.saved["p"].sequence == run.sink.changes[0].sequence


async def test_throttling_backs_off_with_a_reason_and_loses_nothing() -> None:
    stream = stream_with("a", "b", "c", "d")
    stream.faults["get_records"].extend([Throttled("slow down")] * 3)
    stream.faults["describe_stream"].append(Retryable("no answer", reason="timeout"))
    async with running(stream, START) as run:
        await run.rounds()
        assert run.sink.values == list("abcd")
        assert sorted(run.retries) == ["throttled", "throttled", "throttled", "timeout"]


async def test_passing_trouble_in_the_sink_applies_the_same_page_again() -> None:
    stream = stream_with("a", "b", "c", "d")
    async with running(stream, START) as run:
        run.sink.faults = [Throttled("v2 table is busy")]
        await run.rounds()
        assert run.sink.values == list("abcd")


async def test_a_shard_is_read_at_most_four_times_a_second() -> None:
    stream = stream_with(*"abcdefghijklmnopqrstuvwxyz")
    async with running(stream, START) as run:
        await run.clock.advance(2.0)
        assert stream.calls.count(("get_records", "p")) == 9


async def test_an_idle_shard_is_read_at_the_poll_interval() -> None:
    stream = stream_with()
    async with running(stream, START, pace=Pace(poll_interval_seconds=4)) as run:
        await run.clock.advance(60)
        before = len(stream.calls)
        await run.clock.advance(40)
        assert sum(method == "get_records" for method, _ in stream.calls[before:]) == 10


async def test_the_next_page_is_read_while_one_is_applied_but_not_two() -> None:
    stream = stream_with(*"abcdefghijkl")
    async with running(stream, START) as run:
        run.sink.gate.clear()
        await run.clock.advance(30)
        assert run.sink.begun == 1
        assert stream.calls.count(("get_records", "p")) == 2


async def test_many_shards_are_read_side_by_side() -> None:
    stream = ScriptedStream()
    for number in range(100):
        stream.shard(f"s{number}")
        stream.write(f"s{number}", *"abcde")
    async with running(stream) as run:
        await run.rounds()
        assert len(run.sink.changes) == 500


async def test_all_shards_are_gone_over_a_few_times_a_round_and_not_at_every_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With 500 shards, and 6,000 that are finished, going over them at every read took most of a CPU."""
    looks = []
    settle_round = Rounds.settle

    def counted(rounds: Rounds, unfinished: Collection[str], *, children_late: bool) -> None:
        looks.append(len(unfinished))
        settle_round(rounds, unfinished, children_late=children_late)

    monkeypatch.setattr(Rounds, "settle", counted)
    stream = ScriptedStream()
    for number in range(100):
        stream.shard(f"s{number}")
        stream.write(f"s{number}", "a")
    async with running(stream) as run:
        await run.rounds(10)
        assert stream.calls.count(("get_records", "s7")) > 10
        assert len(looks) <= 3 * 10


@pytest.mark.parametrize("age", [0, 3600])
async def test_positions_are_saved_once_a_second_while_busy(age: int) -> None:
    stream = stream_with()
    async with running(stream, START) as run:
        stream.created = run.clock.now() - age
        stream.write("p", *(str(number) for number in range(120)))
        await run.clock.until(lambda: len(run.sink.changes) == 120)
        assert 9 <= len(run.positions.saves) <= 10


async def test_a_shard_that_falls_idle_is_saved_at_once() -> None:
    async with running(stream_with("a"), START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        await run.rounds()
        assert run.positions.saved["p"].sequence == run.sink.changes[0].sequence


async def test_busy_and_unsaved_is_not_a_round() -> None:
    stream = stream_with()
    async with running(stream, START, pace=Pace(checkpoint_every_seconds=1000)) as run:
        for _ in range(60):
            stream.created = run.clock.now()
            stream.write("p", "x")
            await run.clock.advance(0.25)
        assert run.engine.snapshot().rounds == 0


async def test_an_idle_position_is_saved_anew_every_hour_so_that_its_age_stays_known() -> None:
    clock = VirtualClock()
    start = {"p": Position(None, as_of=clock.now())}
    pace = Pace(poll_interval_seconds=60, shard_discovery_seconds=60)
    async with running(stream_with(), start, pace=pace, clock=clock) as run:
        await run.clock.advance(3 * 3600)
        assert len(run.positions.saves) == 2
        assert (run.positions.saved["p"].as_of or 0) > clock.now() - 3700


async def test_pages_in_memory_are_bounded_over_all_shards() -> None:
    stream = ScriptedStream()
    for number in range(40):
        stream.shard(f"s{number}")
        stream.write(f"s{number}", *"abcdefghi")
    async with running(stream) as run:
        run.sink.gate.clear()
        await run.clock.advance(10)
        assert sum(method == "get_records" for method, _ in stream.calls) == PAGES_IN_MEMORY
        run.sink.gate.set()
        await run.rounds()
        assert len(run.sink.changes) == 40 * 9


async def test_children_that_are_known_are_not_asked_for() -> None:
    stream = stream_with("a")
    async with running(stream, START) as run:
        await run.rounds()
        stream.split("p", "c")
        await run.rounds()
        assert stream.calls.count(("describe_stream", "p")) == 1


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


async def test_records_trimmed_under_a_slow_reader_fail_closed_after_the_page_in_hand() -> None:
    stream = stream_with(*"abcdefghijkl")
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


async def test_a_finished_shard_that_is_still_listed_is_not_read_again() -> None:
    stream = stream_with("a")
    stream.split("p", "c")
    clock = VirtualClock()
    done = Position(None, "9", "finished", finished_at=clock.now() - FORGET_SECONDS - 10)
    async with running(stream, {"p": done}, clock=clock) as run:
        await run.rounds()
        assert run.sink.values == []
        assert "p" in run.positions.saved


async def test_a_finished_shard_is_forgotten_once_it_is_gone_and_old_and_its_child_reads_on() -> None:
    stream = stream_with()
    stream.split("p", "c")
    stream.vanish("p")
    stream.write("c", "a")
    clock = VirtualClock()
    done = Position(None, "9", "finished", finished_at=clock.now() - FORGET_SECONDS - 10)
    async with running(stream, {"p": done, "c": Position("p")}, clock=clock) as run:
        await run.rounds()
        assert list(run.positions.saved) == ["c"]
        assert run.sink.values == ["a"]


async def test_new_shards_are_saved_parents_first() -> None:
    stream = ScriptedStream()
    stream.shard("c", "p")
    stream.shard("p")
    async with running(stream) as run:
        await settle()
        assert [shard for shard, _ in run.positions.saves[:2]] == ["p", "c"]


async def test_lag_is_the_age_of_the_oldest_unapplied_change_and_zero_at_the_tip() -> None:
    stream = stream_with()
    async with running(stream, START) as run:
        await run.rounds()
        stream.created = run.clock.now()
        run.sink.gate.clear()
        stream.write("p", "a")
        await run.clock.advance(30)
        assert run.engine.snapshot().lag_seconds == pytest.approx(30, abs=2)
        run.sink.gate.set()
        await run.rounds()
        assert run.engine.snapshot().lag_seconds == 0


async def test_retention_headroom_shrinks_while_the_sink_stands_still() -> None:
    stream = stream_with()
    async with running(stream, START, pace=Pace(shard_discovery_seconds=60)) as run:
        await run.rounds()
        stream.created = run.clock.now()
        stream.write("p", "a")
        run.sink.gate.clear()
        await run.clock.advance(3600 * 4)
        assert run.engine.snapshot().retention_headroom_seconds == pytest.approx(3600 * 20, abs=20)


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
