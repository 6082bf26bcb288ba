"""The retry of a key in quarantine by the ledger rule: an old key's changes are carried to v2, a v2 key is re-driven.

Each change is carried as forward would have carried it, by the ledger, so a change that was carried before is a duplicate. A change
that still cannot be mapped keeps the changes behind it waiting, unless they correct it: it is joined with the application's next
change to one change, from the old image of the first to the new image of the second.
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
from service.migration.settlement.guarded_retry import RetryResult
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

    async def retry(self, key_id: str) -> RetryResult:
        """Apply the changes that wait under ``key_id``, and take the key out of quarantine. When one of them cannot be applied yet
        the key stays, and one more attempt is counted. Raises Misconfigured for an unknown id, Fenced when it takes too long."""
        quarantine = self._context.quarantine
        while True:  # repeated when another change was quarantined meanwhile
            head = await quarantine.head(key_id)
            applied, poison = await self._apply(key_id, head)
            if poison is not None:
                await quarantine.forget(key_id, applied)
                await quarantine.note_failure(key_id, poison)
                return RetryResult(key_id, poison.message)
            if await quarantine.remove_up_to(key_id, head):
                return RetryResult(key_id, None)

    async def _apply(self, key_id: str, head: Stored[QuarantineHead]) -> tuple[str, Poison | None]:
        """The version up to which changes are applied ("" for none), and why the others could not be (None: all are applied)."""
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
        """As ``_apply``, for the changes of an old key."""
        applied, stuck, failure = "", None, None
        for change in changes:
            waiting = change if stuck is None else await self._join(stuck, change)
            if waiting is None:
                break
            try:
                await self._forward.carry(waiting)
                applied, stuck, failure = waiting.version, None, None
            except Poison as poison:
                stuck, failure = waiting, poison
        return applied, failure

    async def _join(self, first: WaitingChange, second: WaitingChange) -> WaitingChange | None:
        """Both as one change; None when reverse made the second: it does not correct what the application wrote."""
        entry = (await self._transaction.ledger.read(second.change.key)).entry
        if authorship_on_old(second.change, self._mapping.stamp, entry).ours:
            return None
        return WaitingChange(replace(second.change, old=first.change.old), second.generation)

    async def _copy(self, head: QuarantineHead) -> None:
        """Make the copy that the backfill could not make, unless the item was written since: then the ledger has its entry."""
        transaction, mapping = self._transaction, self._mapping
        read = await transaction.ledger.read(head.key)
        image = old_image(mapping, await self._store.get(head.table, head.key))
        if image is not None and read.was is None:
            put = copy_write(mapping, image, self._context.generations[head.table])
            key = {name: put.item[name] for name in mapping.tables[put.table].key_names}
            await transaction.commit(read, replace(read.entry, keys=(Place(put.table, key).text,)), [put])

    async def _redrive(self, place: Place) -> None:
        """Have reverse carry the item that is at the v2 key now. Does nothing when the item is gone."""
        item = await self._store.get(place.table, place.key)
        while live(item, place.key, self._mapping.stamp):
            if await self._redriver.redrive(PlaceReading(place, item), None, self._transaction.fence):
                return
            item = await self._store.get(place.table, place.key)
