"""The deadlines of all requests that wait, under one timer of the event loop: one for each would add to every request."""

import asyncio
import math
from collections.abc import Callable
from typing import Any


class Deadlines:
    """Fails futures that are not done at their time, which is one of ``loop.time()``, with what ``failure`` makes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failure: Callable[[], Exception]) -> None:
        self._loop = loop
        self._failure = failure
        self._waiting: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, waiting: asyncio.Future[Any], at: float) -> None:
        """Fail ``waiting`` at ``at``, unless it is removed before."""
        self._waiting[waiting] = at
        if at < self._rings_at:
            self._set_timer(at)

    def remove(self, waiting: asyncio.Future[Any]) -> None:
        """Forget a future that was added. The timer stays: it rings once for many requests."""
        del self._waiting[waiting]

    def close(self) -> None:
        """Stop the timer."""
        self._set_timer(math.inf)

    def _set_timer(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = None if at == math.inf else self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        now = self._loop.time()
        for waiting, at in self._waiting.items():
            # A timer may ring early by less than the clock's resolution; then it is set again for that moment.
            if at <= now and not waiting.done():
                waiting.set_exception(self._failure())
        self._set_timer(min((at for at in self._waiting.values() if at > now), default=math.inf))
