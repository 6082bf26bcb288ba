"""Documents that all readers share: one read for all, again every two seconds while anybody asks."""

import asyncio
from contextlib import suppress

import pytest

from service.errors import Fatal, Interrupted, Unexpected
from service.http_api.shared import ASKED_SECONDS, EVERY_SECONDS, PAUSE_SECONDS, SHARE_OF_TIME, Shared
from tests.fakes.clocks import VirtualClock, settle


class Source:
    """Numbered documents, each of which takes some time; or a failure."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.reads = 0
        self.seconds = 0.0
        self.failure: Exception | None = None
        self.seconds_to_give_up = 0.0
        self.at_once = self.most_at_once = 0

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.clock.sleep(self.seconds)
        except asyncio.CancelledError:
            await self.clock.sleep(self.seconds_to_give_up)
            raise
        finally:
            self.at_once -= 1
        if self.failure:
            raise self.failure
        return number


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def source(clock: VirtualClock) -> Source:
    return Source(clock)


@pytest.fixture
def shared(source: Source, clock: VirtualClock) -> Shared[int]:
    return Shared(source.read, clock)


async def test_forty_readers_at_once_cost_one_read(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    source.seconds = 1
    readers = [asyncio.create_task(shared.get()) for _ in range(40)]
    await clock.advance(1)
    assert {reader.result() for reader in readers} == {1}
    await shared.close()


async def test_who_comes_later_does_not_wait(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    assert await shared.get() == 1
    source.seconds = 1
    await clock.advance(EVERY_SECONDS + 0.5)
    assert (await shared.get(), source.reads) == (1, 2)
    await clock.advance(0.5)
    assert await shared.get() == 2
    await shared.close()


@pytest.mark.parametrize(("seconds", "pause"), [(0.5, 0.5 * SHARE_OF_TIME), (3, PAUSE_SECONDS)])
async def test_what_takes_long_is_read_less_often_but_not_seldom(
    shared: Shared[int], source: Source, clock: VirtualClock, seconds: float, pause: float
) -> None:
    source.seconds = seconds
    first = asyncio.create_task(shared.get())
    await clock.advance(seconds + pause - 0.25)
    assert (first.result(), source.reads) == (1, 1)
    await clock.advance(0.5)
    assert source.reads == 2
    await shared.close()


async def test_a_failure_that_took_long_is_not_kept_for_long(
    shared: Shared[int], source: Source, clock: VirtualClock
) -> None:
    source.seconds, source.failure = 3, Fatal("the control table is gone")
    first = asyncio.create_task(shared.get())
    await clock.advance(source.seconds + EVERY_SECONDS)
    assert isinstance(first.exception(), Fatal)
    source.failure = None
    await clock.advance(source.seconds)
    assert await shared.get() == 2
    await shared.close()


async def test_nothing_is_read_while_nobody_asks(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    await shared.get()
    await clock.advance(10 * ASKED_SECONDS)
    reads = source.reads
    assert reads <= ASKED_SECONDS / EVERY_SECONDS + 1
    assert await shared.get() == reads + 1
    await shared.close()


async def test_a_failure_is_told_to_all_until_a_read_succeeds(
    shared: Shared[int], source: Source, clock: VirtualClock
) -> None:
    source.failure = Fatal("the control table is gone")
    for _ in range(2):
        with pytest.raises(Fatal):
            await shared.get()
    assert source.reads == 1
    source.failure = None
    await clock.advance(EVERY_SECONDS)
    assert await shared.get() == 2
    await shared.close()


async def test_a_bug_in_a_read_reaches_its_readers_as_an_error_of_ours(
    shared: Shared[int], source: Source, clock: VirtualClock
) -> None:
    source.failure = ZeroDivisionError()
    with pytest.raises(Unexpected, match="unexpected ZeroDivisionError"):
        await shared.get()
    source.failure = None
    await clock.advance(EVERY_SECONDS)
    assert await shared.get() == 2
    await shared.close()


async def test_after_a_change_the_next_reader_sees_it(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    assert await shared.get() == 1
    await shared.renew()
    assert await shared.get() == 2
    source.seconds = 1
    await shared.renew()
    waiting = asyncio.create_task(shared.get())
    await settle()
    await shared.renew()
    await clock.advance(1)
    assert waiting.result() == 4
    await shared.close()


async def test_a_reader_is_not_left_waiting_by_a_service_that_stops(shared: Shared[int], source: Source) -> None:
    source.seconds = 1
    waiting = asyncio.create_task(shared.get())
    await settle()
    await shared.close()
    for ask in (waiting, shared.get()):
        with pytest.raises(Interrupted, match="stopping"):
            await ask


async def test_who_asks_during_a_renewal_is_answered_and_so_is_who_waits_already(
    shared: Shared[int], source: Source, clock: VirtualClock
) -> None:
    source.seconds, source.seconds_to_give_up = 1, 3
    before = asyncio.create_task(shared.get())
    await settle()
    renewing = asyncio.create_task(shared.renew())
    await settle()
    meanwhile = asyncio.create_task(shared.get())
    await clock.advance(5)
    assert (before.done(), meanwhile.done(), renewing.done()) == (True, True, True)
    assert (before.result(), meanwhile.result()) == (2, 2)
    await clock.advance(ASKED_SECONDS / 2)
    assert source.most_at_once == 1
    await shared.close()


async def test_nobody_waits_for_a_document_that_is_renewed_when_it_closes(
    shared: Shared[int], source: Source, clock: VirtualClock
) -> None:
    source.seconds, source.seconds_to_give_up = 1, 3
    before = asyncio.create_task(shared.get())
    await settle()
    renewing = asyncio.create_task(shared.renew())
    await settle()
    meanwhile = asyncio.create_task(shared.get())
    await settle()
    closing = asyncio.create_task(shared.close())
    await clock.advance(10)
    for waiting in (before, meanwhile):
        with pytest.raises(Interrupted, match="stopping"):
            waiting.result()
    assert (renewing.done(), closing.done()) == (True, True)
    reads = source.reads
    await clock.advance(ASKED_SECONDS)
    assert source.reads == reads


async def test_what_was_given_up_and_goes_on_is_not_shown(source: Source, clock: VirtualClock) -> None:
    """asyncio.wait_for, of Python 3.11, returns instead of being cancelled when both happen at once."""

    async def read_on() -> int:
        with suppress(asyncio.CancelledError):
            return await source.read()
        return 0

    shared = Shared(read_on, clock)
    source.seconds = 1
    waiting = asyncio.create_task(shared.get())
    await settle()
    await shared.renew()
    await clock.advance(EVERY_SECONDS)
    assert waiting.result() == 2
    await shared.close()
