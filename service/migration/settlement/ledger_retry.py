"""What a retry of a key in quarantine does under the ledger rule: an old key's changes are carried, a v2 key is re-driven.

Each change is carried as forward would have carried it, by the ledger, so one that was carried before is a duplicate. A change
that still cannot be mapped keeps those behind it waiting, unless they make it good: the application's next change is then taken
together with it, from the old image of the first to the new image of the second.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.control.quarantine import QuarantineHead
from service.control.table import Stored
from service.control.waiting_changes import WaitingChange
from service.core.rules.authorship import authorship_on_old, live
from service.core.rules.forward import old_image
from service.core.rules.guarded import copy_write
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison
from service.migration.settlement.guarded_retry import Retried
from service.sync.redrive import Redriver
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_transaction import LedgerTransaction


class LedgerRetry:
    """Retries keys in quarantine. ``transaction``: with the fence of a registered repair; ``context``: of the forward direction."""

    def __init__(self, transaction: LedgerTransaction, context: SinkContext) -> None:
        self._transaction = transaction
        self._context = context
        self._store, self._mapping = transaction.stores.store, transaction.stores.mapping
        self._forward = ForwardSink(transaction, context, concurrency=1)
        self._redriver = Redriver(self._store, transaction.conflicts, self._mapping, transaction.stores.clock)

    async def retry(self, key_id: str) -> Retried:
        """Apply what waits under ``key_id``, and take the key out of quarantine; it stays, with one attempt more, when
        something cannot be applied yet. Raises Misconfigured for an unknown id, Fenced when it takes too long."""
        quarantine = self._context.quarantine
        while True:  # again, when something has come in between
            head = await quarantine.head(key_id)
            applied, poison = await self._apply(key_id, head)
            if poison is not None:
                await quarantine.forget(key_id, applied)
                await quarantine.note_failure(key_id, poison)
                return Retried(key_id, poison.message)
            if await quarantine.settle(key_id, head):
                return Retried(key_id, None)

    async def _apply(self, key_id: str, head: Stored[QuarantineHead]) -> tuple[str, Poison | None]:
        """The version up to which changes are applied ("" for none), and what keeps the others."""
        changes = await self._context.quarantine.changes(key_id)
        try:
            if head.value.table != self._mapping.old.table:
                await self._redrive(Place(head.value.table, head.value.key))
            elif changes:
                return await self._carry(changes)
            else:
                await self._copy(head.value)
        except Poison as poison:
            return "", poison
        return "", None

    async def _carry(self, changes: Sequence[WaitingChange]) -> tuple[str, Poison | None]:
        applied, stuck, why = "", None, None
        for one in changes:
            waiting = one if stuck is None else await self._joined(stuck, one)
            if waiting is None:
                break
            try:
                await self._forward.carry(waiting)
                applied, stuck, why = waiting.version, None, None
            except Poison as poison:
                stuck, why = waiting, poison
        return applied, why

    async def _joined(self, first: WaitingChange, second: WaitingChange) -> WaitingChange | None:
        """Both as one change; None when reverse made the second, which says nothing about what the application wants."""
        entry = (await self._transaction.ledger.read(second.change.key)).entry
        if authorship_on_old(second.change, self._mapping.stamp, entry).ours:
            return None
        return WaitingChange(replace(second.change, old=first.change.old), second.generation)

    async def _copy(self, head: QuarantineHead) -> None:
        """The copy that the backfill could not make, if nothing has come of the item since: then the ledger does not know it."""
        transaction, mapping = self._transaction, self._mapping
        read = await transaction.ledger.read(head.key)
        image = old_image(mapping, await self._store.get(head.table, head.key))
        if image is not None and read.was is None:
            put = copy_write(mapping, image, self._context.generations[head.table])
            key = {name: put.item[name] for name in mapping.tables[put.table].key_names}
            await transaction.commit(read, replace(read.entry, keys=(Place(put.table, key).text,)), [put])

    async def _redrive(self, place: Place) -> None:
        """Have reverse carry what is at the v2 key now; nothing when the item is gone."""
        item = await self._store.get(place.table, place.key)
        while live(item, place.key, self._mapping.stamp):
            if await self._redriver.redrive(PlaceReading(place, item), None, self._transaction.fence):
                return
            item = await self._store.get(place.table, place.key)
