"""Documents that all readers share: one read for all, again every two seconds while anybody asks."""

import asyncio

import pytest

from service.errors import Fatal, Interrupted
from service.http_api.shared import ASKED_SECONDS, EVERY_SECONDS, SHARE_OF_TIME, Shared
from tests.fakes.clocks import VirtualClock, settle


class Source:
    """Numbered documents, each of which takes some time; or a failure."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.reads = 0
        self.seconds = 0.0
        self.failure: Exception | None = None

    async def read(self) -> int:
        self.reads += 1
        number = self.reads
        await self.clock.sleep(self.seconds)
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


async def test_what_takes_long_is_read_less_often(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    source.seconds = 3
    first = asyncio.create_task(shared.get())
    await clock.advance(3 + 3 * SHARE_OF_TIME - 1)
    assert (first.result(), source.reads) == (1, 1)
    await clock.advance(2)
    assert source.reads == 2
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


async def test_a_bug_in_a_read_reaches_its_readers(shared: Shared[int], source: Source, clock: VirtualClock) -> None:
    source.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
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
