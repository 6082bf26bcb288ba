"""What it costs to record many writes of the application on the side that should be quiet, and that none of them is lost."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from service.control.activity import AHEAD_SECONDS, PARTS, Activities, Activity, ActivityRecorder
from service.core.item.write import Put, Update
from service.core.mapping.transform import forward
from service.core.phases.acting import Side
from service.errors import Retryable
from service.sync.sinks.before_dual import RogueWriteSink
from service.sync.sinks.forward import ForwardSink
from tests.builders.small_crm import MAPPING, lead
from tests.worlds.both_ways_world import BothWays

CHANGES = 500
AT_ONCE = 16


class Counted(BothWays):
    """Counts the requests for records of activity. Every request gives other tasks a turn before it takes effect."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.quiet: Side | None = "old"
        self.requests: Counter[str] = Counter()
        self.refuse_writes = 0
        """So many of the next writes of an activity record fail."""
        self.db.before = self._count

    async def _count(self, operation: str, subject: object) -> None:
        key = subject.item if isinstance(subject, Put) else subject.key if isinstance(subject, Update) else subject
        if isinstance(key, dict) and key.get("pk") == {"S": "activity"}:
            self.requests[operation] += 1
            if operation == "write" and self.refuse_writes:
                self.refuse_writes -= 1
                raise Retryable("no answer", reason="connection")
        await asyncio.sleep(0)

    def recorder(self, side: Side) -> ActivityRecorder:
        return ActivityRecorder(Activities(self.control), side, self.clock, quiet=self.quiet == side)

    def forward_sink(self, worker: str = "w") -> ForwardSink:
        context = replace(self.context("old"), activity=self.recorder("old"))
        return ForwardSink(self.access(worker=worker), context, AT_ONCE)

    async def activity(self, side: Side) -> Activity:
        return (await Activities(self.control).load())[side]

    async def rogue_writes(self, side: Side) -> int:
        return sum((await self.activity(side)).intruders.values())


def named(number: int) -> str:
    return f"lead-{number:03}"


async def both(*lanes: Coroutine[Any, Any, None]) -> None:
    """Two lanes at a time. A record that both change must stop neither."""
    await asyncio.gather(*lanes)


async def test_before_dual_a_page_costs_one_write_of_the_count() -> None:
    world = Counted()
    world.quiet = "v2"
    for number in range(CHANGES):
        world.db.apply(Put("leads", forward(MAPPING, lead(named(number))).item))
    changes = world.unread("leads")
    sinks = [RogueWriteSink(MAPPING, world.recorder("v2")) for _ in range(2)]
    await both(*[sink.apply("s", changes[lane::2]) for lane, sink in enumerate(sinks)])
    assert await world.rogue_writes("v2") == CHANGES
    assert sum(world.requests.values()) <= 12, world.requests


async def test_under_the_ledger_rule_a_page_costs_one_write_of_the_count_and_one_a_second() -> None:
    world = Counted()
    for number in range(CHANGES):
        world.db.apply(Put("old", lead(named(number))))
    changes = world.unread("old")
    await both(*[world.forward_sink(str(lane)).apply("s", changes[lane::2]) for lane in range(2)])
    assert await world.rogue_writes("old") == CHANGES
    assert sum(world.requests.values()) <= 12, world.requests


@pytest.mark.parametrize("quiet", ["old", None])
async def test_a_change_is_recorded_before_its_effect(quiet: Side | None) -> None:
    """The worker that reads it again finds it applied, and can no longer tell who made it."""
    world = Counted()
    world.quiet = quiet
    world.db.apply(Put("old", lead("a")))
    await world.killed("old", lambda write: write.table == "leads", after=True)
    await world.carry_from("old", worker="next")
    activity = await world.activity("old")
    assert activity.last_change_at is not None
    assert activity.last_change_at >= world.clock.now()
    assert activity.intruders == ({"LEAD": 1} if quiet else {})


async def test_a_count_that_could_not_be_written_is_written_later_and_once() -> None:
    world = Counted()
    for name in ("a", "b"):
        world.db.apply(Put("old", lead(name)))
    changes, sink, world.refuse_writes = world.unread("old"), world.forward_sink(), 1
    with pytest.raises(Retryable):
        await sink.apply("s", changes)
    await sink.apply("s", changes)
    assert await world.rogue_writes("old") == 2


async def test_each_second_of_a_long_page_is_recorded_while_it_is_applied() -> None:
    world = Counted()
    recorder = world.recorder("old")
    for number in range(4):
        world.db.apply(Put("old", lead(named(number))))
    for change in world.unread("old"):
        await recorder.application_changed("LEAD", change)
        activity = await world.activity("old")
        assert activity.last_change_at is not None
        assert activity.last_intruder_at is not None
        assert min(activity.last_change_at, activity.last_intruder_at) >= world.clock.now()
        await world.clock.advance(AHEAD_SECONDS / 2)
    assert world.requests["write"] == 2
    await recorder.flush()
    assert await world.rogue_writes("old") == 4


async def test_more_writers_than_records_lose_no_count_and_stop_no_lane() -> None:
    world = Counted()
    world.db.apply(Put("old", lead("a")))
    (change,) = world.unread("old")

    async def pages(recorder: ActivityRecorder) -> None:
        for _ in range(5):
            recorder.note("LEAD", change)
            await recorder.flush()

    writers = PARTS + 8
    await asyncio.gather(*[pages(world.recorder("old")) for _ in range(writers)])
    assert await world.rogue_writes("old") == 5 * writers


async def test_one_writer_needs_one_request_a_page_and_the_record_that_earlier_versions_read() -> None:
    world = Counted()
    world.db.apply(Put("old", lead("a")))
    (change,) = world.unread("old")
    recorder = world.recorder("old")
    for _ in range(10):
        recorder.note("LEAD", change)
        await recorder.flush()
    assert world.requests == {"get": 1, "write": 10}
    assert await world.control.records("activity", Activity).names() == ["old"]
