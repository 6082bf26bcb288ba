"""Re-drives v2 items (``core.rules.redrive``): each is written so that reverse carries it to the old table again.

What it will replace on the old table is kept in the conflict log.
"""

from dataclasses import dataclass
from secrets import token_hex

from service.clock import Clock
from service.control.conflicts import Conflict, Conflicts
from service.control.ledger import ledger_id
from service.core.item.compare import equal
from service.core.item.wire import Item
from service.core.item.write import TransactItem
from service.core.mapping.mapping import Mapping
from service.core.rules.forward import old_image
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.redrive import Redrive, redrive
from service.dynamodb.protocol import Fence, ItemStore


@dataclass(frozen=True, slots=True)
class Redriver:
    """Has v2 items carried to the old table again."""

    store: ItemStore
    conflicts: Conflicts
    mapping: Mapping
    clock: Clock

    async def redrive(self, found: PlaceReading, old: Item | None, fence: Fence) -> bool:
        """Re-drive the live v2 item ``found``. The old item ``old`` is kept in the conflict log if it differs.

        False: the v2 item has changed since it was read. Raises Poison when it cannot be carried.
        """
        wanted = redrive(self.mapping, found)
        image = old_image(self.mapping, old)
        kept: list[TransactItem] = []
        if old is not None and image is not None and not equal(image, wanted.old):
            kept += self.conflicts.puts(self._conflict(found, old, wanted))
        if not kept:
            return await self.store.write(wanted.update, fence=fence)
        return await self.store.transact([wanted.update, *kept], fence=fence)

    def _conflict(self, found: PlaceReading, old: Item, wanted: Redrive) -> Conflict:
        table, place = self.mapping.old.table, found.place
        key = {name: wanted.old[name] for name in self.mapping.old.key_names}
        return Conflict(
            id=f"{ledger_id(table, key)}-redriven-{token_hex(6)}",
            old_table=table,
            key=key,
            entity=self._entity(place),
            reason="redriven",
            fields=(),
            change=None,
            v2=((place.table, place.key, found.item),),
            at=self.clock.now(),
            old=old,
        )

    def _entity(self, place: Place) -> str:
        entity = self.mapping.entity_at(place.table, place.key)
        return entity.name if entity is not None else "unknown"
