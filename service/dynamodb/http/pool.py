"""The connections to all endpoints: how many at once, which one takes the next request, and when one is replaced.

A connection takes a request only if nothing that is known speaks against it. Of those that are idle, the one used last goes
first, so that the others may end. Nothing is sent twice: to send a request again is decided above.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from service.dynamodb.http.connect import open_connection
from service.dynamodb.http.connection import Answer, Connection
from service.dynamodb.http.deadlines import Deadlines
from service.dynamodb.http.failures import Closed, Late, NotOpened
from service.dynamodb.http.route import Route

IDLE_SECONDS = 15.0
"""After which an idle connection is closed: before a firewall or a load balancer forgets it, mostly."""

AGE_SECONDS = (240.0, 300.0)
"""After which a connection takes no further request, drawn for each: so a changed answer of DNS takes effect."""

CLOSE_SECONDS = 1.0
"""How long the end waits for servers that do not answer the end of TLS."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``connections``: used at once, over all endpoints. ``open_seconds``: to open one. ``seconds``: for a request with everything
    that it waits for, also a free connection."""

    connections: int
    open_seconds: float
    seconds: float


class Pool:
    """Made by ``open_pool``."""

    def __init__(self, limits: Limits, tls: ssl.SSLContext) -> None:
        """``tls``: what servers and proxies are verified with."""
        self._limits = limits
        self._tls = tls
        self._loop = asyncio.get_running_loop()
        self._deadlines = Deadlines(self._loop, self._late)
        self._free = asyncio.Semaphore(limits.connections)
        self._idle: dict[Route, list[Connection]] = {}
        self._upkeep: asyncio.TimerHandle | None = None
        self._open: set[Connection] = set()
        self._closed = False

    async def post(self, route: Route, headers: dict[str, str], body: bytes) -> Answer:
        """The answer to one POST. ``headers`` with the host, without the body's length.

        Raises an ExchangeFailed: Late after ``Limits.seconds``, NotOpened after ``Limits.open_seconds``, those of
        ``connect.open_connection`` and of ``Connection.exchange``.
        """
        if self._closed:
            raise RuntimeError("the pool is closed")
        deadline = self._loop.time() + self._limits.seconds
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        request = b"%b%bcontent-length: %d\r\n\r\n%b" % (route.request_lines, lines.encode(), len(body), body)
        if self._free.locked():
            await self._wait_for_turn(deadline)
        else:
            await self._free.acquire()
        idle = self._idle.setdefault(route, [])
        try:
            connection = self._fresh(idle) or await self._open_one(route, deadline)
            answer = await connection.exchange(request, deadline)
            self._keep(idle, connection)
            return answer
        finally:
            self._free.release()

    async def close(self) -> None:
        """End all connections; those that do not end in order are cut. A request that comes later is an error of the program."""
        self._closed = True
        self._deadlines.close()
        if self._upkeep is not None:
            self._upkeep.cancel()
        for end in (Connection.close, Connection.abort):
            for connection in self._open:
                end(connection)
            if self._open:
                await asyncio.wait([connection.lost for connection in self._open], timeout=CLOSE_SECONDS)

    async def _wait_for_turn(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._free.acquire()
        except TimeoutError:
            raise self._late() from None

    def _fresh(self, idle: list[Connection]) -> Connection | None:
        """The one of ``idle`` that was used last and can still be used; it is taken off the list."""
        now = self._loop.time()
        while idle:
            connection = idle.pop()
            if _is_fresh(connection, now):
                return connection
            connection.close()
        return None

    async def _open_one(self, route: Route, deadline: float) -> Connection:
        by = min(deadline, self._loop.time() + self._limits.open_seconds)
        try:
            async with asyncio.timeout_at(by):
                connection = await open_connection(route, self._tls, self._new)
        except TimeoutError:
            raise (NotOpened(self._limits.open_seconds) if by < deadline else self._late()) from None
        if self._closed:
            connection.abort()
            raise Closed("the pool is closed")
        self._open.add(connection)
        connection.lost.add_done_callback(lambda _: self._open.discard(connection))
        return connection

    def _new(self) -> Connection:
        return Connection(self._loop, self._deadlines, self._loop.time() + random.uniform(*AGE_SECONDS))

    def _keep(self, idle: list[Connection], connection: Connection) -> None:
        """Put a connection aside for the next request, at the end of ``idle``."""
        connection.idle_since = self._loop.time()
        if not _is_fresh(connection, connection.idle_since):
            connection.close()
            return
        idle.append(connection)
        if self._upkeep is None:
            self._upkeep = self._loop.call_later(IDLE_SECONDS, self._close_idle)

    def _close_idle(self) -> None:
        """Close what has been idle for long; again after a while, as long as anything is idle."""
        now = self._loop.time()
        for idle in self._idle.values():
            fresh = [connection for connection in idle if _is_fresh(connection, now)]
            for connection in set(idle).difference(fresh):
                connection.close()
            idle[:] = fresh  # in place: a request that is under way will put its connection there
        any_left = any(self._idle.values())
        self._upkeep = self._loop.call_later(IDLE_SECONDS, self._close_idle) if any_left else None

    def _late(self) -> Late:
        return Late(self._limits.seconds)


def _is_fresh(connection: Connection, now: float) -> bool:
    return connection.usable and now < connection.idle_since + IDLE_SECONDS and now < connection.retires_at


@asynccontextmanager
async def open_pool(limits: Limits, tls: ssl.SSLContext) -> AsyncIterator[Pool]:
    """A pool for the block; its connections are closed at the end."""
    pool = Pool(limits, tls)
    try:
        yield pool
    finally:
        await pool.close()
