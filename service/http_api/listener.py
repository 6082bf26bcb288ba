"""The listening socket: it bounds what comes before a request, sockets in the middle of a TLS handshake and the last descriptor."""

import errno
import os
import socket
from typing import Any
from weakref import WeakSet

HANDSHAKES = 2
"""There are at most so many times as many sockets as connections: the others are in the middle of a TLS handshake."""
BACKLOG = 16
"""How many connections are accepted in one turn of the event loop, and wait in the kernel until then."""

_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


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
