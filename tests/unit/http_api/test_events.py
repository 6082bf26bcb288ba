"""The console's events: one snapshot for all listeners, only while there are any, and one event at a time for each."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.errors import Fatal
from service.http_api.events import EVERY_SECONDS, LISTENERS_AT_MOST, ConsoleEvents
from tests.fakes.clocks import VirtualClock


class Source:
    """Documents that are numbered, or a failure."""

    def __init__(self) -> None:
        self.taken = 0
        self.failure: Exception | None = None

    async def take(self) -> dict[str, Any]:
        self.taken += 1
        if self.failure:
            raise self.failure
        return {"number": self.taken, "text": "</script>\nline"}


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def events(source: Source, clock: VirtualClock) -> ConsoleEvents:
    return ConsoleEvents(source.take, clock)


def listening(events: ConsoleEvents) -> AsyncIterator[bytes]:
    listener = events.listen()
    assert listener is not None
    return listener


def parsed(event: bytes) -> tuple[str, Any]:
    name, content, *rest = event.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), json.loads(content.removeprefix("data: "))


async def test_all_listeners_share_one_snapshot(events: ConsoleEvents, source: Source, clock: VirtualClock) -> None:
    first, second = listening(events), listening(events)
    received = [parsed(await anext(listener)) for listener in (first, second)]
    assert received == [("status", {"number": 1, "text": "</script>\\nline"})] * 2
    await clock.advance(EVERY_SECONDS)
    assert parsed(await anext(first))[1]["number"] == 2
    assert source.taken == 2


async def test_a_slow_listener_gets_the_newest_event_and_delays_no_other(
    events: ConsoleEvents, source: Source, clock: VirtualClock
) -> None:
    slow = listening(events)
    await clock.advance(5 * EVERY_SECONDS)
    assert parsed(await anext(slow))[1]["number"] == source.taken > 3


async def test_nothing_is_read_without_listeners(events: ConsoleEvents, source: Source, clock: VirtualClock) -> None:
    async def one_event() -> None:
        listener = listening(events)
        await anext(listener)
        await listener.aclose()  # type: ignore[attr-defined] # it is a generator

    await one_event()
    await clock.advance(10 * EVERY_SECONDS)
    assert source.taken <= 2
    before = source.taken
    await one_event()
    assert source.taken == before + 1


async def test_a_failed_read_is_reported_and_repeated(
    events: ConsoleEvents, source: Source, clock: VirtualClock
) -> None:
    source.failure = Fatal("the control table does not exist", remedy="tablesplit create-tables")
    listener = listening(events)
    name, trouble = parsed(await anext(listener))
    assert (name, trouble["message"], trouble["remedy"]) == (
        "trouble",
        "the control table does not exist",
        "tablesplit create-tables",
    )
    source.failure = None
    await clock.advance(EVERY_SECONDS)
    assert parsed(await anext(listener))[0] == "status"


async def test_a_bug_in_a_read_is_reported_too_and_ends_no_stream(
    events: ConsoleEvents, source: Source, clock: VirtualClock
) -> None:
    source.failure = ZeroDivisionError()
    listener = listening(events)
    name, trouble = parsed(await anext(listener))
    assert (name, trouble["kind"]) == ("trouble", "unexpected")
    source.failure = None
    await clock.advance(EVERY_SECONDS)
    assert parsed(await anext(listener))[0] == "status"


async def test_the_number_of_listeners_is_limited_and_one_that_leaves_makes_room(events: ConsoleEvents) -> None:
    crowd = [listening(events) for _ in range(LISTENERS_AT_MOST)]
    assert events.listen() is None
    crowd.pop()  # it has read nothing yet
    assert events.listen() is not None


async def test_closing_ends_every_listener(events: ConsoleEvents) -> None:
    listener = listening(events)
    await anext(listener)
    reading = asyncio.create_task(anext(listener))
    await asyncio.sleep(0)
    await events.close()
    with pytest.raises(StopAsyncIteration):
        await reading
    assert events.listen() is None


async def test_what_an_item_brought_reaches_the_page_escaped(clock: VirtualClock) -> None:
    async def take() -> dict[str, Any]:
        return {"key": "a\u202eb\nc\ud800"}

    events = ConsoleEvents(take, clock)
    listener = events.listen()
    assert listener is not None
    event = (await anext(listener)).decode()
    await events.close()
    assert json.loads(event.partition("data: ")[2]) == {"key": "a\\u202eb\\nc\\ud800"}
