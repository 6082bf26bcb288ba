"""The v2 tables' changes under the ledger rule: each carries what v2 holds now to the old table, by `core.ledger_reverse`."""

from collections.abc import Sequence

from service.control.ledger import Read
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Write
from service.core.rules.authorship import is_bare, live
from service.core.rules.ledger import Entry, Place
from service.core.rules.reverse import ReversePlan, old_key_of, passed, reverse_places, reverse_plan, shows_no_item
from service.errors import Poison, Retryable
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_parts import LedgerParts


class ReverseSink:
    """Implements ``streams.engine.ShardSink`` for the stream of one v2 table. concurrency: keys in hand at once."""

    def __init__(self, parts: LedgerParts, concurrency: int) -> None:
        self._parts = parts
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when each change is noted, and what it is a hint of is on the old table, held or in quarantine."""
        await self._parts.suspects.refresh()
        await self._keys.apply(changes, self.apply_key)
        await self._parts.watch.flush()

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """The same for the changes of one key, in their order."""
        for change in changes:
            waiting = WaitingChange(change, self._parts.generations[change.table])
            try:
                await self._carry(waiting)
            except Poison as poison:
                await self._to_quarantine(waiting, poison)

    async def _carry(self, waiting: WaitingChange) -> None:
        """Carry one change, as often as the item changes meanwhile. Raises Poison when what v2 holds has no old item."""
        parts, change = self._parts, waiting.change
        place = Place(change.table, change.key)
        if not shows_no_item(parts.mapping, place, change):
            plan = await self._commit(place, old_key_of(parts.mapping, place, change), waiting)
            parts.count(plan.outcome)
            if plan.entry is not None:
                await self._follow_up(place, change, plan)
        if change.new is not None and is_bare(change.new, change.key, parts.mapping.stamp):
            await parts.purge(change.table, change.key, change.new)

    async def _commit(self, place: Place, key: Item, waiting: WaitingChange) -> ReversePlan:
        attempt = 0
        while True:
            read = await self._parts.ledger.read(key)
            try:
                plan = await self._plan(place, waiting, read)
            except Poison:
                await self._pass(place, waiting, read)
                raise
            if plan.entry is None or await self._parts.commit(read, plan.entry, self._writes(read.entry, plan)):
                return plan
            attempt += 1
            await self._parts.pause(attempt)

    async def _plan(self, place: Place, waiting: WaitingChange, read: Read) -> ReversePlan:
        """What to do, from the old item as it is now and the known places, read together and after the ledger."""
        parts, change, version = self._parts, waiting.change, waiting.version
        if passed(parts.mapping, place, change, version, read.entry) is None:
            return ReversePlan("duplicate", None)
        old_now = await parts.store.get(parts.mapping.old.table, read.entry.key)
        found = await parts.read_together(reverse_places(parts.mapping, place, read.entry, old_now))
        return reverse_plan(parts.mapping, place, change, version, read.entry, found, parts.clock.now())

    async def _pass(self, place: Place, waiting: WaitingChange, read: Read) -> None:
        """Note a record for which nothing can be written. Where the entry has changed meanwhile, the record is read again."""
        entry = passed(self._parts.mapping, place, waiting.change, waiting.version, read.entry)
        if entry is not None and not await self._parts.commit(read, entry, ()):
            raise Retryable("a ledger entry is contended", reason="ledger_contended")

    def _writes(self, before: Entry, plan: ReversePlan) -> list[Write]:
        """What goes with the ledger: the old item, and the note of an item that is held, or no longer."""
        assert plan.entry is not None
        parts, after = self._parts, plan.entry
        writes: list[Write] = [] if plan.put is None else [plan.put]
        return [*writes, *parts.held_writes(before, after)]

    async def _follow_up(self, place: Place, change: Change, plan: ReversePlan) -> None:
        """What comes after the transaction: who wrote is noted, a tombstone goes, and the key leaves quarantine."""
        parts = self._parts
        if not plan.ours:
            await parts.watch.saw(self._entity(place), place.table, place.key)
        if plan.put is not None and is_bare(plan.put.item, plan.entry.key if plan.entry else {}, parts.mapping.stamp):
            await parts.purge(
                plan.put.table, {name: plan.put.item[name] for name in parts.mapping.old.key_names}, plan.put.item
            )
        if plan.outcome != "held":
            await self._resolve(change)

    async def _to_quarantine(self, waiting: WaitingChange, poison: Poison) -> None:
        """Keep the record, whole. One of an item that is gone keeps nothing: what was bad about it is gone too."""
        change = waiting.change
        if not live(change.new, change.key, self._parts.mapping.stamp):
            await self._resolve(change)
            return
        await self._parts.quarantine.add_change(waiting, poison, self._parts.fence)
        self._parts.suspects.add(change.table, change.key)
        self._parts.count("quarantined")

    async def _resolve(self, change: Change) -> None:
        if self._parts.suspects.include(change.table, change.key):
            await self._parts.quarantine.resolve(change.table, change.key)
            self._parts.suspects.discard(change.table, change.key)

    def _entity(self, place: Place) -> str:
        entity = self._parts.mapping.entity_at(place.table, place.key)
        return entity.name if entity is not None else "unknown"
