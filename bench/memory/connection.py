"""HTTP for servers of the benchmark: keep-alive connections, one request at a time, answers by this server or by another."""

import asyncio
import zlib
from collections.abc import Callable

Answer = Callable[[bytes, bytes], bytes | None]
"""Makes the whole answer from the head of a request and its body; None: the other server is to answer."""


def operation_of(head: bytes) -> str:
    """The operation that a request's head names."""
    return head.split(b"_20120810.", 1)[1].split(b"\r\n", 1)[0].decode()


def whole(content: bytes) -> bytes:
    """An answer with this JSON, as DynamoDB sends it."""
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: {zlib.crc32(content)}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests with Content-Length, each sent when the one before is answered."""

    def __init__(self, answer: Answer, other: tuple[str, int] | None = None) -> None:
        """``other``: host and port of the server that answers what ``answer`` does not."""
        self._answer = answer
        self._other = other
        self._passed_on: asyncio.Transport | None = None
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (Protocol names it)
        if self._passed_on is not None:
            self._passed_on.close()

    def data_received(self, content: bytes) -> None:
        self._received += content
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            request_end = end + 4 + _number_after(head.lower(), b"content-length:")
            if len(self._received) < request_end:
                return
            request = bytes(self._received[:request_end])
            del self._received[:request_end]
            answer = self._answer(head, request[end + 4 :])
            if answer is not None:
                self._transport.write(answer)
            else:
                self._pass_on(request)

    def _pass_on(self, request: bytes) -> None:
        if self._passed_on is not None:
            self._passed_on.write(request)
            return
        self._opening = asyncio.get_running_loop().create_task(self._open(request))

    async def _open(self, request: bytes) -> None:
        assert self._other is not None
        loop = asyncio.get_running_loop()
        self._passed_on, _ = await loop.create_connection(lambda: _Back(self._transport), *self._other)
        self._passed_on.write(request)


class _Back(asyncio.Protocol):
    """What the other server sends goes to the client as it is."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, content: bytes) -> None:
        self._client.write(content)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (Protocol names it)
        self._client.close()


def _number_after(head: bytes, name: bytes) -> int:
    return int(head.split(name, 1)[1].split(b"\r\n", 1)[0])
