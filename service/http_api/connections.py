"""The bounds of the HTTP side's connections: how many there are, and how long each may take.

The lanes share the process with the HTTP side: its event loop, and its file descriptors. So what clients can take is bounded, and
an idle or a slow client gives way.
"""

import asyncio
import resource
from dataclasses import dataclass
from typing import Any, Literal

from uvicorn.protocols.http.h11_impl import H11Protocol

from service.clock import Clock

CONNECTIONS_AT_MOST = 128
SHARE_OF_DESCRIPTORS = 4
"""Connections take at most one in so many of the file descriptors that the process may open."""
HEAD_BYTES = 16 * 1024
"""Of a request's line and headers together."""
LOOK_SECONDS = 1.0
"""Between two looks at what each connection waits for."""

Waits = Literal["request", "body", "reader", "answer"]
"""What a connection waits for: a request, the rest of its body, a client that does not read the answer, or the answer."""

SECONDS: dict[Waits, float] = {"request": 10.0, "body": 10.0, "reader": 30.0, "answer": float("inf")}
"""How long a connection may wait for it without any progress. The answer has deadlines of its own."""

READER_SECONDS = 120.0
"""How long a client may take in all for what it has not read yet: a byte now and then is no progress for ever."""


def connections_at_most() -> int:
    """How many connections this process may have, by its soft limit of file descriptors (RLIMIT_NOFILE); at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_AT_MOST
    return max(1, min(CONNECTIONS_AT_MOST, soft // SHARE_OF_DESCRIPTORS))


@dataclass(slots=True)
class _Seen:
    """What was last seen of a connection."""

    step: object
    """See ``BoundedConnection.step``."""
    began: float
    """Since when it is at this step."""
    unread: int
    """Bytes of an answer that wait for the client."""
    progressed: float
    """When a step began, or the client had last read something."""


class Connections:
    """The open connections of one server."""

    def __init__(self, at_most: int, clock: Clock) -> None:
        self._at_most = at_most
        self._clock = clock
        self._seen: dict[BoundedConnection, _Seen] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, connection: "BoundedConnection") -> None:
        """Count a new connection. Where there are too many, the one that has waited longest for its client is closed, or else the
        new one."""
        if len(self._seen) >= self._at_most:
            self._note()
            waiting = (known for known in self._seen if known.waits_for() != "answer")
            given_up = min(waiting, key=lambda known: self._seen[known].began, default=connection)
            given_up.transport.abort()
            self.remove(given_up)
            if given_up is connection:
                return
        now = self._clock.monotonic()
        self._seen[connection] = _Seen(connection.step(), now, 0, now)

    def remove(self, connection: "BoundedConnection") -> None:
        """Count a closed connection no more."""
        self._seen.pop(connection, None)

    def descriptors(self) -> set[int]:
        """The file descriptors of the open connections."""
        return {known.transport.get_extra_info("socket").fileno() for known in self._seen}

    async def watch(self) -> None:
        """Close the connections that wait too long, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        self._note()
        now = self._clock.monotonic()
        for connection, seen in list(self._seen.items()):
            waits_for = connection.waits_for()
            too_long = waits_for == "reader" and now - seen.began >= READER_SECONDS
            if too_long or now - seen.progressed >= SECONDS[waits_for]:
                connection.transport.abort()
                self.remove(connection)

    def _note(self) -> None:
        now = self._clock.monotonic()
        for connection, seen in self._seen.items():
            step, unread = connection.step(), connection.unread()
            if step != seen.step:
                seen.step, seen.began, seen.progressed = step, now, now
            elif unread < seen.unread:
                seen.progressed = now
            seen.unread = unread


class BoundedConnection(H11Protocol):
    """A connection that the server's ``Connections`` may close."""

    def __init__(self, *, among: Connections, **options: Any) -> None:
        super().__init__(**options)
        self._among = among

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._among.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._among.remove(self)
        super().connection_lost(exc)

    def waits_for(self) -> Waits:
        """What the connection waits for now."""
        if self.flow.write_paused:
            return "reader"
        if self.cycle is None or self.cycle.response_complete:
            return "request"
        return "body" if self.cycle.more_body else "answer"

    def step(self) -> object:
        """A value that changes with each request, and each step of it. It does not change with parts of a head or a body: a client
        that sends them byte by byte gets no more time.

        It holds the request itself, and not its id(): CPython gives the id of a freed object again.
        """
        return self.waits_for(), self.cycle

    def unread(self) -> int:
        """Bytes of the answer that the client has not taken yet, and the kernel neither."""
        return self.transport.get_write_buffer_size()
