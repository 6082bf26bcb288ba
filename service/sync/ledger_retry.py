"""The retry of a key in quarantine by the ledger rule: what waits for an old key is carried to v2, a v2 key is re-driven."""

from dataclasses import replace

from service.control.quarantine import QuarantineHead
from service.core.rules.authorship import live
from service.core.rules.guarded import copy_write
from service.core.rules.images import old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison
from service.sync.redrive import Redriver
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_access import LedgerAccess


class LedgerRetry:
    """Retries keys in quarantine. ``context``: of the forward direction."""

    def __init__(self, access: LedgerAccess, context: SinkContext) -> None:
        self._access = access
        self._context = context
        self._store, self._mapping = access.stores.store, access.stores.mapping
        self._forward = ForwardSink(access, context, concurrency=1)
        self._redriver = Redriver(self._store, access.conflicts, access.ledger, self._mapping, access.stores.clock)

    async def retry(self, key_id: str) -> str | None:
        """Try again what waits under ``key_id``. Returns one line that says what is still wrong; None: the key has left quarantine.
        Raises Misconfigured for an unknown id, Fenced when it takes too long."""
        quarantine = self._context.quarantine
        head = (await quarantine.head(key_id)).value
        self._context.quarantined.add(head.table, head.key)
        try:
            await self._retry(head)
        except Poison as poison:
            await quarantine.note_failure(key_id, poison)
            return poison.message
        left = (await quarantine.heads_of([key_id])).get(key_id)
        return None if left is None else left.message

    async def _retry(self, head: QuarantineHead) -> None:
        if head.table != self._mapping.old.table:
            await self._redrive(Place(head.table, head.key))
            await self._context.heal(head.table, head.key, head.units or ("",))
        elif head.waiting:
            await self._forward.retry(head.key)
        else:
            await self._copy(head)
            await self._context.heal(head.table, head.key, ("",))

    async def _copy(self, head: QuarantineHead) -> None:
        """Make the copy that the backfill could not make, unless the item was written since: then the ledger has its entry."""
        access, mapping = self._access, self._mapping
        read = await access.ledger.read(head.key)
        image = old_image(mapping, await self._store.get(head.table, head.key))
        if image is None or read.item is not None:
            return
        put = copy_write(mapping, image, self._context.generations[head.table])
        key = {name: put.item[name] for name in mapping.tables[put.table].key_names}
        half = replace(read.entry.forward, places=(Place(put.table, key).text,))
        if await access.save(read, half) is not None:
            await self._store.write(put, fence=access.fence)

    async def _redrive(self, place: Place) -> None:
        """Have reverse carry the item that is at the v2 key now. Does nothing when the item is gone."""
        item = await self._store.get(place.table, place.key)
        while item is not None and live(item, place.key, self._mapping.stamp):
            found = PlaceReading(place, item)
            old = await self._store.get(self._mapping.old.table, self._redriver.old_key(found))
            if await self._redriver.redrive(found, old, self._access.fence):
                return
            item = await self._store.get(place.table, place.key)
