"""The retry of a key in quarantine by the ledger rule: what waits for an old key is carried to v2, a v2 key is re-driven.

Where nothing that waits says what to do (the backfill could not copy an old item; a v2 item is gone), the item as it is now does.
``service/core/rules/quarantine.py`` says when, and how.
"""

from collections.abc import Awaitable, Callable, Sequence

from service.control.quarantine import QuarantineHead
from service.control.table import Stored
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.mapping.transform import forward
from service.core.rules.authorship import live
from service.core.rules.images import old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.quarantine import Left, created
from service.core.rules.redrive import units_waiting
from service.errors import REFUSED, Poison, Retryable
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
        poison = await self._tried(key_id, repeated=repeated)
        if poison is None:
            return None
        if not await self._context.quarantine.heads_of([key_id]):  # the sync has made it good meanwhile
            return None
        await self._context.quarantine.note_failure(key_id, poison, repeated=repeated)
        return poison.message

    async def _tried(self, key_id: str, *, repeated: bool) -> Poison | None:
        quarantine = self._context.quarantine
        while True:
            stored = await quarantine.head(key_id)
            head = stored.value
            self._context.quarantined.add(head.table, head.key)
            of_old = head.table == self._mapping.old.table
            if of_old and head.waiting:
                return await self._forward.retry(head.key)
            if repeated and not of_old and head.reason == REFUSED:
                return Poison(head.message, reason=REFUSED)  # a re-drive of the same item would be refused again
            try:
                left = await (self._copied(key_id, stored) if of_old else self._redriven(key_id, stored))
            except Poison as poison:
                return poison
            if left or not await quarantine.heads_of([key_id]):
                return None

    async def _copied(self, key_id: str, stored: Stored[QuarantineHead]) -> bool:
        """Let the item that the backfill could not copy wait as a create; or, when the item is gone, take its key out of
        quarantine: then True. Does nothing if the head has changed. Raises Poison when the item cannot be mapped, and as
        ``_settle``."""
        head = stored.value
        item = await self._item(head)
        if item is not None:
            forward(self._mapping, item)
        await self._settle()
        if item is None:
            return await self._left(key_id, stored, "superseded")
        create = WaitingChange(created(head.table, head.key, item), self._context.generations[head.table])
        await self._context.quarantine.add_copied(key_id, stored, create, self._access.fence)
        return False

    async def _redriven(self, key_id: str, stored: Stored[QuarantineHead]) -> bool:
        """Have reverse carry what waits of a v2 item, and take the key out of quarantine. False: the head has changed. Raises
        Poison when it cannot be carried, and as ``_settle`` when the item is gone."""
        head = stored.value
        if await self._item(head) is None:
            await self._settle()
            return await self._left(key_id, stored, "superseded")
        changes = [waiting.change for waiting in await self._context.quarantine.changes(key_id)]
        await self._redrive(Place(head.table, head.key), head.units, changes)
        return await self._left(key_id, stored, "applied")

    async def _settle(self) -> None:
        """Return once what was in all streams has been applied. Raises Retryable when that cannot be known."""
        if not await self._settled():
            raise Retryable(
                "the sync may not have read all changes of the item yet",
                reason="item_contended",
                remedy="sync tries it again by itself; see `tablesplit status` for its lag",
            )

    async def _left(self, key_id: str, stored: Stored[QuarantineHead], how: Left) -> bool:
        """Take the key out of quarantine. False: the head has changed."""
        head = stored.value
        if not await self._context.quarantine.remove_up_to(key_id, stored):
            return False
        self._context.quarantined.discard(head.table, head.key)
        self._context.left(head.table, head.key, how)
        return True

    async def _item(self, head: QuarantineHead) -> Item | None:
        """The item at the key, as the application sees it."""
        item = await self._store.get(head.table, head.key)
        if head.table == self._mapping.old.table:
            return old_image(self._mapping, item)
        return item if live(item, head.key, self._mapping.stamp) else None

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
