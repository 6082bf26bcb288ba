"""Which records the embedded engine applies, and in which order, interleaving by interleaving on a scripted stream."""

import pytest

from service.core.shards import FORGET_SECONDS, Position
from service.errors import Retryable, Throttled
from service.streams.embedded import PAGES_IN_MEMORY
from service.streams.tip import PAGES_AT_TIP
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import START, Pace, running, stream_with


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
