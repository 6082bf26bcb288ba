"""The reverse sink: carries the v2 tables' changes to the old table under the ledger rule, by ``core.rules.reverse``.

A change is only a hint: what is carried is what v2 holds now.
"""

from collections.abc import Sequence

from service.control.ledger import EntryReading
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item
from service.core.item.write import Write
from service.core.rules.authorship import live
from service.core.rules.ledger import Entry, Place
from service.core.rules.reverse import ReversePlan, old_key_of, passed, reverse_places, reverse_plan, shows_no_item
from service.errors import Poison, Retryable
from service.sync.sinks.context import SinkContext
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_transaction import LedgerTransaction


class ReverseSink:
    """Implements ``streams.engine.ShardSink`` for the stream of one v2 table."""

    def __init__(self, transaction: LedgerTransaction, context: SinkContext, concurrency: int) -> None:
        """``concurrency``: how many keys are applied at the same time, over all shards."""
        self._transaction = transaction
        self._context = context
        self._mapping = transaction.stores.mapping
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when the ledger has each change, and the item it hints at is on the old table, held or in quarantine."""
        await self._context.quarantined.refresh()
        await self._keys.apply(changes, self.apply_key)
        await self._context.activity.flush()

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """Apply the changes of one key, in their order."""
        for change in changes:
            waiting = WaitingChange(change, self._context.generations[change.table])
            try:
                await self._carry(waiting)
            except Poison as poison:
                await self._to_quarantine(waiting, poison)

    async def _carry(self, waiting: WaitingChange) -> None:
        """Carry one change. Raises Poison when what v2 holds has no old item."""
        change, mapping = waiting.change, self._mapping
        place = Place(change.table, change.key)
        if not shows_no_item(mapping, place, change):
            plan = await self._commit(place, old_key_of(mapping, place, change), waiting)
            self._context.count(plan.outcome)
            if plan.entry is not None:
                await self._follow_up(place, change, plan)
        if change.new is not None and is_bare_tombstone(change.new, change.key, mapping.stamp):
            await self._transaction.purge(change.table, change.key, change.new)

    async def _commit(self, place: Place, key: Item, waiting: WaitingChange) -> ReversePlan:
        """Decide and write, anew as often as the item changes meanwhile."""
        transaction = self._transaction
        attempt = 0
        while True:
            read = await transaction.ledger.read(key)
            try:
                plan = await self._plan(place, waiting, read)
            except Poison:
                await self._pass(place, waiting, read)
                raise
            if plan.entry is None or await transaction.commit(read, plan.entry, self._writes(read.entry, plan)):
                return plan
            attempt += 1
            await transaction.pause(attempt)

    async def _plan(self, place: Place, waiting: WaitingChange, read: EntryReading) -> ReversePlan:
        """What to do, by the old item as it is now and the known places, which are read together and after the ledger."""
        mapping, stores, change, version = self._mapping, self._transaction.stores, waiting.change, waiting.version
        if passed(mapping, place, change, version, read.entry) is None:
            return ReversePlan("duplicate", None)
        old_now = await stores.store.get(mapping.old.table, read.entry.key)
        found = await self._transaction.read_together(reverse_places(mapping, place, read.entry, old_now))
        return reverse_plan(mapping, place, change, version, read.entry, found, stores.clock.now())

    async def _pass(self, place: Place, waiting: WaitingChange, read: EntryReading) -> None:
        """Record in the ledger a change for which nothing can be written. If the entry has changed, the change is read again."""
        entry = passed(self._mapping, place, waiting.change, waiting.version, read.entry)
        if entry is not None and not await self._transaction.commit(read, entry, ()):
            raise Retryable("a ledger entry is contended", reason="ledger_contended")

    def _writes(self, before: Entry, plan: ReversePlan) -> list[Write]:
        """What is written together with the ledger entry: the old item, and the record of a held item, or its removal."""
        assert plan.entry is not None
        writes: list[Write] = [] if plan.put is None else [plan.put]
        return [*writes, *self._transaction.held_writes(before, plan.entry)]

    async def _follow_up(self, place: Place, change: Change, plan: ReversePlan) -> None:
        """After the transaction: record the application's activity, remove a tombstone, take the key out of quarantine."""
        mapping = self._mapping
        if not plan.ours:
            await self._context.activity.application_changed(self._entity(place), place.table, place.key)
        if plan.put is not None and is_bare_tombstone(
            plan.put.item, plan.entry.key if plan.entry else {}, mapping.stamp
        ):
            key = {name: plan.put.item[name] for name in mapping.old.key_names}
            await self._transaction.purge(plan.put.table, key, plan.put.item)
        if plan.outcome != "held":
            await self._resolve(change)

    async def _to_quarantine(self, waiting: WaitingChange, poison: Poison) -> None:
        """Keep the change, whole. A change of an item that is gone is not kept: what was wrong is gone with the item."""
        change = waiting.change
        if not live(change.new, change.key, self._mapping.stamp):
            await self._resolve(change)
            return
        await self._context.put_in_quarantine(waiting, poison, self._transaction.fence)

    async def _resolve(self, change: Change) -> None:
        if self._context.quarantined.include(change.table, change.key):
            await self._context.quarantine.resolve(change.table, change.key)
            self._context.quarantined.discard(change.table, change.key)

    def _entity(self, place: Place) -> str:
        entity = self._mapping.entity_at(place.table, place.key)
        return entity.name if entity is not None else "unknown"
