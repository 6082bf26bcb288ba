"""The ledger in the control table: one item per old item, spread over 256 partitions, with a half for each direction.

The item is ``pk``, ``sk``, ``key``, ``epoch``, ``touched_at``, and for each half its document and its revision. A direction
replaces its own half on condition of that half's revision, so the two never wait for each other. An item of the form before the
halves is read as an entry, and replaced by the first write.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from secrets import token_hex
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter, ValidationError

from service.clock import Clock
from service.control.table import ControlTable
from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Absent, AllOf, Condition, Delete, Equals, Update
from service.core.rules.ledger import Entry, ForwardHalf, ReverseHalf, Track, new_entry
from service.errors import Fatal

PARTITIONS = tuple(f"{number:02x}" for number in range(256))
"""The first two hex digits of an entry's name."""

Direction = Literal["forward", "reverse"]

LEVEL, WINDOW_BITS, MEMORY_LEVEL = 1, 10, 1
"""Of zlib, for a text of about 1 KB: the least is as good as the most, and takes an eighth of the time."""

FORWARD = TypeAdapter(ForwardHalf)
REVERSE = TypeAdapter(ReverseHalf)
REVISIONS: dict[Direction, str] = {"forward": "forward_rev", "reverse": "reverse_rev"}


def conflict_id(table: str, key: Item, version: str) -> str:
    """The id of the conflict-log entry of the change ``version`` of an old item. It begins with the item's ``ledger_id``."""
    return f"{ledger_id(table, key)}-{version}"


