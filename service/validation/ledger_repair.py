"""Repairs pairs under the ledger rule, by ``core.rules.repair``: v2 is carried to the old table, or the old item put on v2.

Whatever a repair replaces is kept whole in the conflict log, before it is replaced.
"""

from collections import Counter
from dataclasses import dataclass, field
from secrets import token_hex

from service.control.conflicts import Conflict, Conflicts
from service.control.ledger import Ledger, conflict_id, ledger_id
from service.control.stores import Stores
from service.core.item.wire import Item, plain_key
from service.core.mapping.mapping import Mapping
from service.core.rules.agreement import BothSides, places_of
from service.core.rules.images import old_form, place_of_old
from service.core.rules.ledger import Entry, Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.repair import PutOnV2, RedriveV2, RepairPhase, put_writes, repair_plan
from service.core.rules.verdict import Pair
from service.dynamodb.protocol import Fence
from service.log import get_logger
from service.sync.redrive import Redriver
from service.sync.upkeep.both_sides import read_both_sides


@dataclass(frozen=True, slots=True)
class LedgerRepair:
    """Repairs in one phase."""

    stores: Stores
    phase: RepairPhase
    epoch: int
    """The ledger's, for an item that it has no entry of."""
    puts: bool = True
    """Whether an old item may be put on v2 where v2 lacks it. False: it may be on v2 at a place that nobody has looked for."""
    left: Counter[str] = field(default_factory=Counter)
    """How many pairs were left as they are, by the reason."""

    async def repair_pair(self, pair: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        """Repair one pair, given the v2 item and then the old item, as read. Raises Poison for what cannot be written."""
        if pair.table is None or pair.v2_key is None or pair.old_key is None:
            return False
        found = PlaceReading(Place(pair.table, pair.v2_key), v2)
        stores, name = self.stores, ledger_id(self.stores.mapping.old.table, pair.old_key)
        entry = await self._entry(pair.old_key)
        sides = await self._both_sides(entry, found, old)
        conflict = await self._conflicts.has_open(name)
        plan = repair_plan(stores.mapping, self.phase, sides, conflict=conflict)
        if isinstance(plan, RedriveV2):
            return await self._redriver.redrive(plan.v2, sides.old, fence)
        if isinstance(plan, PutOnV2) and (self.puts or plan.replaced is not None):
            return await self._put(plan, entry, fence)
        reason = "sample" if isinstance(plan, PutOnV2) else plan.reason
        self.left[reason] += 1
        get_logger().debug("a key is left as it is", key=plain_key(pair.old_key), reason=reason)
        return False

    async def _entry(self, key: Item) -> Entry:
        stores = self.stores
        return (await Ledger(stores.control, stores.clock, stores.mapping.old.table, self.epoch).read(key)).entry

    async def _both_sides(self, entry: Entry, found: PlaceReading, old: Item | None) -> BothSides:
        """Both sides of the item at every place where it may be live. Where that is not only the pair's own place, everything is
        read again, v2 first."""
        mapping = self.stores.mapping
        home = place_of_old(mapping, old)
        places = {place.text: place for place in (found.place, *places_of(entry), *([home] if home else []))}
        if len(places) == 1:
            return BothSides((found,), old)
        (sides,) = await read_both_sides(self.stores.store, mapping, [(entry.key, list(places.values()))])
        return sides

    async def _put(self, plan: PutOnV2, entry: Entry, fence: Fence) -> bool:
        """Make the writes of a put in their order. False: one was refused; what it would have replaced is still there."""
        mapping, store = self.stores.mapping, self.stores.store
        kept = None
        if plan.replaced is not None:
            kept = _replaced(mapping, entry.key, plan.replaced, self.stores.clock.now())
            await self._conflicts.keep(kept, fence)
        written = 0
        for write in put_writes(mapping, plan, entry):
            if not await store.write(write, fence=fence):
                break
            written += 1
        if kept is not None and not written:
            await self._conflicts.take_out(kept.id, fence)
        return written > 0

    @property
    def _conflicts(self) -> Conflicts:
        return Conflicts(self.stores.control)

    @property
    def _redriver(self) -> Redriver:
        stores = self.stores
        ledger = Ledger(stores.control, stores.clock, stores.mapping.old.table, self.epoch)
        return Redriver(stores.store, self._conflicts, ledger, stores.mapping, stores.clock)


def _replaced(mapping: Mapping, key: Item, replaced: PlaceReading, now: float) -> Conflict:
    """The record of a v2 item that the old item replaces, with the old item that it stood for."""
    place, item = replaced.place, replaced.item
    assert item is not None
    return Conflict(
        id=conflict_id(mapping.old.table, key, f"replaced-{token_hex(6)}"),
        old_table=mapping.old.table,
        key=key,
        entity=mapping.entity_name_at(place.table, place.key),
        reason="replaced",
        fields=(),
        change=None,
        v2=((place.table, place.key, item),),
        at=now,
        old=old_form(mapping, place, item),
    )
