"""The waits of a validation: each ends at once when the operator stops the run."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from service.clock import Clock
from service.errors import Interrupted

Settled = Callable[[], Awaitable[None]]
"""Returns once every change that was in the stream when it was called has been applied."""


class InterruptibleWaits:
    """Waits by a clock, interrupted by a stop event. Each method raises Interrupted once ``stop`` is set."""

    def __init__(self, clock: Clock, stop: asyncio.Event) -> None:
        self._clock = clock
        self._stop = stop

    def check(self) -> None:
        """Return unless the run was stopped."""
        if self._stop.is_set():
            raise Interrupted("validation was stopped")

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""
        if seconds > 0:
            await self._wait_for_any(self._clock.sleep(seconds))
        self.check()

    async def until(self, settled: Settled, timeout_seconds: float) -> bool:
        """Return True when ``settled`` returns, False after ``timeout_seconds``."""
        done = await self._wait_for_any(_call(settled), self._clock.sleep(timeout_seconds))
        self.check()
        return done

    async def _wait_for_any(self, *waits: Coroutine[Any, Any, None]) -> bool:
        """Return when one of ``waits`` has ended, or the run was stopped. Returns whether the first of ``waits`` has ended."""
        tasks = [asyncio.ensure_future(wait) for wait in (*waits, _wait_until_set(self._stop))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            return tasks[0] in done
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _call(settled: Settled) -> None:
    await settled()


async def _wait_until_set(event: asyncio.Event) -> None:
    await event.wait()
