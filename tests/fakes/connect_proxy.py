"""A proxy that takes CONNECT, as those of companies do; whatever host is asked for, it leads to one server of the test."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class ConnectProxy:
    """``status``: what it answers; 200 leads to the server at ``target``."""

    target: str
    status: int = 200
    url: str = ""
    connected: list[str] = field(default_factory=list)
    """The hosts and ports that were asked for, in order."""
    headers: list[str] = field(default_factory=list)
    """The head of each request, in lower case."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one CONNECT, and carry bytes until either side closes."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers.append(head.lower())
        self.connected.append(head.split(" ")[1])
        writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        if self.status != 200:
            writer.close()
            return
        parts = urlsplit(self.target)
        to_server, from_server = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(_carry(reader, from_server), _carry(to_server, writer), return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def connect_proxy(
    target: str, status: int = 200, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[ConnectProxy]:
    """A proxy on a free port; its connections are cut at the end. ``tls``: what it presents to clients."""
    proxy = ConnectProxy(target, status)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.create_task(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    proxy.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
