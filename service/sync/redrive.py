"""Re-drives v2 items (``core.rules.redrive``): each is written so that reverse carries it to the old table again.

What it will replace on the old table is kept in the conflict log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from secrets import token_hex

from service.clock import Clock
from service.control.conflicts import Conflict, Conflicts
from service.control.ledger import Ledger, ledger_id
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.rules.images import old_form, old_image
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.redrive import Redrive, readable, redrive
from service.core.rules.units import differing, old_units
from service.dynamodb.protocol import Fence, ItemStore


@dataclass(frozen=True, slots=True)
class Redriver:
    """Has v2 items carried to the old table again."""

    store: ItemStore
    conflicts: Conflicts
    ledger: Ledger
    mapping: Mapping
    clock: Clock

    async def redrive(
        self, found: PlaceReading, old: Item | None, fence: Fence, among: Sequence[str] | None = None
    ) -> bool:
        """Re-drive the live v2 item ``found``. The old item ``old`` is kept in the conflict log if it differs. ``among``: re-drive
        only these units, as they are remembered; the old item is not kept then.

        False: the v2 item has changed since it was read. Raises Poison when it cannot be carried.
        """
        entry = (await self.ledger.read(self.old_key(found))).entry
        wanted = redrive(self.mapping, found, entry, old, among)
        if among is not None and not wanted.units:  # old has them
            return True
        kept = self._kept(found, old, wanted) if among is None else None
        if kept is not None:
            await self.conflicts.keep(kept, fence)
        if await self.store.write(wanted.write, fence=fence):
            return True
        if kept is not None:
            await self.conflicts.take_out(kept.id, fence)
        return False

    def old_key(self, found: PlaceReading) -> Item:
        """The key of the old item that a live v2 item represents. Raises Poison when there is none."""
        assert found.item is not None
        return old_key(self.mapping, old_form(self.mapping, found.place, readable(self.mapping, found.item)))

    def _kept(self, found: PlaceReading, old: Item | None, wanted: Redrive) -> Conflict | None:
        """What the re-drive will replace on the old table; None: nothing."""
        image = old_image(self.mapping, old)
        if old is None or image is None:
            return None
        if not differing(old_units(self.mapping, image), old_units(self.mapping, wanted.old)):
            return None
        table, place = self.mapping.old.table, found.place
        key = {name: wanted.old[name] for name in self.mapping.old.key_names}
        return Conflict(
            id=f"{ledger_id(table, key)}-redriven-{token_hex(6)}",
            old_table=table,
            key=key,
            entity=self.mapping.entity_name_at(place.table, place.key),
            reason="redriven",
            fields=(),
            change=None,
            v2=((place.table, place.key, found.item),),
            at=self.clock.now(),
            old=old,
        )
