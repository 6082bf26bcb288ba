"""The listening socket: it bounds what comes before a request, sockets in the middle of a TLS handshake and the last descriptor."""

import errno
import os
import socket
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from service.clock import Clock
from service.http_api.connections import LOOK_SECONDS, Connections

HANDSHAKES = 2
"""There are at most so many times as many sockets as connections: the others are in the middle of a TLS handshake."""
BACKLOG = 16
"""How many connections are accepted in one turn of the event loop, and wait in the kernel until then."""

HANDSHAKE_SECONDS = 10.0
"""How long a TLS handshake may take; asyncio would wait for 60 s."""

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener(socket.socket):
    """A listening socket that refuses a connection when the process has no file descriptor for it.

    asyncio would log a traceback for each of BACKLOG attempts, and try again at once (``_accept_connection`` in
    https://github.com/python/cpython/blob/3.11/Lib/asyncio/selector_events.py). So one descriptor is kept in reserve, to accept the
    connection and to close it.

    ``Connections`` knows a client of TLS only after the handshake. So the sockets are bounded here, before it: where there are too
    many, the one that has been longest in its handshake is given up.
    """

    def __init__(self, opened: socket.socket, at_most: int, connections: Connections, clock: Clock) -> None:
        super().__init__(fileno=opened.detach())
        self._reserve: int | None = _reserve()
        self._at_most = at_most
        self._connections = connections
        self._clock = clock
        self._accepted: WeakKeyDictionary[socket.socket, float] = WeakKeyDictionary()

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection. Raises ConnectionAbortedError, which ends asyncio's turn, when there was no descriptor for it, or
        when too many are open, and none of them in its handshake."""
        try:
            connection, address = super().accept()
        except OSError as error:
            if error.errno not in _NO_DESCRIPTOR:
                raise
            self._refuse()
            raise ConnectionAbortedError("no file descriptor for a connection") from error
        if sum(known.fileno() >= 0 for known in self._accepted) >= self._at_most and not self._make_room():
            connection.close()
            raise ConnectionAbortedError("too many connections")
        self._accepted[connection] = self._clock.monotonic()
        return connection, address

    async def watch(self) -> None:
        """Give up the handshakes that take too long, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            for shaking in self._in_handshake():
                if self._clock.monotonic() - self._accepted[shaking] >= HANDSHAKE_SECONDS:
                    self._give_up(shaking)

    def _make_room(self) -> bool:
        """Whether there was a handshake to give up: the oldest."""
        oldest = min(self._in_handshake(), key=lambda shaking: self._accepted[shaking], default=None)
        if oldest is not None:
            self._give_up(oldest)
        return oldest is not None

    def _in_handshake(self) -> list[socket.socket]:
        known = self._connections.descriptors()
        return [one for one in self._accepted if one.fileno() >= 0 and one.fileno() not in known]

    def _give_up(self, shaking: socket.socket) -> None:
        """asyncio sees the stream's end and closes the socket; a descriptor closed here could be another's by then."""
        del self._accepted[shaking]
        with suppress(OSError):  # the client is gone already
            shaking.shutdown(socket.SHUT_RDWR)

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
