"""``python -m bench.memory ITEMS OTHER [--shards N] [--certificate FILE KEY] [--record FILE]`` serves until it is killed.

The old table and v2 tables of the configured mapping have ITEMS items. Of these it answers what reads and writes items, and the old
table's stream has a change of each. Everything else, with all of the control table, it passes on to the server at OTHER.
It prints its port first.
"""

import argparse
import asyncio
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from bench.items import Kinds
from bench.memory.connection import Connection, operation_of, whole
from bench.memory.recorder import Record
from bench.memory.stream import ITERATOR, MemoryStream
from bench.memory.tables import MemoryTables, Request
from service.config import Settings
from service.environment import load_configured_mapping

Operation = Callable[[Request], bytes]
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchExecuteStatement"})
STATEMENT = b'"Statement":'
PROBE = b"tablesplit_probe"
REFUSED = {"INSERT": "ValidationError", "UPDATE": "ConditionalCheckFailed"}
"""How PartiQL answers the statements by which a client finds out whether the server has it."""


class Server:
    """The answer to each operation."""

    def __init__(self, items: int, shards: int, record: Path | None) -> None:
        """``shards``: of the old table's stream; ``record``: the file that gets the writes of items."""
        mapping = load_configured_mapping(Settings())
        kinds = Kinds(mapping, items)
        v2 = {name: shape.key_names for name, shape in mapping.tables.items()}
        self._tables = MemoryTables(mapping.old.table, mapping.old.key_names, v2, kinds, items)
        self._stream = MemoryStream(kinds, items, shards, int(time.time()))
        self._old_stream = f"table/{mapping.old.table}/stream/"
        self._record = None if record is None else Record(record)
        self._names = [f'"{name}"'.encode() for name in self._tables.tables]
        self._quoted = [f'\\"{name}\\"'.encode() for name in self._tables.tables]
        self._reads: dict[str, Operation] = {
            "Scan": lambda request: self._tables.tables[request["TableName"]].scan(request),
            "GetItem": self._tables.get,
            "BatchGetItem": self._tables.batch_get,
        }

    def answer(self, head: bytes, body: bytes) -> bytes | None:
        """The answer to a request, by the operation that its head names; None: it is not about these items."""
        operation = operation_of(head)
        content = self._write(operation, head, body) if operation in WRITES else self._read(operation, body)
        return None if content is None else whole(content)

    def _write(self, operation: str, head: bytes, body: bytes) -> bytes | None:
        if operation == "BatchExecuteStatement":
            if not any(name in body for name in self._quoted):
                return None
            if PROBE in body:
                return _refusals(orjson.loads(body))
            answer = b'{"Responses":[' + b",".join([b"{}"] * body.count(STATEMENT)) + b"]}"
        elif any(b'"TableName":' + name in body or b'"TableName": ' + name in body for name in self._names):
            answer = b"{}"
        else:
            return None
        if self._record is not None:
            self._record.add(head, body)
        return answer

    def _read(self, operation: str, body: bytes) -> bytes | None:
        if operation == "DescribeStream" and self._old_stream.encode() in body:
            return self._stream.description(orjson.loads(body))
        if operation == "GetShardIterator" and self._old_stream.encode() in body:
            return self._stream.iterator(orjson.loads(body))
        if operation == "GetRecords" and ITERATOR.encode() in body:
            return self._stream.records(orjson.loads(body))
        if operation not in self._reads:
            return None
        request = orjson.loads(body)
        tables = request.get("RequestItems") or [request["TableName"]]
        return self._reads[operation](request) if set(tables) <= self._tables.tables.keys() else None


def _refusals(request: Request) -> bytes:
    codes = [REFUSED[statement["Statement"].split(" ", 1)[0]] for statement in request["Statements"]]
    return orjson.dumps({"Responses": [{"Error": {"Code": code, "Message": "refused"}} for code in codes]})


async def serve(server: Server, other: str, certificate: list[str] | None) -> None:
    """Serve until the process is killed."""
    tls = None
    if certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(*certificate)
    at = urlsplit(other)
    assert at.hostname is not None
    address = (at.hostname, at.port or 80)
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(server.answer, address), "127.0.0.1", 0, ssl=tls
    )
    print(listening.sockets[0].getsockname()[1], flush=True)
    await listening.serve_forever()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("items", type=int)
    parser.add_argument("other")
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--certificate", nargs=2)
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    asyncio.run(serve(Server(given.items, given.shards, given.record), given.other, given.certificate))


if __name__ == "__main__":
    main()
