"""The ledger in the control table: one entry per old item, spread over 256 partitions."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from hashlib import blake2b

import orjson

from service.clock import Clock
from service.control.table import ControlTable, Records, Stored
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.rules.ledger import Entry, new_entry

PARTITIONS = tuple(f"{number:02x}" for number in range(256))
"""The first two hex digits of an entry's name."""


def ledger_id(table: str, key: Item) -> str:
    """The name of an old item's entry: 32 hex digits, always the same for the same item, and different for different items."""
    return blake2b(orjson.dumps([table, key], option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class EntryReading:
    """An entry as it was read, or a new one where there was none."""

    entry: Entry
    was: Stored[Entry] | None
    """The record that was read; None: there was none."""


class Ledger:
    """Reads the entries of one old table, and makes the writes that replace and drop them."""

    def __init__(self, control: ControlTable, clock: Clock, old_table: str, epoch: int) -> None:
        """``epoch``: the epoch of the entries that are created here."""
        self._control = control
        self._clock = clock
        self._old_table = old_table
        self._epoch = epoch

    async def read(self, key: Item) -> EntryReading:
        """The entry of the old item at ``key``, read consistently."""
        name = ledger_id(self._old_table, key)
        was = await self._records(name).get(name)
        return EntryReading(was.value if was else new_entry(key, self._epoch), was)

    def put(self, read: EntryReading, entry: Entry) -> Put:
        """The write that replaces the entry that was read by ``entry``, if it has not changed since."""
        name = ledger_id(self._old_table, entry.key)
        return self._records(name).as_put(name, replace(entry, touched_at=self._clock.now()), read.was)[0]

    def delete(self, read: EntryReading) -> Delete:
        """The write that drops the entry that was read, if it has not changed since."""
        assert read.was is not None
        name = ledger_id(self._old_table, read.entry.key)
        return self._records(name).as_delete(name, read.was)

    async def all(self) -> AsyncIterator[EntryReading]:
        """Every entry, partition by partition."""
        for partition in PARTITIONS:
            for stored in (await self._control.records(f"ledger#{partition}", Entry).all()).values():
                yield EntryReading(stored.value, stored)

    def _records(self, name: str) -> Records[Entry]:
        return self._control.records(f"ledger#{name[:2]}", Entry)
