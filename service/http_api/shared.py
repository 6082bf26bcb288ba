"""Documents that all readers share: each is read again after two to ten seconds, and only while somebody asks for it.

So a GET is answered from memory, and forty clients cost no more than one. ``as_of`` says when a document was read.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from service.clock import Clock
from service.errors import Interrupted, TablesplitError, as_ours
from service.log import get_logger

T = TypeVar("T")

EVERY_SECONDS = 2.0
"""Between two reads of a document."""
ASKED_SECONDS = 60.0
"""How long a document is kept up to date after somebody asked for it: longer than Prometheus waits between two scrapes."""
SHARE_OF_TIME = 10
"""After a read that took long the pause is so many times as long, so that large documents take little from the lanes."""
PAUSE_SECONDS = 10.0
"""The pause is never longer: a document must not be old when it is shown."""


class Shared(Generic[T]):
    """One document. ``read`` is called by one task at a time."""

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._asked_at = float("-inf")
        self._keeping: asyncio.Task[None] | None = None
        self._newest: asyncio.Future[T] | None = None
        self._reading = asyncio.Lock()
        self._closed = False

    async def get(self) -> T:
        """The document as it was last read. Only the first reader waits, for the first read. Raises the error of the last
        read, a TablesplitError."""
        if self._closed:
            raise Interrupted("the service is stopping")
        self._asked_at = self._clock.monotonic()
        if self._newest is None or self._keeping is None or self._keeping.done():
            self._begin()
        assert self._newest is not None
        return await asyncio.shield(self._newest)

    async def renew(self) -> None:
        """Read the document again before it is shown again: something was changed here."""
        self._stop()
        if self._is_waited_for():
            self._begin()
        else:
            self._newest = None

    async def close(self) -> None:
        """Read nothing more. Who still waits gets Interrupted."""
        self._closed = True
        self._stop()
        if self._is_waited_for():
            self._settle(Interrupted("the service is stopping"))
        async with self._reading:
            pass  # a read that was given up may need some time to end

    def _is_waited_for(self) -> bool:
        return self._newest is not None and not self._newest.done()

    def _begin(self) -> None:
        """Who waits already waits on for the same future, or nobody would ever settle it."""
        if not self._is_waited_for():
            self._newest = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep())

    def _stop(self) -> None:
        """Does not wait for the task's end: a ``get`` in between would begin another one."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()

    async def _keep(self) -> None:
        while self._is_current() and self._clock.monotonic() < self._asked_at + ASKED_SECONDS:
            began = self._clock.monotonic()
            failed = not await self._read_once()
            took = self._clock.monotonic() - began
            pause = EVERY_SECONDS if failed else min(SHARE_OF_TIME * took, PAUSE_SECONDS)
            await self._clock.sleep(max(EVERY_SECONDS, pause))

    def _is_current(self) -> bool:
        """Whether the running task was not given up: what it has read may be older than the change."""
        return self._keeping is asyncio.current_task()

    async def _read_once(self) -> bool:
        """Whether the document could be read."""
        outcome: T | TablesplitError
        async with self._reading:
            try:
                outcome = await self._read()
            except Exception as failure:  # noqa: BLE001 - it is raised to every reader, as one of ours
                outcome = as_ours(failure)
                if not isinstance(failure, TablesplitError):
                    get_logger().error("a read for the HTTP side has failed", **outcome.to_log())
        if self._is_current():
            self._settle(outcome)
        return not isinstance(outcome, TablesplitError)

    def _settle(self, outcome: T | TablesplitError) -> None:
        if self._newest is None or self._newest.done():
            self._newest = asyncio.get_running_loop().create_future()
        if isinstance(outcome, TablesplitError):
            self._newest.set_exception(outcome)
            self._newest.exception()  # seen, even if nobody asks
        else:
            self._newest.set_result(outcome)
