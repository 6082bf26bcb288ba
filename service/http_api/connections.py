"""The bounds of the HTTP side's connections: how many there are, and how long each may take.

The lanes share the process with the HTTP side: its event loop, and its file descriptors. So what clients can take is bounded, and
an idle or a slow client gives way.
"""

import asyncio
import errno
import os
import resource
import socket
from typing import Any, Literal
from weakref import WeakSet

from uvicorn.protocols.http.h11_impl import H11Protocol

from service.clock import Clock

CONNECTIONS_AT_MOST = 128
SHARE_OF_DESCRIPTORS = 4
"""Connections take at most one in so many of the file descriptors that the process may open."""
HANDSHAKES = 2
"""There are at most so many times as many sockets as connections: the others are in the middle of a TLS handshake."""
BACKLOG = 16
"""How many connections are accepted in one turn of the event loop, and wait in the kernel until then."""
HEAD_BYTES = 16 * 1024
"""Of a request's line and headers together."""
LOOK_SECONDS = 1.0
"""Between two looks at what each connection waits for."""

Waits = Literal["request", "body", "reader", "answer"]
"""What a connection waits for: a request, the rest of its body, a client that does not read the answer, or the answer."""

SECONDS: dict[Waits, float] = {"request": 10.0, "body": 10.0, "reader": 30.0, "answer": float("inf")}
"""How long a connection may wait for it without any progress. The answer has deadlines of its own."""

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def connections_at_most() -> int:
    """How many connections this process may have, by its soft limit of file descriptors (RLIMIT_NOFILE); at least one."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return CONNECTIONS_AT_MOST
    return max(1, min(CONNECTIONS_AT_MOST, soft // SHARE_OF_DESCRIPTORS))


class Connections:
    """The open connections of one server, the longest waiting first."""

    def __init__(self, at_most: int, clock: Clock) -> None:
        self._at_most = at_most
        self._clock = clock
        self._seen: dict[BoundedConnection, tuple[object, float]] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, connection: "BoundedConnection") -> None:
        """Count a new connection. Where there are too many, the one that has waited longest for a request is closed, or else the
        new one."""
        if len(self._seen) >= self._at_most:
            idle = (known for known in self._seen if known.waits_for() == "request")
            given_up = min(idle, key=lambda known: self._seen[known][1], default=connection)
            given_up.transport.abort()
            self.remove(given_up)
            if given_up is connection:
                return
        self._seen[connection] = (connection.progress(), self._clock.monotonic())

    def remove(self, connection: "BoundedConnection") -> None:
        """Count a closed connection no more."""
        self._seen.pop(connection, None)

    async def watch(self) -> None:
        """Close the connections that wait too long, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        now = self._clock.monotonic()
        for connection, (progress, since) in list(self._seen.items()):
            if connection.progress() != progress:
                self._seen[connection] = (connection.progress(), now)
            elif now - since >= SECONDS[connection.waits_for()]:
                connection.transport.abort()
                self.remove(connection)


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

    def progress(self) -> object:
        """A value that changes with each request, each step of it, and each byte of an answer that the client reads. It does not
        change with parts of a head or a body: a client that sends them byte by byte gets no more time."""
        return self.waits_for(), id(self.cycle), self.transport.get_write_buffer_size()


class Listener(socket.socket):
    """A listening socket that refuses a connection when the process has no file descriptor for it.

    asyncio would log a traceback for each of BACKLOG attempts, and try again at once (``_accept_connection`` in
    https://github.com/python/cpython/blob/3.11/Lib/asyncio/selector_events.py). So one descriptor is kept in reserve, to accept the
    connection and to close it.

    ``Connections`` knows a client of TLS only after the handshake. So the sockets are bounded here, before it.
    """

    def __init__(self, opened: socket.socket, at_most: int) -> None:
        super().__init__(fileno=opened.detach())
        self._reserve: int | None = _reserve()
        self._at_most = at_most
        self._accepted: WeakSet[socket.socket] = WeakSet()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises ConnectionAbortedError, which ends asyncio's turn, when there was no descriptor for it, or
        when too many are open."""
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            self._refuse()
            raise ConnectionAbortedError("no file descriptor for a connection") from error
        if sum(known.fileno() >= 0 for known in self._accepted) >= self._at_most:
            connection.close()
            raise ConnectionAbortedError("too many connections")
        self._accepted.add(connection)
        return connection, address

    def _refuse(self) -> None:
        self._give_reserve_up()
        try:
            refused, _ = super().accept()
            refused.close()
        except OSError:
            pass  # another thread has taken the descriptor: the next turn tries again
        finally:
            self._reserve = _reserve()

    def close(self) -> None:
        """Close the socket, and give up the reserve."""
        self._give_reserve_up()
        super().close()

    def _give_reserve_up(self) -> None:
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            os.close(reserve)


def _reserve() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY)
    except OSError:
        return None
