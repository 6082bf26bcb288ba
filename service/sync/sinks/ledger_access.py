"""The reads and writes that a sink of the ledger rule makes for one item.

Both directions write a claim into their half of the ledger entry, together with what belongs to it in the control table, and
then one conditional write on the target. No transaction touches a table of the application. After a crash or a lost answer, the
target, the opposite half and the target's stream say whether a claimed write was made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import uniform
from typing import Protocol

from service.control.conflicts import Conflicts, Held
from service.control.ledger import EntryReading, Ledger, direction_of, ledger_id
from service.control.stores import Stores
from service.core.item.stamp import is_bare_tombstone, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Delete, Equals, TransactItem, Update, Write
from service.core.rules.authorship import live
from service.core.rules.evidence import was_put, was_written
from service.core.rules.ledger import (
    Entry,
    ForwardClaim,
    ForwardHalf,
    Place,
    ReverseClaim,
    ReverseHalf,
    is_repeat,
    is_write_of,
    place_from,
)
from service.core.rules.ledger_writes import PlaceReading, still_bare
from service.dynamodb.protocol import Fence
from service.errors import Retryable
from service.failpoints import failpoint

ATTEMPTS = 60
"""Each refused attempt means that the application or another worker has written the same item in between."""

LONGEST_PAUSE_SECONDS = 0.5


class StampSearch(Protocol):
    """Looks for our writes in a stream."""

    async def has(self, table: str, key: Item, version: str) -> bool:
        """Whether the stream of ``table``, from the positions that its lane has saved to its end, has a record of the item at
        ``key`` with a stamp, in its new or its old image, of a write of a claim at ``version``. Raises Trimmed or StreamGone when
        it cannot be told."""


class Superseded(Protocol):
    """The workers that this one has taken over from."""

    async def silent(self, *, any_worker: bool = False) -> None:
        """Return once none of them can write any more; ``any_worker``: nor any other worker that may have claimed a write by
        now, as a retry beside the lane has."""


@dataclass(frozen=True, slots=True)
class LedgerAccess:
    """The ledger, the tables and the conflict log, as a sink of the ledger rule uses them."""

    stores: Stores
    ledger: Ledger
    conflicts: Conflicts
    fence: Fence
    """Checked right before every attempt of every write."""
    worker: str
    """This worker's id, for its claims."""
    search: StampSearch
    superseded: Superseded
    purge_at_once: bool
    """Whether a tombstone may be removed as soon as it is written."""
    retried: Callable[[str], None]
    """Called with the reason of each further attempt."""
    in_flight: set[str]
    """The texts of the v2 places whose records this worker is applying to the old table at this moment, in all its streams."""
    shared: bool = False
    """Whether other workers apply other shards of the same streams."""
    both_written: bool = False
    """Whether the applications of both sides may write now."""

    async def read_places(self, places: Sequence[Place]) -> list[PlaceReading]:
        """The items at the v2 ``places``, each read consistently.

        The reads are not atomic. An item that moves between two of them may be seen at neither place: so where it is seen at
        none, all are read once more.
        """
        found = await self._read_each(places)
        if len(places) > 1 and not any(reading.is_live(self.stores.mapping.stamp) for reading in found):
            return await self._read_each(places)
        return found

    async def _read_each(self, places: Sequence[Place]) -> list[PlaceReading]:
        return [PlaceReading(place, await self.stores.store.get(place.table, place.key)) for place in places]

    async def save(
        self, read: EntryReading, half: ForwardHalf | ReverseHalf, beside: Sequence[TransactItem] = ()
    ) -> EntryReading | None:
        """Replace a half of the entry, together with other items of the control table. Returns the entry as it is then. None:
        the half had changed since it was read."""
        update, after = self.ledger.update(read, half)
        store = self.stores.store
        if beside:
            made = await store.transact([update, *beside], fence=self.fence)
            failpoint("conflict_recorded")
        else:
            made = await store.write(update, fence=self.fence)
        if made:
            failpoint("half_saved")
            return after
        current = await self.ledger.read(read.entry.key)  # after a lost answer the write may have been made
        direction = direction_of(half)
        return current if current.revision(direction) == after.revision(direction) else None

    async def write(self, write: Write) -> bool | None:
        """Make a claimed write. False: it was refused. None: an answer was lost before it was refused, so it may have been made."""
        outcome = await self.stores.store.try_write(write, fence=self.fence)
        return {"written": True, "refused": False, "unknown": None}[outcome]

    async def pause(self, attempt: int) -> None:
        """Wait before a further attempt, longer each time. Raises Retryable after the last."""
        if attempt >= ATTEMPTS:
            raise Retryable("an item is contended", reason="item_contended")
        self.retried("item_contended")
        await self.stores.clock.sleep(uniform(0, min(LONGEST_PAUSE_SECONDS, 0.005 * 2**attempt)))

    async def purge(self, table: str, key: Item, item: Item | None) -> None:
        """Remove ``item`` if it is a bare tombstone, may be removed already, and is still as it was read."""
        if item is not None and self.purge_at_once and is_bare_tombstone(item, key, self.stores.mapping.stamp):
            condition = still_bare(self.stores.mapping, table, item)
            await self.stores.store.write(Delete(table, key, condition), fence=self.fence)
            failpoint("tombstone_removed")

    async def purge_at(self, table: str, key: Item) -> None:
        """As ``purge``, of the item that is there now."""
        if self.purge_at_once:
            await self.purge(table, key, await self.stores.store.get(table, key))

    async def unmark(self, table: str, key: Item, item: Item | None) -> None:
        """Remove the stamp of a tombstone from an item that the application has made of it."""
        name = self.stores.mapping.stamp
        stamp = own_stamp(item, key, name)
        if item is not None and stamp is not None and stamp.tombstone and live(item, key, name):
            write = Update(table, key, {}, (name,), Equals((name,), item[name]))
            await self.stores.store.write(write, fence=self.fence)

    async def forward_claim_made(self, key: Item, claim: ForwardClaim) -> bool:
        """Whether every write of forward's claim was made. The order of the reads matters: what the opposite direction has
        passed is in its half before its position is saved."""
        made = [await self.forward_write_made(key, place_from(text), claim) for text in claim.writes]
        return all(made)

    async def forward_write_made(self, key: Item, place: Place, claim: ForwardClaim) -> bool:
        """Whether the write of forward's claim at one place was made."""
        mapping = self.stores.mapping
        if await self._shown_on_v2(key, place, claim.version):
            return True
        if claim.worker != self.worker:
            await self.superseded.silent(any_worker=is_repeat(claim.version))
        if await self._has_stamp(place, claim.version) or await self.search.has(place.table, place.key, claim.version):
            return True
        entry = (await self.ledger.read(key)).entry
        return was_written(mapping, claim.version, PlaceReading(place, None), entry)

    async def _shown_on_v2(self, key: Item, place: Place, version: str) -> bool:
        item = await self.stores.store.get(place.table, place.key)
        entry = (await self.ledger.read(key)).entry
        return was_written(self.stores.mapping, version, PlaceReading(place, item), entry)

    async def _has_stamp(self, place: Place, version: str) -> bool:
        stamp = own_stamp(await self.stores.store.get(place.table, place.key), place.key, self.stores.mapping.stamp)
        return stamp is not None and is_write_of(stamp.version, version)

    async def reverse_claim_made(self, key: Item, place: Place, claim: ReverseClaim) -> bool:
        """Whether the write of reverse's claim for ``place`` was made, as ``forward_claim_made``."""
        store, mapping = self.stores.store, self.stores.mapping
        old = await store.get(mapping.old.table, key)
        if was_put(mapping, place, claim.count, old, (await self.ledger.read(key)).entry):
            return True
        if claim.worker != self.worker:
            await self.superseded.silent()
            old = await store.get(mapping.old.table, key)
        if await self.search.has(mapping.old.table, key, claim.count):
            return True
        return was_put(mapping, place, claim.count, old, (await self.ledger.read(key)).entry)

    async def may_be_made(self, place: str, claim: ReverseClaim) -> bool:
        """Whether the write of a claim, which shows no trace, may still be made: this worker is about to, or another worker is."""
        if claim.worker == self.worker:
            return place in self.in_flight
        await self.superseded.silent()
        return self.shared

    async def held_writes(self, entry: Entry, after: ReverseHalf) -> list[TransactItem]:
        """The record that an item is held from now on, or its removal, to be written with the half."""
        name = ledger_id(self.stores.mapping.old.table, entry.key)
        before = entry.reverse.held_since
        if after.held_since is not None and before is None:
            return await self.conflicts.held_puts(name, self._held(entry, after))
        if after.held_since is None and before is not None:
            return await self.conflicts.held_removals(name)
        return []

    def _held(self, entry: Entry, half: ReverseHalf) -> Held:
        mapping = self.stores.mapping
        places = [place_from(text) for text in half.places]
        keys = tuple((place.table, place.key) for place in places)
        name = mapping.entity_name_at(*places[0])
        return Held(mapping.old.table, entry.key, name, keys, half.held_since or 0.0)
