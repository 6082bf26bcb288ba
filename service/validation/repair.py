"""Repair: writes what differs so that both sides agree, and never overwrites a newer change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import repair_write
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.verdict import Kind, Pair, is_bare
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Fenced, Poison
from service.validation.reader import Reader
from service.validation.waits import InterruptibleWaits

CYCLE_PLACES = 100
"""Places repaired in one cycle: as many as one BatchGetItem reads of each side."""

REPAIRABLE = frozenset({Kind.MISSING, Kind.EXTRA, Kind.MISMATCH})

Registered = Callable[[], AbstractAsyncContextManager[Fence]]
"""Registers a repair in the control table before its first read, and removes it after its last write: the purger waits for
it. Gives the fence of its writes."""


PlaceRepair = Callable[[Pair, Item | None, Item | None, Fence], Awaitable[bool]]
"""Repairs one place, given the v2 item and then the old item, as read; returns whether anything was written. Raises Poison for an
item that cannot be mapped or written, Fenced when the time of the repair is over."""

Redrive = Callable[[PlaceReading, Item | None, Fence], Awaitable[bool]]
"""``service.sync.redrive.Redriver.redrive``."""


class Repair:
    """Repairs places in cycles; each cycle is registered and has its own fence."""

    def __init__(
        self, reader: Reader, waits: InterruptibleWaits, registered: Registered, repair_place: PlaceRepair
    ) -> None:
        self._reader = reader
        self._waits = waits
        self._registered = registered
        self._repair_place = repair_place

    async def repair(self, places: Sequence[Pair]) -> int:
        """Try to repair each place once; returns how many were written. The condition of a write refuses it when the v2 item is
        newer than the one that was read. Raises Interrupted when the run was stopped."""
        written = 0
        for start in range(0, len(places), CYCLE_PLACES):
            self._waits.check()
            written += await self._cycle(places[start : start + CYCLE_PLACES])
        return written

    async def _cycle(self, places: Sequence[Pair]) -> int:
        async with self._registered() as fence:
            # v2 first, then old: the other order could write an earlier state of the old item over a change that was
            # applied between both reads.
            readings = await self._reader.read_places(places)
            writes = (
                self._try_repair(place, v2, old.item if old else None, fence)
                for place, (v2, old) in zip(places, readings, strict=True)
            )
            return sum(await asyncio.gather(*writes))

    async def _try_repair(self, place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        try:
            return await self._repair_place(place, v2, old, fence)
        except (Poison, Fenced):
            return False  # the re-check after the repair reports the place as it is


def by_writing_v2(store: ItemStore, mapping: Mapping) -> PlaceRepair:
    """Repair before the first `dual`: v2 becomes what ``forward`` makes of the old item."""

    async def repair_place(place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if place.table is None or place.v2_key is None:
            return False
        put = repair_write(mapping, place.table, place.v2_key, v2, old)
        return put is not None and await store.write(put, fence=fence)

    return repair_place


def by_redriving(redrive: Redrive, mapping: Mapping) -> PlaceRepair:
    """Repair from the first `dual` on: reverse carries the v2 item to the old table.

    An old item without a v2 item is left as it is: there is nothing to carry, and neither side shows whether the item was deleted
    on v2 or never written there.
    """

    async def repair_place(place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if place.table is None or place.v2_key is None or v2 is None or is_bare(mapping, place.table, v2):
            return False
        return await redrive(PlaceReading(Place(place.table, place.v2_key), v2), old, fence)

    return repair_place