def ledger_id(table: str, key: Item) -> str:
    """The name of an old item's entry: 32 hex digits, always the same for the same item, and different for different items."""
    return blake2b(orjson.dumps([table, key], option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class EntryReading:
    """An entry as it was read, or a new one where there was none."""

    entry: Entry
    item: Item | None
    """The item of the control table that was read; None: there was none."""

    def revision(self, direction: Direction) -> str | None:
        """The revision of a half; None: it has not been written yet."""
        value = (self.item or {}).get(REVISIONS[direction])
        return value["S"] if value is not None else None


class Ledger:
    """Reads the entries of one old table, and makes the writes that replace and drop them."""

    def __init__(self, control: ControlTable, clock: Clock, old_table: str, epoch: int) -> None:
        """``epoch``: the epoch of the entries that are created here."""
        self._store = control.store
        self._table = control.table
        self._clock = clock
        self._old_table = old_table
        self._epoch = epoch

    async def read(self, key: Item) -> EntryReading:
        """The entry of the old item at ``key``, read consistently."""
        return self._reading(key, await self._store.get(self._table, self._control_key(key)))

    async def read_many(self, keys: Sequence[Item]) -> dict[str, EntryReading]:
        """The entries of the old items at distinct ``keys``, by ``ledger_id``, read consistently."""
        named = {ledger_id(self._old_table, key): key for key in keys}
        items = await self._store.get_many(self._table, [self._control_key(key) for key in named.values()])
        found = {item["sk"]["S"]: item for item in items}
        return {name: self._reading(key, found.get(name)) for name, key in named.items()}

    def update(self, read: EntryReading, half: ForwardHalf | ReverseHalf) -> tuple[Update, EntryReading]:
        """The write that replaces one half of the entry that was read, if that half has not changed since; and the entry as it is
        read after it."""
        direction = direction_of(half)
        changed = _with_half(read.entry, half, self._clock.now())
        condition = _unchanged(read, direction)
        item: Item = {
            **_shared(changed),
            direction: _document(half),
            REVISIONS[direction]: {"S": token_hex(8)},
        }
        if _is_former(read.item):  # the other half is written too: it is in the former document
            other: ForwardHalf | ReverseHalf = changed.reverse if direction == "forward" else changed.forward
            item |= {direction_of(other): _document(other), REVISIONS[direction_of(other)]: {"S": token_hex(8)}}
        removed = ("document", "rev") if _is_former(read.item) else ()
        write = Update(self._table, self._control_key(changed.key), item, removed, condition)
        kept = {name: value for name, value in (read.item or {}).items() if name not in removed}
        return write, EntryReading(changed, {**write.key, **kept, **item})

    def delete(self, read: EntryReading) -> Delete:
        """The write that drops the entry that was read, if neither half has changed since."""
        assert read.item is not None
        conditions = [_unchanged(read, direction) for direction in REVISIONS]
        return Delete(self._table, self._control_key(read.entry.key), AllOf(tuple(conditions)))

    async def all(self) -> AsyncIterator[EntryReading]:
        """Every entry, partition by partition."""
        for partition in PARTITIONS:
            start: Item | None = None
            while True:
                page = await self._store.query(
                    self._table, {"pk": {"S": f"ledger#{partition}"}}, start=start, consistent=True
                )
                for item in page.items:
                    yield self._reading(None, item)
                start = page.last_key
                if start is None:
                    break

    def _reading(self, key: Item | None, item: Item | None) -> EntryReading:
        if item is None:
            assert key is not None
            return EntryReading(new_entry(key, self._epoch), None)
        try:
            return EntryReading(_former_entry(item) if _is_former(item) else _entry(item), item)
        except (KeyError, TypeError, ValueError, ValidationError, zlib.error) as error:
            raise Fatal(
                f"control table {self._table}: ledger entry {item['pk']['S']}/{item['sk']['S']} is damaged ({error})",
                remedy="restore the table from its backup",
            ) from error

    def _control_key(self, key: Item) -> Item:
        name = ledger_id(self._old_table, key)
        return {"pk": {"S": f"ledger#{name[:2]}"}, "sk": {"S": name}}


def _with_half(entry: Entry, half: ForwardHalf | ReverseHalf, now: float) -> Entry:
    if isinstance(half, ForwardHalf):
        return replace(entry, forward=half, touched_at=now)
    return replace(entry, reverse=half, touched_at=now)


def direction_of(half: ForwardHalf | ReverseHalf) -> Direction:
    """The direction that a half belongs to."""
    return "forward" if isinstance(half, ForwardHalf) else "reverse"


def _document(half: ForwardHalf | ReverseHalf) -> AttributeValue:
    """The document of a half: compressed JSON, because it names places and versions several times, and an entry with both halves
    would take more than the 1 KB of a write unit."""
    adapter: TypeAdapter[Any] = FORWARD if isinstance(half, ForwardHalf) else REVERSE
    compressed = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW_BITS, MEMORY_LEVEL)
    text = compressed.compress(adapter.dump_json(half, exclude_defaults=True)) + compressed.flush()
    return {"B": b64encode(text).decode()}


def _text(document: AttributeValue) -> bytes:
    """The JSON of a document."""
    return zlib.decompress(b64decode(document["B"]))


def _shared(entry: Entry) -> Item:
    return {
        "key": {"S": orjson.dumps(entry.key).decode()},
        "epoch": {"N": str(entry.epoch)},
        "touched_at": {"N": repr(entry.touched_at)},
    }


def _entry(item: Item) -> Entry:
    key, epoch = orjson.loads(item["key"]["S"]), int(item["epoch"]["N"])
    new = new_entry(key, epoch)
    return Entry(
        key,
        epoch,
        FORWARD.validate_json(_text(item["forward"])) if "forward" in item else new.forward,
        REVERSE.validate_json(_text(item["reverse"])) if "reverse" in item else new.reverse,
        float(item["touched_at"]["N"]),
    )


def _is_former(item: Item | None) -> bool:
    """Whether an item has the form of versions before the halves: one document for both directions."""
    return item is not None and "document" in item


def _former_entry(item: Item) -> Entry:
    """An entry of the former form. Reverse wrote the whole item then."""
    former = orjson.loads(item["document"]["S"])
    places = tuple(former["keys"])
    tracks = {text: Track(**track) for text, track in former["tracks"].items()}
    return Entry(
        former["key"],
        former["epoch"],
        ForwardHalf(seen=former["seen"], done=former["done"], places=places),
        ReverseHalf(
            count=former["put"],
            whole=former["put"],
            last=former["put"],
            tracks=tracks,
            places=places,
            held_since=former["held_since"],
        ),
        former["touched_at"],
    )


def _unchanged(read: EntryReading, direction: Direction) -> Condition:
    """The condition that a half is as it was read, and that the entry's epoch is."""
    if read.item is None:
        return Absent(("pk",))
    if _is_former(read.item):
        return Equals(("rev",), read.item["rev"])
    revision = read.revision(direction)
    half: Condition = (
        Absent((REVISIONS[direction],)) if revision is None else Equals((REVISIONS[direction],), {"S": revision})
    )
    return AllOf((half, Equals(("epoch",), read.item["epoch"])))
