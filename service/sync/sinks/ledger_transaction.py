"""The ledger transaction: v2 places are read together, and a ledger entry is written together with what belongs to it.

Both directions of the ledger rule apply a change in this way: read the entry, read the places, decide, then write the entry and
everything that was decided in one transaction that holds only if nothing of it has changed. If something has, the change is
decided anew, after a pause.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform

from service.control.conflicts import Conflicts, Held
from service.control.ledger import EntryReading, Ledger, ledger_id
from service.control.stores import Stores
from service.core.item.wire import Item
from service.core.item.write import Delete, TransactItem, Write
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import PlaceReading, still_bare
from service.dynamodb.protocol import Fence
from service.errors import Retryable

COMMIT_ATTEMPTS = 60
"""Each refused attempt means that the application or the other direction has written the same item in between."""

LONGEST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LedgerTransaction:
    """Reads and writes that a sink of the ledger rule makes for one item."""

    stores: Stores
    ledger: Ledger
    conflicts: Conflicts
    fence: Fence
    """Checked right before every attempt of every write."""
    purge_at_once: bool
    """Whether a tombstone may be removed as soon as it is written."""
    retried: Callable[[str], None]
    """Called with the reason of each further attempt."""

    async def read_together(self, places: Sequence[Place]) -> list[PlaceReading]:
        """The items at the v2 ``places``, in one atomic read."""
        if not places:
            return []
        items = await self.stores.store.get_together([(place.table, place.key) for place in places])
        return [PlaceReading(place, item) for place, item in zip(places, items, strict=True)]

    async def commit(self, read: EntryReading, entry: Entry, writes: Sequence[TransactItem]) -> bool:
        """Write ``entry`` and ``writes``, all or nothing. False: the entry or an item had changed since it was read."""
        put = self.ledger.put(read, entry)
        if not writes:
            return await self.stores.store.write(put, fence=self.fence)
        return await self.stores.store.transact([put, *writes], fence=self.fence)

    async def pause(self, attempt: int) -> None:
        """Wait before a further attempt, longer each time. Raises Retryable after the last."""
        if attempt >= COMMIT_ATTEMPTS:
            raise Retryable("a ledger entry is contended", reason="ledger_contended")
        self.retried("ledger_contended")
        await self.stores.clock.sleep(uniform(0, min(LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt)))

    async def purge(self, table: str, key: Item, tombstone: Item) -> None:
        """Remove a bare tombstone, if it may be removed already and is still what was written."""
        if self.purge_at_once:
            condition = still_bare(self.stores.mapping, table, tombstone)
            await self.stores.store.write(Delete(table, key, condition), fence=self.fence)

    def held_writes(self, before: Entry, after: Entry) -> list[Write]:
        """The record that an item is held from now on, or its removal, for the transaction that changes the entry so."""
        name = ledger_id(self.stores.mapping.old.table, after.key)
        if after.held_since is not None and before.held_since is None:
            return [self.conflicts.held_put(name, self._held(after))]
        if after.held_since is None and before.held_since is not None:
            return [self.conflicts.held_delete(name)]
        return []

    def _held(self, entry: Entry) -> Held:
        mapping = self.stores.mapping
        places = [place_from(text) for text in entry.keys]
        entity = mapping.entity_at(places[0].table, places[0].key)
        keys = tuple((place.table, place.key) for place in places)
        name = entity.name if entity is not None else "unknown"
        return Held(mapping.old.table, entry.key, name, keys, entry.held_since or 0.0)
