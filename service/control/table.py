"""The control table: what tablesplit remembers, as small typed records under (partition, name).

A record is one item: ``pk``, ``sk``, ``document`` (its value as JSON text), ``rev`` (random, new at each write) and, for
records that only the holder of a lease writes, ``token``. A value that is too large for one record is packed into several. This
is the only module that knows this form.
"""

import base64
import dataclasses
import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from functools import cache
from secrets import token_hex
from typing import Any, Generic, TypeVar

import orjson
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from service.control.sightings import Sightings
from service.core.item.wire import Item
from service.core.item.write import Absent, AnyOf, Condition, Delete, Equals, Less, Put
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Fatal, Retryable

T = TypeVar("T")

CHANGE_ATTEMPTS = 50
"""Each refused attempt of ``change`` means that another writer succeeded. So many in a row are not a coincidence."""


RESTORE = "restore the table from its backup, or start over: `tablesplit drop-tables`, then `tablesplit create-tables`"
"""What to do about a damaged record."""


def contended(what: str) -> Retryable:
    """The error after CHANGE_ATTEMPTS refused attempts to write ``what``."""
    return Retryable(f"{what} is contended", reason="control_contended")


@dataclasses.dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A record as it was read."""

    value: T
    rev: str
    """The revision: a later write is made on condition that it has not changed."""
    token: int = 0
    """The token of the worker that wrote the record."""


REV_BYTES = 8


def is_record(item: Item) -> bool:
    """Whether an item has the form of a record: exactly its attributes, ``rev`` as ``as_put`` makes it, and JSON as document."""
    match {name: value for name, value in item.items() if name != "token"}:
        case {"pk": {"S": _}, "sk": {"S": _}, "document": {"S": str(document)}, "rev": {"S": str(rev)}, **others}:
            return not others and _is_rev(rev) and _is_json(document) and item.get("token", {"N": "0"}).keys() == {"N"}
    return False


def _is_rev(rev: str) -> bool:
    return len(rev) == 2 * REV_BYTES and set(rev) <= set("0123456789abcdef")


def _is_json(document: str) -> bool:
    try:
        orjson.loads(document)
    except orjson.JSONDecodeError:
        return False
    return True


class ControlTable:
    """The control table, from which the records of each partition are opened."""

    def __init__(self, store: ItemStore, table: str) -> None:
        self.store = store
        self.table = table
        self._sightings: dict[str, Sightings] = {}

    def sightings(self, partition: str, silent_seconds: float) -> Sightings:
        """What this process has seen of the records of a partition: one for all who ask. See ``Sightings``."""
        return self._sightings.setdefault(partition, Sightings(silent_seconds))

    def records(self, partition: str, kind: type[T]) -> "Records[T]":
        """The records of one partition, all of one kind: a dataclass, a pydantic model, or ``dict[str, Any]``."""
        return Records(self, partition, _adapter(kind))  # type: ignore[arg-type]  # mypy: type[T] might be unhashable


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    """Made once for each kind: making one takes longer than using it a thousand times."""
    return TypeAdapter(kind)


class Records(Generic[T]):
    """The records of one partition. Reads are consistent; a record that cannot be read raises Fatal with the remedy."""

    def __init__(self, control: ControlTable, partition: str, adapter: TypeAdapter[T]) -> None:
        self._store = control.store
        self._table = control.table
        self._partition = partition
        self._adapter = adapter

    async def get(self, name: str) -> Stored[T] | None:
        """The record, or None."""
        item = await self._store.get(self._table, self._key(name))
        return None if item is None else self._read(item)

    async def all(self) -> dict[str, Stored[T]]:
        """Every record of the partition, by name, in the order of the names."""
        return await self.after("", None)

    async def after(self, name: str, limit: int | None) -> dict[str, Stored[T]]:
        """The first ``limit`` records (None: all of them) after ``name`` ("": from the first on), in the order of the names."""
        records: dict[str, Stored[T]] = {}
        async for items in self._pages(name, limit):
            records |= {item["sk"]["S"]: self._read(item) for item in items}
        return records

    async def names(self, name: str = "", limit: int | None = None) -> list[str]:
        """The names of the same records. Nothing of the records themselves is read: a damaged one is named too."""
        names: list[str] = []
        async for items in self._pages(name, limit):
            names += [item["sk"]["S"] for item in items]
        return names

    async def _pages(self, name: str, limit: int | None) -> AsyncIterator[list[Item]]:
        start = self._key(name) if name else None
        count = 0
        while limit is None or count < limit:
            key, left = {"pk": {"S": self._partition}}, None if limit is None else limit - count
            page = await self._store.query(self._table, key, start=start, limit=left, consistent=True)
            yield page.items
            start, count = page.last_key, count + len(page.items)
            if start is None:
                break

    async def put(self, name: str, value: T, was: Stored[T] | None, *, fence: Fence | None = None) -> Stored[T] | None:
        """Write the record if it is still as it ``was`` (None: absent). Return it as stored, or None if it had changed.

        A lost answer leaves no doubt: after a refused write the record is read, and has the new revision if that write was
        made.
        """
        put, stored = self.as_put(name, value, was)
        if await self._store.write(put, fence=fence):
            return stored
        current = await self.get(name)
        return stored if current is not None and current.rev == stored.rev else None

    async def change(self, name: str, change: Callable[[T | None], T]) -> T:
        """Replace the record by ``change`` of its value; return what was stored. If another writer comes first, do it again.

        ``change`` must return its own result unchanged when it is applied to it: that happens after a lost answer.
        """
        for _ in range(CHANGE_ATTEMPTS):
            was = await self.get(name)
            value = change(was.value if was else None)
            if was is not None and value == was.value:
                return value
            if await self.put(name, value, was) is not None:
                return value
        raise contended(f"control table {self._table}: {self._partition}/{name}")

    async def remove(self, name: str, was: Stored[T]) -> bool:
        """Delete the record if it is still as it ``was``. False: it had changed or was gone."""
        return await self._store.write(self.as_delete(name, was))

    async def save(self, name: str, value: T, token: int = 0, *, fence: Fence | None = None) -> bool:
        """Write the record over any that has no newer ``token`` (of the lease that the writer holds). False: a newer writer has
        saved it."""
        put, _ = self.as_put(name, value, None)
        item = {**put.item, "token": {"N": str(token)}}
        return await self._store.write(Put(self._table, item, _no_newer(token)), fence=fence)

    async def claim(self, name: str) -> Stored[T] | None:
        """Give the record the next token, with its value unchanged: a worker that saved it before can do so no more. None:
        there is no record.

        A lost answer costs a token: the claim is made again, above the one that may have been taken.
        """
        for _ in range(CHANGE_ATTEMPTS):
            was = await self.get(name)
            if was is None:
                return None
            put, stored = self.as_put(name, was.value, was)
            token = was.token + 1
            if await self._store.write(Put(self._table, {**put.item, "token": {"N": str(token)}}, put.condition)):
                return Stored(stored.value, stored.rev, token)
        raise contended(f"control table {self._table}: {self._partition}/{name}")

    async def forget(self, name: str, token: int = 0) -> bool:
        """Delete the record unless it has a newer ``token``. False: a newer writer has saved it."""
        return await self._store.write(Delete(self._table, self._key(name), _no_newer(token)))

    def as_put(self, name: str, value: T, was: Stored[T] | None) -> tuple[Put, Stored[T]]:
        """The write that ``put`` makes, for a transaction, and the record as it is stored then."""
        stored = Stored(value, token_hex(REV_BYTES))
        item = {
            **self._key(name),
            "document": {"S": self._adapter.dump_json(value).decode()},
            "rev": {"S": stored.rev},
        }
        return Put(self._table, item, _unchanged(was)), stored

    def as_delete(self, name: str, was: Stored[T]) -> Delete:
        """The write that ``remove`` makes, for a transaction."""
        return Delete(self._table, self._key(name), _unchanged(was))

    def as_removal(self, name: str) -> Delete:
        """The unconditional removal of the record, for a transaction."""
        return Delete(self._table, self._key(name))

    def _key(self, name: str) -> Item:
        return {"pk": {"S": self._partition}, "sk": {"S": name}}

    def _read(self, item: Item) -> Stored[T]:
        try:
            token = int(item["token"]["N"]) if "token" in item else 0
            return Stored(self._adapter.validate_json(item["document"]["S"]), item["rev"]["S"], token)
        except (KeyError, TypeError, ValueError) as error:
            raise Fatal(
                f"control table {self._table}: record {self._partition}/{item['sk']['S']} is damaged "
                f"({_reason(error)})",
                remedy=RESTORE,
            ) from error


def _unchanged(was: Stored[T] | None) -> Condition:
    return Absent(("pk",)) if was is None else Equals(("rev",), {"S": was.rev})


def _no_newer(token: int) -> Condition:
    mine = {"N": str(token)}
    return AnyOf((Absent(("token",)), Less(("token",), mine), Equals(("token",), mine)))


def _reason(error: KeyError | TypeError | ValueError) -> str:
    if isinstance(error, KeyError):
        return f"no attribute {error}"
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"


CHUNK_CHARACTERS = 300_000
"""Of base64 text, so that a record stays well below DynamoDB's 400 KB. Two incompressible images of an item take three or four
chunks."""


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class PackedPart:
    """One chunk of a packed value."""

    text: str


def packed(value: Any) -> list[PackedPart]:
    """A JSON value in chunks. The same value always gives the same chunks."""
    text = base64.b64encode(gzip.compress(orjson.dumps(value), mtime=0)).decode()
    return [PackedPart(text[start : start + CHUNK_CHARACTERS]) for start in range(0, len(text), CHUNK_CHARACTERS)]


def unpacked(chunks: list[PackedPart], read: Callable[[Any], T], where: str) -> T:
    """What ``read`` makes of the value of the ``chunks`` that ``packed`` returned. ``where``: whose they are.

    Raises Fatal when one is damaged or gone.
    """
    try:
        text = gzip.decompress(base64.b64decode("".join(chunk.text for chunk in chunks), validate=True))
        return read(orjson.loads(text))
    except (KeyError, TypeError, ValueError, OSError, EOFError, zlib.error) as error:
        raise Fatal(f"control table: {where} is damaged ({error or type(error).__name__})", remedy=RESTORE) from error
