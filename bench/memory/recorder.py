"""``python -m bench.memory.recorder OTHER FILE`` passes every request on to the server at OTHER, and records those about items.

It prints its port first. FILE gets each request as it came, after its length as a line.
"""

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from bench.memory.connection import Connection, operation_of

ABOUT_ITEMS = frozenset(
    {
        *("GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"),
        *("BatchExecuteStatement", "TransactWriteItems"),
    }
)


class Record:
    """Requests in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("wb")

    def add(self, head: bytes, body: bytes) -> None:
        """Add a request."""
        request = head + b"\r\n\r\n" + body
        self._file.write(b"%d\n%b" % (len(request), request))
        self._file.flush()


async def serve(other: str, record: Record) -> None:
    """Serve until the process is killed."""
    at = urlsplit(other)
    assert at.hostname is not None
    address = (at.hostname, at.port or 80)

    def answer(head: bytes, body: bytes) -> None:
        if operation_of(head) in ABOUT_ITEMS:
            record.add(head, body)

    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(answer, address), "127.0.0.1", 0)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], Record(Path(sys.argv[2]))))
