"""The console's server-sent events: one snapshot for all listeners, taken only while there are any."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import orjson

from service.clock import Clock
from service.errors import TablesplitError, as_ours
from service.escape import escaped_values
from service.log import get_logger

EVERY_SECONDS = 2.0
LISTENERS_AT_MOST = 32


class ConsoleEvents:
    """take: reads the current document. When it fails, the event is ``trouble``, with kind, message and remedy."""

    def __init__(self, take: Callable[[], Awaitable[dict[str, Any]]], clock: Clock) -> None:
        self._take = take
        self._clock = clock
        # weak references: nothing else reports a listener that goes away before it has read anything
        self._listeners: WeakSet[asyncio.Queue[bytes | None]] = WeakSet()
        self._taking: asyncio.Task[None] | None = None
        self._closed = False

    def listen(self) -> AsyncIterator[bytes] | None:
        """Events for one more listener, until ``close``; None when there are LISTENERS_AT_MOST already, or after ``close``."""
        if self._closed or len(self._listeners) >= LISTENERS_AT_MOST:
            return None
        # Room for one event: a slow listener misses only events that are out of date anyway.
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
        except Exception as unread:  # noqa: BLE001 - or the listeners would wait for ever
            trouble = as_ours(unread)
            if not isinstance(unread, TablesplitError):
                get_logger().error("the console's events have failed", **trouble.to_log())
            return _framed("trouble", trouble.to_json())


def _replace(queue: asyncio.Queue[bytes | None], event: bytes | None) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(event)


def _framed(name: str, document: dict[str, Any]) -> bytes:
    """One event in the framing of the HTML standard (section 9.2.6); orjson's JSON has no line breaks.

    The page shows texts as they come, so they are escaped here.
    """
    return b"event: %s\ndata: %s\n\n" % (name.encode(), orjson.dumps(escaped_values(document)))
