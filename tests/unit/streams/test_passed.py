"""Where reading a stream starts that has been on for a day: what the first Scan sees is not replayed, and nothing else is left out.

The scripted stream answers as AWS does: closed shards with an EndingSequenceNumber, records only up to the moment of a read.
"""

import asyncio
from collections.abc import Callable

from service.core.shards import Position
from service.dynamodb.protocol import RecordsPage
from service.errors import Throttled
from service.streams.passed import PASS_SECONDS, StreamStart, stream_start
from tests.fakes.clocks import VirtualClock
from tests.fakes.scripted_stream import ScriptedStream
from tests.worlds.stream_run import Pace, running

OLD = 0.0
"""The time of every scripted record of before the start: long ago."""


class Interrupted(ScriptedStream):
    """Lets a test do something after the request number ``n`` of a start: ``then[n]``."""

    def __init__(self, page_size: int = 3) -> None:
        super().__init__(page_size)
        self.then: dict[int, Callable[[], object]] = {}

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        page = await super().get_records(iterator, limit)
        self.then.get(len([1 for method, _ in self.calls if method == "get_records"]), lambda: None)()
        return page


async def started(stream: ScriptedStream, clock: VirtualClock | None = None, **options: bool) -> StreamStart:
    clock = clock or VirtualClock()
    start = asyncio.ensure_future(stream_start(stream, stream.arn, clock, Pace().shard_read_seconds, **options))
    await clock.until(start.done)
    return await start


async def applied(stream: ScriptedStream, start: StreamStart) -> list[str]:
    """What a sync applies that begins from ``start``."""
    async with running(stream, start.positions) as run:
        await run.rounds()
        return run.sink.values


async def test_nothing_of_a_day_old_stream_is_replayed_and_what_comes_after_the_start_is_applied() -> None:
    stream = ScriptedStream()
    stream.created = OLD
    stream.day_old(writes=7)
    start = await started(stream)
    assert {position.state for shard, position in start.positions.items() if shard != "s5"} == {"finished"}
    assert (start.closed_shards, start.open_shards, start.replayed_shards) == (5, 1, 0)
    stream.write("s5", "new")
    assert await applied(stream, start) == ["new"]


async def test_a_closed_shard_that_leaves_the_listing_before_sync_begins_stops_nothing() -> None:
    stream = ScriptedStream()
    stream.day_old(writes=2)
    start = await started(stream)
    stream.vanish("s0")
    stream.vanish("s1")
    assert await applied(stream, start) == []


async def test_a_write_that_the_scan_may_have_passed_is_applied_however_old_its_time_says_it_is() -> None:
    """A rule by ApproximateCreationDateTime loses it: its second is rounded down, and clocks differ."""
    stream = ScriptedStream()
    stream.day_old(writes=2)
    start = await started(stream)
    stream.created = OLD
    stream.write("s5", "late")
    assert await applied(stream, start) == ["late"]


async def test_a_record_that_arrives_while_the_start_reads_is_left_out_only_if_it_was_returned() -> None:
    stream = Interrupted()
    stream.created = OLD
    stream.day_old(writes=2)
    reads = 4 + 1 + 4
    stream.then = {reads: lambda: stream.write("s5", "after the last page")}
    start = await started(stream)
    assert len([1 for method, _ in stream.calls if method == "get_records"]) == reads
    assert await applied(stream, start) == ["after the last page"]


async def test_a_shard_that_splits_between_the_listing_and_the_first_scan_has_its_children_read_whole() -> None:
    """LATEST for every shard that is listed when sync begins loses them."""
    stream = Interrupted()
    stream.day_old(writes=2)

    def split() -> None:
        stream.write("s5", "last of the parent")
        stream.split("s5", "c0", "c1")
        stream.write("c0", "first of a child")

    stream.then = {1: split}
    start = await started(stream)
    assert start.positions["s5"].state == "finished"
    assert "c0" not in start.positions
    assert await applied(stream, start) == ["first of a child"]


async def test_a_child_is_not_passed_over_while_its_parent_is_still_to_be_read() -> None:
    """A listing of several pages can show a parent from before its split and the children from after it. Were the parent's
    changes applied and the child's left out, an item would stay as the parent had it: see tests/convergence/test_races.py."""
    stream = ScriptedStream()
    stream.shard("p", "trimmed")
    stream.write("p", "1", "2", "3", "4", "5", "6", "7")
    stream.shard("c", "p")
    stream.write("c", "8")
    clock = VirtualClock()
    stream.faults["shard_iterator"].append(Throttled("the parent's"))
    start = await started(stream, clock)
    assert start.positions["p"] == Position("trimmed", as_of=start.positions["p"].as_of)
    assert start.positions["c"].sequence is None
    assert start.replayed_shards == 2
    stream.shards["p"].ended = True
    assert await applied(stream, start) == list("12345678")


async def test_a_shard_closed_under_an_open_parent_is_read_too() -> None:
    stream = ScriptedStream()
    stream.shard("p", "trimmed")
    stream.write("p", "1")
    stream.shard("c", "p")
    stream.shards["c"].ended = True
    stream.faults["shard_iterator"].append(Throttled("the parent's"))
    start = await started(stream)
    assert start.positions["c"].state == "reading"


async def test_a_busy_shard_is_passed_over_without_reading_all_of_it() -> None:
    stream = Interrupted()
    stream.shard("p", "trimmed")
    stream.write("p", *(str(number) for number in range(3000)))
    stream.then = {1: lambda: stream.write("p", "busy")}
    start = await started(stream)
    assert (start.replayed_shards, len(stream.calls) < 10) == (0, True)
    assert await applied(stream, start) == []


async def test_a_backlog_that_takes_too_long_is_replayed_from_where_reading_stopped() -> None:
    stream = ScriptedStream(page_size=1)
    stream.shard("p", "trimmed")
    stream.created = OLD
    stream.write("p", *(str(number) for number in range(400)))
    clock = VirtualClock()
    start = await started(stream, clock)
    assert clock.monotonic() <= PASS_SECONDS + 1
    assert start.replayed_shards == 1
    left = await applied(stream, start)
    assert left == [str(number) for number in range(400)][-len(left) :]
    assert 0 < len(left) < 400


async def test_a_stream_that_was_switched_on_just_now_is_not_read() -> None:
    stream = ScriptedStream()
    stream.shard("p")
    start = await started(stream, read_open=False)
    assert [method for method, _ in stream.calls] == ["describe_stream"]
    assert (start.positions["p"].sequence, start.replayed_shards) == (None, 0)
