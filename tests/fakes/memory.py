"""An in-memory DynamoDB behind the data plane's protocols, whose every call a test can delay, fail or answer late.

Items are held as the JSON they travel in, so no test shares an object with the table.
``tests/contract/test_memory_agrees.py`` compares its answers with those of DynamoDB Local.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import orjson

from service.core.item.wire import Item
from service.core.item.write import Absent, Put, TransactItem, Write
from service.dynamodb.protocol import (
    AskedWrite,
    Fence,
    InsertRefused,
    IteratorType,
    Page,
    RecordsPage,
    StreamDescription,
    WriteOutcome,
)
from service.errors import Fatal, Poison, Retryable, StreamGone, Throttled
from tests.fakes.memory_conditions import canonical, holds, sort_key
from tests.fakes.memory_stream import MemoryStream
from tests.fakes.memory_table import Table, key_text, left, refusal

Hook = Callable[[str, object], Awaitable[None]]
"""Called with the operation and its subject (the write, the key, the table ...). An exception from it is the call's answer."""


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the log of all writes that changed something, over all tables, in order."""

    table: str
    key: bytes
    sequence: str
    old: bytes | None
    new: bytes | None


class MemoryDynamoDB:
    """Implements ``BatchStore`` and ``StreamStore``.

    before: awaited after the fence and before a call takes effect (the request on its way).
    after: awaited when it has taken effect and before it answers (raise here: the answer is lost).
    Each item of ``insert_many`` takes effect by itself, as operation ``insert``.
    """

    def __init__(self, *, before: Hook | None = None, after: Hook | None = None) -> None:
        self.before = before
        self.after = after
        self.tables: dict[str, Table] = {}
        self.written: list[Written] = []

    # What a test does without waiting: it writes as the application, and reads.

    def create_table(
        self,
        name: str,
        key: Sequence[str],
        *,
        indexes: Mapping[str, Sequence[str]] | None = None,
        types: Mapping[str, str] | None = None,
        shards: int = 1,
    ) -> str:
        """Make an empty table with an enabled stream; returns the stream's ARN."""
        arn = f"arn:aws:dynamodb:local:000000000000:table/{name}/stream/1"
        shapes = {index: tuple(names) for index, names in (indexes or {}).items()}
        self.tables[name] = Table(name, tuple(key), shapes, MemoryStream(arn, shards), types or {})
        return arn

    def stream(self, table: str) -> MemoryStream:
        """The table's stream, to split, trim or disable."""
        return self._table(table).stream

    def items(self, table: str) -> list[Item]:
        """Every item of ``table``."""
        return [orjson.loads(item) for item in self._table(table).items.values()]

    def item(self, table: str, key: Item) -> Item | None:
        """The item at ``key``, or None."""
        shape = self._table(table)
        content = shape.items.get(key_text(shape, key))
        return None if content is None else orjson.loads(content)

    def apply(self, *writes: TransactItem) -> bool:
        """All writes at once if every condition holds; False and nothing otherwise. An unchanged item emits no record."""
        shapes = [self._table(write.table) for write in writes]
        keys = [key_text(s, w.item if isinstance(w, Put) else w.key) for s, w in zip(shapes, writes, strict=True)]
        if len({(write.table, key) for key, write in zip(keys, writes, strict=True)}) < len(writes):
            raise refusal(shapes[0], "Transaction request cannot include multiple operations on one item")
        for shape, key, write in zip(shapes, keys, writes, strict=True):
            content = shape.items.get(key) if write.condition is not None else None
            if not holds(write.condition, None if content is None else orjson.loads(content)):
                return False
        news = [left(shape, key, write) for shape, key, write in zip(shapes, keys, writes, strict=True)]
        for shape, key, new in zip(shapes, keys, news, strict=True):
            self._store(shape, key, new)
        return True

    # The data plane's protocol.

    async def scan(
        self,
        table: str,
        *,
        segment: int,
        segments: int,
        start: Item | None,
        limit: int,
        consistent: bool = True,
    ) -> Page:
        await self._sent("scan", table)
        shape = self._table(table)
        places = sorted((crc32(key), key) for key in shape.items if crc32(key) % segments == segment)
        if start is not None:
            last = key_text(shape, start)
            places = [place for place in places if place > (crc32(last), last)]
        page = _page(shape, [orjson.loads(shape.items[key]) for _, key in places[: limit + 1]], limit, shape.key)
        await self._answered("scan", table)
        return page

    async def query(
        self,
        table: str,
        key: Item,
        *,
        index: str | None = None,
        start: Item | None = None,
        limit: int | None = None,
        consistent: bool = False,
    ) -> Page:
        await self._sent("query", key)
        shape = self._table(table)
        names = shape.indexes[index] if index else shape.key
        wanted = {name: canonical(value) for name, value in key.items()}
        items = [
            item
            for item in map(orjson.loads, shape.items.values())
            if all(name in item for name in names)
            and all(canonical(item[name]) == value for name, value in wanted.items())
        ]
        order = (*names, *shape.key)
        items.sort(key=lambda item: [sort_key(item[name]) for name in order])
        if start is not None:
            last = [sort_key(start[name]) for name in order]
            items = [item for item in items if [sort_key(item[name]) for name in order] > last]
        page = _page(shape, items, limit, order)
        await self._answered("query", key)
        return page

    async def get(self, table: str, key: Item) -> Item | None:
        await self._sent("get", key)
        item = self.item(table, key)
        await self._answered("get", key)
        return item

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        await self._sent("get_many", keys)
        items = [self.item(table, key) for key in keys]
        await self._answered("get_many", keys)
        return [item for item in items if item is not None]

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        return await self._write("write", write, fence)

    async def try_write(self, write: Write, *, fence: Fence | None = None) -> WriteOutcome:
        """As a client that sends the write once more when the answer to the first attempt was lost."""
        try:
            return "written" if await self._write("write", write, fence) else "refused"
        except Throttled:
            raise
        except Retryable:
            return "written" if await self._write("write", write, fence) else "unknown"

    async def try_write_many(self, table: str, asked: Sequence[AskedWrite], *, fence: Fence | None = None) -> None:
        """One after another, each as ``try_write``."""
        for one in asked:
            if not one.outcome.done():
                outcome = await self.try_write(one.write, fence=fence)
                if not one.outcome.done():
                    one.outcome.set_result(outcome)

    async def insert_many(
        self,
        table: str,
        items: Sequence[Item],
        key_names: tuple[str, ...],
        *,
        patient: bool = True,
        fence: Fence | None = None,
    ) -> list[bool]:
        results: list[bool | None] = []
        refused: dict[int, Poison] = {}
        for index, item in enumerate(items):
            try:
                results.append(await self._write("insert", Put(table, item, Absent((key_names[0],))), fence))
            except Poison as poison:
                results.append(None)
                refused[index] = poison
        if refused:
            raise InsertRefused(results, refused)
        return [bool(result) for result in results]

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        if fence is not None:
            fence()
        await self._sent("transact", items)
        accepted = self.apply(*items)
        await self._answered("transact", items)
        return accepted

    async def describe_stream(
        self, arn: str, *, children_of: str | None = None, after: str | None = None, whole: bool = True
    ) -> StreamDescription:
        await self._sent("describe_stream", arn)
        description = self._stream_at(arn).describe(children_of)
        await self._answered("describe_stream", arn)
        return description

    async def shard_iterator(self, arn: str, shard_id: str, kind: IteratorType, sequence: str | None = None) -> str:
        await self._sent("shard_iterator", shard_id)
        iterator = self._stream_at(arn).iterator(shard_id, kind, sequence)
        await self._answered("shard_iterator", shard_id)
        return iterator

    async def get_records(self, iterator: str, limit: int = 1000) -> RecordsPage:
        await self._sent("get_records", iterator)
        arn, shard_id, index = iterator.split(" ")
        page = self._stream_at(arn).read(shard_id, int(index), limit)
        await self._answered("get_records", iterator)
        return page

    async def _write(self, operation: str, write: Write, fence: Fence | None) -> bool:
        if fence is not None:
            fence()
        await self._sent(operation, write)
        accepted = self.apply(write)
        await self._answered(operation, write)
        return accepted

    async def _sent(self, operation: str, subject: object) -> None:
        if self.before is not None:
            await self.before(operation, subject)

    async def _answered(self, operation: str, subject: object) -> None:
        if self.after is not None:
            await self.after(operation, subject)

    def _store(self, shape: Table, key: bytes, new: bytes | None) -> None:
        old = shape.items.get(key)
        if old == new:
            return
        if new is None:
            del shape.items[key]
        else:
            shape.items[key] = new
        keys = orjson.loads(old or new or b"")
        partition = orjson.dumps(keys[shape.key[0]]).decode()
        sequence = shape.stream.append(partition, orjson.dumps({name: keys[name] for name in shape.key}), old, new)
        self.written.append(Written(shape.name, key, sequence, old, new))

    def _table(self, name: str) -> Table:
        if name not in self.tables:
            raise Fatal(f"table {name} was not found in memory", remedy="create it in the test")
        return self.tables[name]

    def _stream_at(self, arn: str) -> MemoryStream:
        for table in self.tables.values():
            if table.stream.arn == arn:
                return table.stream
        raise StreamGone(f"stream {arn} was not found in memory")


def _page(shape: Table, found: list[Item], limit: int | None, names: Sequence[str]) -> Page:
    if limit is None or len(found) <= limit:
        return Page(found, None, float(len(found)))
    page = found[:limit]
    return Page(page, {name: page[-1][name] for name in names}, float(limit))
