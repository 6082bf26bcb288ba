"""The retry of a key in quarantine by the ledger rule: what waits for an old key is carried to v2, a v2 key is re-driven.

Where nothing that waits says what to do (the backfill could not copy an old item; a v2 item is gone), the item as it is now does,
but only once no change of it is unread: such a change is judged by what waits, and would be misjudged without it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from service.control.quarantine import QuarantineHead
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.mapping.transform import forward
from service.core.rules.authorship import live
from service.core.rules.guarded import copy_write
from service.core.rules.images import old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.quarantine import nothing_unread
from service.core.rules.redrive import units_waiting
from service.errors import Poison, Retryable
from service.sync.redrive import Redriver
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_access import LedgerAccess


class LedgerRetry:
    """Retries keys in quarantine. ``context``: of the forward direction."""

    def __init__(self, access: LedgerAccess, context: SinkContext, settled: Callable[[], Awaitable[bool]]) -> None:
        """``settled`` waits until the sync has applied what was in all streams when it was called; False: it cannot tell."""
        self._access = access
        self._context = context
        self._settled = settled
        self._store, self._mapping = access.stores.store, access.stores.mapping
        self._forward = ForwardSink(access, context, concurrency=1)
        self._redriver = Redriver(self._store, access.conflicts, access.ledger, self._mapping, access.stores.clock)

    async def retry(self, key_id: str, *, repeated: bool = False) -> str | None:
        """Try again what waits under ``key_id``. Returns one line that says what is still wrong; None: the key has left quarantine.
        ``repeated``: a failure is not counted if the same was wrong before. Raises Misconfigured for an unknown id, Retryable
        while the sync writes the item or may not have read all of its changes, Fenced when it takes too long."""
        poison = await self._tried(key_id)
        if poison is None:
            return None
        if not await self._context.quarantine.heads_of([key_id]):  # the sync has made it good meanwhile
            return None
        await self._context.quarantine.note_failure(key_id, poison, repeated=repeated)
        return poison.message

    async def _tried(self, key_id: str) -> Poison | None:
        quarantine = self._context.quarantine
        while True:
            stored = await quarantine.head(key_id)
            head = stored.value
            self._context.quarantined.add(head.table, head.key)
            if head.table == self._mapping.old.table and head.waiting:
                return await self._forward.retry(head.key)
            try:
                item = await self._item(head)
                if not await self._may_be_judged(key_id, head, item):
                    return None
                await self._written(key_id, head)
            except Poison as poison:
                return poison
            if await quarantine.remove_up_to(key_id, stored):  # not if a change has come in between
                self._context.quarantined.discard(head.table, head.key)
                self._context.left(head.table, head.key, "superseded" if item is None else "applied")
                return None

    async def _may_be_judged(self, key_id: str, head: QuarantineHead, item: Item | None) -> bool:
        """Whether a key may be judged by ``item``, which is there now; False: its change has taken it out of quarantine meanwhile.
        Raises Poison when the item cannot be mapped, and Retryable while a change of it may be unread that will say more."""
        of_old = head.table == self._mapping.old.table
        if of_old and item is not None:
            forward(self._mapping, item)
        if not of_old and item is not None:
            return True
        settled = await self._settled()
        found = (await self._context.quarantine.heads_of([key_id])).get(key_id)
        if found is not None and not (
            settled and nothing_unread(item, await self._item(head), same_head=found == head)
        ):
            raise Retryable(
                "the sync may not have read all changes of the item yet",
                reason="item_contended",
                remedy="sync tries it again by itself; see `tablesplit status` for its lag",
            )
        return found is not None

    async def _item(self, head: QuarantineHead) -> Item | None:
        """The item at the key, as the application sees it."""
        item = await self._store.get(head.table, head.key)
        if head.table == self._mapping.old.table:
            return old_image(self._mapping, item)
        return item if live(item, head.key, self._mapping.stamp) else None

    async def _written(self, key_id: str, head: QuarantineHead) -> None:
        if head.table == self._mapping.old.table:
            await self._copy(head)
        else:
            changes = [waiting.change for waiting in await self._context.quarantine.changes(key_id)]
            await self._redrive(Place(head.table, head.key), head.units, changes)

    async def _copy(self, head: QuarantineHead) -> None:
        """Make the copy that the backfill could not make, unless the item was written since: then the ledger has its entry."""
        access, mapping = self._access, self._mapping
        read = await access.ledger.read(head.key)
        image = await self._item(head)
        if image is None or read.item is not None:
            return
        put = copy_write(mapping, image, self._context.generations[head.table])
        key = {name: put.item[name] for name in mapping.tables[put.table].key_names}
        half = replace(read.entry.forward, places=(Place(put.table, key).text,))
        if await access.save(read, half) is not None:
            await self._store.write(put, fence=access.fence)

    async def _redrive(self, place: Place, names: Sequence[str], changes: Sequence[Change]) -> None:
        """Have reverse carry the units that wait of the item that is at the v2 key now. Does nothing when the item is gone."""
        item = await self._store.get(place.table, place.key)
        while item is not None and live(item, place.key, self._mapping.stamp):
            found = PlaceReading(place, item)
            old = await self._store.get(self._mapping.old.table, self._redriver.old_key(found))
            among = units_waiting(self._mapping, found, names, changes)
            if await self._redriver.redrive(found, old, self._access.fence, among):
                return
            item = await self._store.get(place.table, place.key)
