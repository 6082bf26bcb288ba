"""A clock that tests advance: sleeping takes no real time, and sleeps end in their order."""

import asyncio
import heapq
import itertools
from collections.abc import Callable

SETTLING_PASSES = 200


class VirtualClock:
    """A Clock whose time passes only in ``advance`` and ``until``."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._epoch = now
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> float:
        return self._epoch + self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        alarm: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), alarm))
        await alarm

    async def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; each task whose sleep ends in that time runs at the time when it ends."""
        await settle()
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            await self._wake_next()
        self._elapsed = end

    async def until(self, condition: Callable[[], bool], *, within: float = 120.0) -> None:
        """Let time pass until ``condition()`` holds; AssertionError if it takes over ``within`` seconds."""
        await settle()
        end = self._elapsed + within
        while not condition():
            due = self._sleepers[0][0] if self._sleepers else float("inf")
            assert due <= end, f"not so within {within} virtual seconds"
            await self._wake_next()

    async def _wake_next(self) -> None:
        due, _, alarm = heapq.heappop(self._sleepers)
        if not alarm.cancelled():
            self._elapsed = max(self._elapsed, due)
            alarm.set_result(None)
            await settle()


async def settle() -> None:
    """Let every task run as far as it can without time passing."""
    for _ in range(SETTLING_PASSES):
        await asyncio.sleep(0)
