"""Leases by interleaving: take-over, refusal, fencing, release. Time is virtual."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from service.control.leases import Lease
from service.control.table import ControlTable
from service.errors import Fatal, Fenced, Refused, Retryable
from tests.fakes.clocks import VirtualClock, settle
from tests.fakes.memory import MemoryDynamoDB


@dataclass(frozen=True)
class Times:
    lease_seconds: float = 6.0
    heartbeat_seconds: float = 2.0


class World:
    """Workers that want the lease ``backfill``."""

    def __init__(self) -> None:
        self.store = MemoryDynamoDB()
        self.store.create_table("control", ["pk", "sk"])
        self.control = ControlTable(self.store, "control")
        self.clock = VirtualClock()
        self.holders: list[str] = []
        self.leases: dict[str, Lease] = {}
        self.leave = asyncio.Event()

    async def stand_by(self, owner: str) -> None:
        async with Lease.acquire(self.control, "backfill", owner, self.clock, Times()) as lease:
            await self._work(owner, lease)

    async def try_once(self, owner: str) -> None:
        async with Lease.try_acquire(self.control, "backfill", owner, self.clock, Times()) as lease:
            await self._work(owner, lease)

    async def _work(self, owner: str, lease: Lease) -> None:
        self.holders.append(owner)
        self.leases[owner] = lease
        await self.leave.wait()


@pytest.fixture
async def world() -> World:
    return World()


@asynccontextmanager
async def running(*work: asyncio.Task[None]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)


async def kill(task: asyncio.Task[None], world: World) -> None:
    """kill -9: nothing more of it reaches the store, the release neither."""

    async def unreachable(operation: str, subject: object) -> None:
        raise Retryable("killed", reason="killed")

    world.store.before = unreachable
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    world.store.before = None


@asynccontextmanager
async def taken_over_from(world: World) -> AsyncIterator[Lease]:
    """The lease of a killed holder, for a block in which its standby has it."""
    first = asyncio.create_task(world.stand_by("first"))
    await settle()
    second = asyncio.create_task(world.stand_by("second"))
    async with running(first, second):
        await world.clock.advance(10)
        await kill(first, world)
        await world.clock.until(lambda: "second" in world.holders)
        yield world.leases["first"]


async def test_a_standby_waits_as_long_as_the_holder_renews(world: World) -> None:
    first = asyncio.create_task(world.stand_by("first"))
    await settle()
    second = asyncio.create_task(world.stand_by("second"))
    async with running(first, second):
        await world.clock.advance(600)
        assert world.holders == ["first"]
        world.leases["first"].check()


async def test_a_standby_takes_over_a_killed_holder_within_ten_seconds(world: World) -> None:
    first = asyncio.create_task(world.stand_by("first"))
    await settle()
    second = asyncio.create_task(world.stand_by("second"))
    async with running(first, second):
        await world.clock.advance(33.3)
        await kill(first, world)
        killed_at = world.clock.monotonic()
        await world.clock.until(lambda: "second" in world.holders)
        assert world.clock.monotonic() - killed_at < 10
        assert world.leases["second"].token == world.leases["first"].token + 1


async def test_the_holder_has_stopped_by_its_own_clock_before_the_standby_takes_over(world: World) -> None:
    async with taken_over_from(world) as lease:
        with pytest.raises(Fenced, match="lease backfill of first could not be renewed in time"):
            lease.check()


async def test_a_clean_exit_lets_the_standby_in_at_once(world: World) -> None:
    first = asyncio.create_task(world.stand_by("first"))
    await settle()
    second = asyncio.create_task(world.stand_by("second"))
    await world.clock.advance(10)
    async with running(first, second):
        first.cancel()
        await world.clock.advance(1)
        assert world.holders == ["first", "second"]


async def test_a_second_backfill_is_refused_while_the_first_renews(world: World) -> None:
    first = asyncio.create_task(world.try_once("first"))
    await settle()
    async with running(first):
        second = asyncio.create_task(world.try_once("second"))
        await world.clock.until(second.done, within=3)
        with pytest.raises(Refused, match=r"another backfill is running \(owner first, renewed 0 s ago\)"):
            await second


async def test_a_killed_backfill_is_waited_out_by_the_next(world: World) -> None:
    first = asyncio.create_task(world.try_once("first"))
    await world.clock.advance(11)
    await kill(first, world)
    second = asyncio.create_task(world.try_once("second"))
    async with running(second):
        await world.clock.until(lambda: "second" in world.holders, within=8)


async def test_two_standbys_never_hold_together_when_the_holder_dies(world: World) -> None:
    tasks = [asyncio.create_task(world.stand_by(name)) for name in ("first", "second", "third")]
    async with running(*tasks):
        await world.clock.advance(5)
        await kill(tasks[0], world)
        await world.clock.advance(60)
        assert len(world.holders) == 2


@pytest.mark.parametrize(("renewed_for", "good_for"), [(1, 6), (5, 10)])
async def test_a_holder_whose_renewals_fail_is_fenced_and_its_block_cancelled(
    world: World, renewed_for: float, good_for: float
) -> None:
    async def throttled(operation: str, subject: object) -> None:
        if operation == "write":
            raise Retryable("throttled", reason="throttled")

    first = asyncio.create_task(world.stand_by("first"))
    await world.clock.advance(renewed_for)
    world.store.before = throttled
    await world.clock.until(first.done, within=10)
    assert world.clock.monotonic() == good_for
    with pytest.raises(Fenced, match="could not be renewed in time"):
        await first


async def test_a_renewal_given_up_on_but_applied_is_no_take_over(world: World) -> None:
    lost: list[object] = []

    async def lose_one_answer(operation: str, subject: object) -> None:
        if operation == "write" and not lost:
            lost.append(subject)
            raise Retryable("no answer", reason="timeout")

    first = asyncio.create_task(world.stand_by("first"))
    await world.clock.advance(1)
    world.store.after = lose_one_answer
    async with running(first):
        await world.clock.advance(60)
        world.leases["first"].check()
        assert lost
        assert not first.done()


async def test_a_paused_holder_finds_out_at_its_next_renewal_that_it_was_replaced(world: World) -> None:
    first = asyncio.create_task(world.stand_by("first"))
    await world.clock.advance(1)
    records = world.control.records("lease", dict)
    await records.save(
        "backfill", {"owner": "x", "token": 2, "lease_seconds": 6.0, "renewed_at": 0.0, "released": False}
    )
    await world.clock.until(first.done, within=3)
    with pytest.raises(Fenced, match="was taken over"):
        await first


async def test_an_error_of_the_block_comes_out_as_it_is_and_frees_the_lease(world: World) -> None:
    with pytest.raises(Fatal, match="broken"):
        async with Lease.acquire(world.control, "backfill", "first", world.clock, Times()):
            raise Fatal("broken")
    async with Lease.try_acquire(world.control, "backfill", "second", world.clock, Times()) as lease:
        assert lease.token == 2


async def test_a_renewal_counts_from_when_it_was_sent(world: World) -> None:
    async def slow(operation: str, subject: object) -> None:
        if operation == "write":
            await world.clock.sleep(3)

    first = asyncio.create_task(world.stand_by("first"))
    await world.clock.advance(1)
    world.store.after = slow
    async with running(first):
        await world.clock.advance(5)  # sent at 2, answered at 5: good until 8
        world.store.after, world.store.before = None, slow
        await world.clock.advance(1.9)
        world.leases["first"].check()
        await world.clock.advance(0.2)
        with pytest.raises(Fenced):
            world.leases["first"].check()


async def test_each_check_of_a_lost_lease_raises_the_same_error_without_the_tracebacks_of_the_others(
    world: World,
) -> None:
    """A backfill has hundreds of writes under way, and each asks: their tracebacks together would fill the log."""
    async with taken_over_from(world) as lease:
        depths = [_depth_of_check(lease) for _ in range(3)]
    assert len(set(depths)) == 1


def _depth_of_check(lease: Lease) -> int:
    with pytest.raises(Fenced) as raised:
        lease.check()
    return len(list(traceback.walk_tb(raised.value.__traceback__)))
