"""A DynamoDB endpoint that answers by script, in every way in which a real one may fail."""

import asyncio
import ssl
import zlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs

import orjson


@dataclass(frozen=True)
class Received:
    """One request: operation (``PutItem``, ``AssumeRole``; of other services method and path), headers in lower case, decoded
    body."""

    operation: str
    headers: dict[str, str]
    body: dict[str, Any]


Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class FaultServer:
    """``script`` is used up reply by reply; after it every request gets ``{}``."""

    url: str = ""
    script: deque[Reply] = field(default_factory=deque)
    received: list[Received] = field(default_factory=list)
    accepted: int = 0
    """Connections so far."""
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    """The connections that neither side has ended."""

    def operations(self) -> list[str]:
        """The operations asked for, in order."""
        return [request.operation for request in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until either side closes it."""
        self.accepted += 1
        self.open.add(writer)
        try:
            while not writer.is_closing():
                self.received.append(await _request(reader))
                await (self.script.popleft() if self.script else answer({}))(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self.open.discard(writer)
            writer.close()


@asynccontextmanager
async def fault_server(
    *script: Reply, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[FaultServer]:
    """A server on a free port; its connections are cut at the end. ``tls``: what it presents to clients."""
    faults = FaultServer(script=deque(script))
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(faults.serve(reader, writer)))

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    name, scheme = f"[{host}]" if ":" in host else host, "http" if tls is None else "https"
    faults.url = f"{scheme}://{name}:{server.sockets[0].getsockname()[1]}"
    try:
        yield faults
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def answer(content: object, *, status: int = 200, crc: int | None = None, missing_bytes: int = 0) -> Reply:
    """``content`` as JSON. ``crc`` replaces the true CRC32; of ``missing_bytes`` the end is never sent."""
    return raw(orjson.dumps(content), status=status, crc=crc, missing_bytes=missing_bytes)


def error(
    code: str, message: str = "", *, status: int = 400, date: str = "", request_id: str = "", **more: object
) -> Reply:
    """An error answer, with a Date header if there is a ``date``, and AWS's id of the request if there is one."""
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    headers = {"Date": date, "x-amzn-RequestId": request_id}
    return raw(orjson.dumps({"__type": kind, "message": message, **more}), status=status, headers=headers)


def raw(
    body: bytes,
    *,
    status: int = 200,
    crc: int | None = None,
    missing_bytes: int = 0,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Reply:
    """``body`` as it is, with those ``headers`` that are not empty; the connection is closed when bytes are missing."""

    async def reply(writer: asyncio.StreamWriter) -> None:
        checksum = zlib.crc32(body) if crc is None else crc
        lines = [f"HTTP/1.1 {status} X", f"x-amz-crc32: {checksum}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items() if value]
        head = "\r\n".join([*lines, "\r\n"])
        writer.write(head.encode() + body[: len(body) - missing_bytes])
        await writer.drain()
        if missing_bytes:
            writer.close()

    return reply


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close the connection instead of an answer."""
    writer.close()


async def _request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    if "x-amz-target" in headers:
        return Received(headers["x-amz-target"].rpartition(".")[2], headers, orjson.loads(body))
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    return Received(form.get("Action", head[0].rpartition(" ")[0]), headers, form)
