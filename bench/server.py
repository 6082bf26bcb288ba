"""A minimal HTTP server that answers DynamoDB's requests from memory, so that only the client is measured.

``python -m bench.server PORT ITEMS`` serves an old table, and the v2 tables as they are after a backfill. Writes change nothing.
"""

import asyncio
import sys
import zlib
from collections.abc import Callable
from typing import Any

import orjson

from bench.items import many_items
from service.config import Settings
from service.core.item.wire import Item
from service.core.rules.guarded import copy_write
from service.environment import load_configured_mapping

Answer = dict[str, Any]


class Table:
    """The items of a table, in the order of a Scan and by key."""

    def __init__(self, key_names: tuple[str, ...], items: list[Item]) -> None:
        self.items = items
        self.key_names = key_names
        self.positions = {self.key_values(item): position for position, item in enumerate(items)}

    def key_values(self, item: Item) -> tuple[str, ...]:
        return tuple(item[name]["S"] for name in self.key_names)

    def scan(self, request: Answer) -> Answer:
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        start = request.get("ExclusiveStartKey")
        first = segment if start is None else self.positions[self.key_values(start)] + segments
        last = first + (request["Limit"] - 1) * segments
        page = self.items[first : last + 1 : segments]
        answer: Answer = {"Items": page, "Count": len(page), "ScannedCount": len(page)}
        answer["ConsumedCapacity"] = {"TableName": request["TableName"], "CapacityUnits": len(page) / 2}
        if last + segments < len(self.items):
            answer["LastEvaluatedKey"] = {name: page[-1][name] for name in self.key_names}
        return answer

    def get(self, key: Item) -> Item | None:
        position = self.positions.get(self.key_values(key))
        return None if position is None else self.items[position]


class Server:
    """The tables, and the answer to each operation."""

    def __init__(self, items: int) -> None:
        mapping = load_configured_mapping(Settings())
        old = list(many_items(items))
        v2: dict[str, list[Item]] = {name: [] for name in mapping.tables}
        for item in old:
            put = copy_write(mapping, item, 1)
            v2[put.table].append(put.item)
        shapes = {name: shape.key_names for name, shape in mapping.tables.items()}
        self.tables = {name: Table(shapes[name], items_there) for name, items_there in v2.items()}
        self.tables[mapping.old.table] = Table(mapping.old.key_names, old)
        self.operations: dict[str, Callable[[Answer], Answer]] = {
            "Scan": lambda request: self.tables[request["TableName"]].scan(request),
            "BatchGetItem": self.batch_get,
            "BatchExecuteStatement": batch_execute,
            "PutItem": lambda _: {},
        }

    def answer(self, head: bytes, body: bytes) -> bytes:
        """The answer to a request, by the operation that its head names."""
        operation = head.split(b"_20120810.", 1)[1].split(b"\r\n", 1)[0].decode()
        content = orjson.dumps(self.operations[operation](orjson.loads(body)))
        said = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.0\r\nx-amz-crc32: {zlib.crc32(content)}\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        return said.encode() + content

    def batch_get(self, request: Answer) -> Answer:
        responses = {
            name: [item for key in keys["Keys"] if (item := self.tables[name].get(key)) is not None]
            for name, keys in request["RequestItems"].items()
        }
        return {"Responses": responses, "UnprocessedKeys": {}}


def batch_execute(request: Answer) -> Answer:
    """Refuses the probe, as DynamoDB does, and accepts everything else."""
    if "tablesplit_probe" in request["Statements"][0]["Statement"]:
        return {"Responses": [{"Error": {"Code": "ValidationError", "Message": "the key is missing"}}]}
    return {"Responses": [{} for _ in request["Statements"]]}


class Connection(asyncio.Protocol):
    """One keep-alive connection: requests with Content-Length, one after the other.

    ``answer`` makes each whole answer from the head of the request and its body.
    """

    def __init__(self, answer: Callable[[bytes, bytes], bytes]) -> None:
        self.answer = answer
        self.received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, content: bytes) -> None:
        self.received += content
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.received[:end])
            request_end = end + 4 + _number_after(head.lower(), b"content-length:")
            if len(self.received) < request_end:
                return
            body = bytes(self.received[end + 4 : request_end])
            del self.received[:request_end]
            assert isinstance(self.transport, asyncio.Transport)
            self.transport.write(self.answer(head, body))


def _number_after(head: bytes, name: bytes) -> int:
    return int(head.split(name, 1)[1].split(b"\r\n", 1)[0])


async def serve(port: int, items: int) -> None:
    """Serve until the process is killed."""
    server = Server(items)
    listening = await asyncio.get_running_loop().create_server(lambda: Connection(server.answer), "127.0.0.1", port)
    print("ready", flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
