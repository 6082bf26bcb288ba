"""A tunnel through a proxy, by CONNECT: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6."""

import asyncio
import re
from typing import cast

from service.dynamodb.http.failures import ProxyRefused

HEAD_BYTES = 64 * 1024

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


class Tunnel(asyncio.Protocol):
    """The connection to the proxy, from the request for a tunnel to the end of the head of its answer."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self._head: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._received = b""

    async def ask(self, connect: bytes) -> None:
        """Send the request ``connect``. From then on ``transport`` leads to the endpoint. Raises ProxyRefused."""
        self.transport.write(connect)
        status = _STATUS.match(await self._head)
        if status is None or not status[1].startswith(b"2"):
            raise ProxyRefused(int(status[1]) if status else None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._head.done():
            return
        self._received += data
        if b"\r\n\r\n" in self._received or len(self._received) > HEAD_BYTES:
            # The endpoint speaks only when it is spoken to, so nothing of its own can stand behind the head.
            self._head.set_result(self._received)

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - the proxy's silence says as much
        if not self._head.done():
            self._head.set_exception(ProxyRefused(None))
