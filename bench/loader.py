"""Sends prepared requests as fast as a server answers them: what is measured then is the server, and hardly the client.

``python -m bench.loader URL FILE CONNECTIONS`` sends the requests that the memory server has recorded in FILE, byte for byte,
each on the next free connection. It prints the figures as JSON.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

STATEMENT = b'"Statement":'


def recorded(file: Path) -> list[bytes]:
    """The requests in a record of the memory server."""
    return requests_in(file.read_bytes())


def requests_in(content: bytes) -> list[bytes]:
    """The requests in a part of a record that begins with one."""
    return list(_requests(content))


def _requests(content: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(content):
        end = content.index(b"\n", start)
        length = int(content[start:end])
        yield content[end + 1 : end + 1 + length]
        start = end + 1 + length


def statements_in(request: bytes) -> int:
    """How many items a request writes."""
    return max(1, request.count(STATEMENT))


class Sender:
    """One keep-alive connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, url: str) -> "Sender":
        """Connect."""
        at = urlsplit(url)
        return cls(*await asyncio.open_connection(at.hostname, at.port))

    async def send(self, request: bytes) -> bytes:
        """The content of the answer. Raises AssertionError when it is not one of success, or when it refuses a statement."""
        refused, content = await self.try_send(request)
        assert not refused, content
        return content

    async def try_send(self, request: bytes) -> tuple[int, bytes]:
        """How many of the request's items the answer refuses, and its content."""
        self._writer.write(request)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        content = await self._reader.readexactly(length)
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            return statements_in(request), content
        return content.count(b'"Error"'), content

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def load(url: str, requests: list[bytes], connections: int, refused: float = 0.0) -> float:
    """Send all requests; returns items a second. ``refused``: the share of the items that the server may refuse at most."""
    senders = [await Sender.open(url) for _ in range(connections)]
    waiting = iter(requests)

    async def send(sender: Sender) -> None:
        for request in waiting:
            number, content = await sender.try_send(request)
            if number:
                refusals.append((number, content))

    refusals = list[tuple[int, bytes]]()
    began = time.perf_counter()
    await asyncio.gather(*map(send, senders))
    seconds = time.perf_counter() - began
    for sender in senders:
        sender.close()
    items, missed = sum(map(statements_in, requests)), sum(number for number, _ in refusals)
    assert missed <= refused * items, f"{missed} of {items} refused: {refusals[0][1]!r}"
    return items / seconds


def main() -> None:
    """Load, and print the figures."""
    url, file, connections = sys.argv[1:]
    requests = recorded(Path(file))
    cpu = time.process_time()
    rate = asyncio.run(load(url, requests, int(connections)))
    items = sum(map(statements_in, requests))
    cpu_us = (time.process_time() - cpu) / items * 1e6
    print(json.dumps({"items": items, "items_per_second": rate, "cpu_us": cpu_us}))


if __name__ == "__main__":
    main()
