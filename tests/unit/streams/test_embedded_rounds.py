"""Rounds, saved positions, lag and the pace of reads of the embedded engine, on a scripted stream."""

from collections.abc import Collection

import pytest

from service.core.shards import CHILD_GRACE_SECONDS, Position
from service.errors import Retryable
from service.streams.rounds import Rounds
from tests.fakes.clocks import VirtualClock
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import START, Pace, running, stream_with


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


async def test_a_shard_is_read_at_most_four_times_a_second() -> None:
    stream = stream_with(*"abcdefghijklmnopqrstuvwxyz")
    async with running(stream, START) as run:
        await run.clock.advance(2.0)
        assert stream.calls.count(("get_records", "p")) == 9


async def test_beside_a_lambda_function_it_is_read_as_seldom_as_the_setting_says() -> None:
    stream = stream_with(*"abcdefghijklmnopqrstuvwxyz")
    async with running(stream, START, pace=Pace(shard_read_seconds=1.0)) as run:
        await run.clock.advance(4.0)
        assert stream.calls.count(("get_records", "p")) == 5


async def test_an_idle_shard_is_read_at_the_poll_interval() -> None:
    stream = stream_with()
    async with running(stream, START, pace=Pace(poll_interval_seconds=4)) as run:
        await run.clock.advance(60)
        before = len(stream.calls)
        await run.clock.advance(40)
        assert sum(method == "get_records" for method, _ in stream.calls[before:]) == 10


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
