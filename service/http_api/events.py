"""The console's server-sent events: one snapshot for all listeners, taken only while somebody listens."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import orjson

from service.clock import Clock
from service.errors import TablesplitError

Document = dict[str, Any]
EVERY_SECONDS = 2.0
LISTENERS_AT_MOST = 32


class ConsoleEvents:
    """take: the document of now. What it cannot take is told as an event ``trouble``: kind, message and remedy."""

    def __init__(self, take: Callable[[], Awaitable[Document]], clock: Clock) -> None:
        self._take = take
        self._clock = clock
        # weak: a listener that is gone before it has read anything is not heard of otherwise
        self._listeners: WeakSet[asyncio.Queue[bytes | None]] = WeakSet()
        self._taking: asyncio.Task[None] | None = None
        self._closed = False

    def listen(self) -> AsyncIterator[bytes] | None:
        """Events for one more listener, until ``close``; None when there are LISTENERS_AT_MOST, or after ``close``."""
        if self._closed or len(self._listeners) >= LISTENERS_AT_MOST:
            return None
        # One place: a listener that is slow misses what is out of date anyway.
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._listeners.add(queue)
        if self._taking is None or self._taking.done():
            self._taking = asyncio.create_task(self._run())
        return self._events(queue)

    async def close(self) -> None:
        """End every listener's events."""
        self._closed = True
        for queue in list(self._listeners):
            _replace(queue, None)
        if self._taking is not None:
            self._taking.cancel()
            with suppress(asyncio.CancelledError):
                await self._taking

    async def _events(self, queue: asyncio.Queue[bytes | None]) -> AsyncIterator[bytes]:
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._listeners.discard(queue)

    async def _run(self) -> None:
        while self._listeners:
            event = await self._event()
            for queue in list(self._listeners):
                _replace(queue, event)
            await self._clock.sleep(EVERY_SECONDS)

    async def _event(self) -> bytes:
        try:
            return _framed("status", await self._take())
        except TablesplitError as unread:
            return _framed("trouble", unread.to_json())


def _replace(queue: asyncio.Queue[bytes | None], event: bytes | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)


def _framed(name: str, document: Document) -> bytes:
    """One event as the HTML standard frames it (section 9.2.6); the JSON of orjson has no line breaks."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(document))
