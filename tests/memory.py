"""An in-memory DynamoDB behind the data plane's protocols, whose every call a test can delay, fail or answer late.

Items are held as the JSON they travel in, so nobody ever shares one with the table. What it promises is what
``tests/contract/test_memory_agrees.py`` compares with DynamoDB Local.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import orjson

from service.core.size import MAX_ITEM_BYTES, item_bytes
from service.core.wire import AttributeValue, Item
from service.core.write import Absent, Delete, Put, TransactItem, Update, Write
from service.dynamodb.items import check_together
from service.dynamodb.protocol import Fence, InsertRefused, IteratorType, Page, RecordsPage, StreamDescription
from service.errors import Fatal, Poison, StreamGone
from tests.memory_conditions import NUMBERS, canonical, holds, sort_key
from tests.memory_stream import MemoryStream

PLAIN = frozenset({"S", "B", "BOOL", "NULL"})

Hook = Callable[[str, object], Awaitable[None]]
"""Called with the operation and its subject (the write, the key, the table ...). What it raises is the call's answer."""


@dataclass(slots=True)
class Table:
    """A table: key attribute names, index name to key attribute names, items as JSON by key, and its stream.

    types: type tags of the key attributes that are no strings.
    """

    name: str
    key: tuple[str, ...]
    indexes: Mapping[str, tuple[str, ...]]
    stream: MemoryStream
    types: Mapping[str, str]
    items: dict[bytes, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Written:
    """One entry of the log of all writes that changed something, over all tables, in order."""

    table: str
    key: bytes
    sequence: str
    old: bytes | None
    new: bytes | None


class MemoryDynamoDB:
    """Implements ``ItemStore`` and ``StreamStore``.

    before: awaited after the fence and before a call takes effect (the request on its way).
    after: awaited when it has taken effect and before it answers (raise here: the answer is lost).
    Each item of ``insert_many`` takes effect by itself, as operation ``insert``.
    """

    def __init__(self, *, before: Hook | None = None, after: Hook | None = None) -> None:
        self.before = before
        self.after = after
        self.tables: dict[str, Table] = {}
        self.written: list[Written] = []

    # What a test does without waiting: the application's side, and looking.

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
        found = shape.items.get(_key_text(shape, key))
        return None if found is None else orjson.loads(found)

    def apply(self, *writes: TransactItem) -> bool:
        """All writes at once if every condition holds; False and nothing otherwise. An unchanged item emits no record."""
        shapes = [self._table(write.table) for write in writes]
        keys = [_key_text(s, w.item if isinstance(w, Put) else w.key) for s, w in zip(shapes, writes, strict=True)]
        if len({(write.table, key) for key, write in zip(keys, writes, strict=True)}) < len(writes):
            raise _refusal(shapes[0], "Transaction request cannot include multiple operations on one item")
        for shape, key, write in zip(shapes, keys, writes, strict=True):
            found = shape.items.get(key) if write.condition is not None else None
            if not holds(write.condition, None if found is None else orjson.loads(found)):
                return False
        left = [_left(shape, key, write) for shape, key, write in zip(shapes, keys, writes, strict=True)]
        for shape, key, item in zip(shapes, keys, left, strict=True):
            self._store(shape, key, item)
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
        found = sorted((crc32(key), key) for key in shape.items if crc32(key) % segments == segment)
        if start is not None:
            last = _key_text(shape, start)
            found = [place for place in found if place > (crc32(last), last)]
        page = _page(shape, [orjson.loads(shape.items[key]) for _, key in found[: limit + 1]], limit, shape.key)
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
        found = [
            item
            for item in map(orjson.loads, shape.items.values())
            if all(name in item for name in names)
            and all(canonical(item[name]) == value for name, value in wanted.items())
        ]
        order = (*names, *shape.key)
        found.sort(key=lambda item: [sort_key(item[name]) for name in order])
        if start is not None:
            last = [sort_key(start[name]) for name in order]
            found = [item for item in found if [sort_key(item[name]) for name in order] > last]
        page = _page(shape, found, limit, order)
        await self._answered("query", key)
        return page

    async def get(self, table: str, key: Item) -> Item | None:
        await self._sent("get", key)
        found = self.item(table, key)
        await self._answered("get", key)
        return found

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        await self._sent("get_many", keys)
        found = [self.item(table, key) for key in keys]
        await self._answered("get_many", keys)
        return [item for item in found if item is not None]

    async def get_together(self, reads: Sequence[tuple[str, Item]]) -> list[Item | None]:
        check_together(reads)
        await self._sent("get_together", reads)
        found = [self.item(table, key) for table, key in reads]
        await self._answered("get_together", reads)
        return found

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        return await self._write("write", write, fence)

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

    async def describe_stream(self, arn: str, *, children_of: str | None = None) -> StreamDescription:
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


def _left(shape: Table, key: bytes, write: TransactItem) -> bytes | None:
    """What ``write`` leaves at ``key``. Raises Poison for an item that DynamoDB refuses."""
    found = shape.items.get(key)
    match write:
        case Put():
            return _checked(shape, write.item)
        case Update():
            return _checked(shape, _updated(found, write))
        case Delete():
            return None
    return found


def _updated(found: bytes | None, update: Update) -> Item:
    item = {**(orjson.loads(found) if found is not None else update.key), **update.set}
    return {name: value for name, value in item.items() if name not in update.remove}


def _page(shape: Table, found: list[Item], limit: int | None, names: Sequence[str]) -> Page:
    if limit is None or len(found) <= limit:
        return Page(found, None, float(len(found)))
    page = found[:limit]
    return Page(page, {name: page[-1][name] for name in names}, float(limit))


def _key_text(shape: Table, item: Item) -> bytes:
    """The item's key as text, equal for equal keys. Raises Poison when a key attribute is missing or empty."""
    for name in shape.key:
        _check_key_value(shape, name, item.get(name))
    return orjson.dumps([_as_stored(item[name]) for name in shape.key])


def _checked(shape: Table, item: Item) -> bytes:
    """The item as the table keeps it. Raises Poison for what DynamoDB refuses: bad index keys, over 400 KB."""
    for name in {name for names in shape.indexes.values() for name in names} & item.keys():
        _check_key_value(shape, name, item[name])
    text = orjson.dumps({name: _as_stored(value) for name, value in item.items()}, option=orjson.OPT_SORT_KEYS)
    if len(text) > MAX_ITEM_BYTES and item_bytes(item) > MAX_ITEM_BYTES:
        raise _refusal(shape, "Item size has exceeded the maximum allowed size")
    return text


def _check_key_value(shape: Table, name: str, value: AttributeValue | None) -> None:
    if value is None or not value.get(shape.types.get(name, "S")):
        raise _refusal(shape, f"key attribute {name} is missing, empty or of a wrong type")


def _refusal(shape: Table, message: str) -> Poison:
    return Poison(f"PutItem on {shape.name}: DynamoDB refuses the item: {message}", reason="refused_by_dynamodb")


def _as_stored(value: AttributeValue) -> AttributeValue:
    """The value in the one form that equal values share: numbers in plain digits without needless zeros, sets sorted."""
    ((tag, content),) = value.items()
    if tag in PLAIN:
        return value
    return {tag: _STORED[tag](content)}


def _plain(number: str) -> str:
    exact = NUMBERS.create_decimal(number).normalize(NUMBERS)
    return "0" if exact.is_zero() else f"{exact:f}"


_STORED: dict[str, Callable[[Any], Any]] = {
    "N": _plain,
    "NS": lambda numbers: sorted(map(_plain, numbers)),
    "SS": sorted,
    "BS": sorted,
    "L": lambda elements: [_as_stored(element) for element in elements],
    "M": lambda content: {name: _as_stored(value) for name, value in content.items()},
}
