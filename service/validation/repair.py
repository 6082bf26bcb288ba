"""Repair: write right what differs, without ever overwriting a newer change."""

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
from service.validation.waits import Waits

CYCLE_PLACES = 100
"""Places of one cycle: as many as one BatchGetItem reads of each side."""

REPAIRABLE = frozenset({Kind.MISSING, Kind.EXTRA, Kind.MISMATCH})

Registered = Callable[[], AbstractAsyncContextManager[Fence]]
"""Enters a repair in the control table before its first read, and removes it after its last write: the purger
waits for it. Gives the fence of its writes."""


Mend = Callable[[Pair, Item | None, Item | None, Fence], Awaitable[bool]]
"""Mends one place, given the v2 item and then the old item as read; whether anything was written. Raises Poison for what
cannot be mapped or written, Fenced when it is too late."""

Redrive = Callable[[PlaceReading, Item | None, Fence], Awaitable[bool]]
"""``redriving.Redriver.redrive``."""


class Repair:
    """Repairs in cycles, each of them registered and fenced for itself."""

    def __init__(self, reader: Reader, waits: Waits, registered: Registered, mend: Mend) -> None:
        self._reader = reader
        self._waits = waits
        self._registered = registered
        self._mend = mend

    async def repair(self, places: Sequence[Pair]) -> int:
        """Try to repair each place once; how many were written. A write that meets a newer v2 item is refused
        by its condition."""
        written = 0
        for start in range(0, len(places), CYCLE_PLACES):
            self._waits.check()
            written += await self._cycle(places[start : start + CYCLE_PLACES])
        return written

    async def _cycle(self, places: Sequence[Pair]) -> int:
        async with self._registered() as fence:
            # v2 first, then old: the other order would write an old item's older state over a change applied
            # in between.
            readings = await self._reader.look(places)
            writes = (
                self._mended(place, v2, old.item if old else None, fence)
                for place, (v2, old) in zip(places, readings, strict=True)
            )
            return sum(await asyncio.gather(*writes))

    async def _mended(self, place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        try:
            return await self._mend(place, v2, old, fence)
        except (Poison, Fenced):
            return False  # the look that follows reports what it is


def by_writing_v2(store: ItemStore, mapping: Mapping) -> Mend:
    """Repair before the first `dual`: v2 becomes what ``forward`` makes of the old item."""

    async def mend(place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if place.table is None or place.v2_key is None:
            return False
        put = repair_write(mapping, place.table, place.v2_key, v2, old)
        return put is not None and await store.write(put, fence=fence)

    return mend


def by_redriving(redrive: Redrive, mapping: Mapping) -> Mend:
    """Repair from the first `dual` on: reverse carries v2 to old. An old item without a v2 item is left as it is: there is
    nothing to carry, and neither side tells whether it was deleted on v2 or never came there."""

    async def mend(place: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if place.table is None or place.v2_key is None or v2 is None or is_bare(mapping, place.table, v2):
            return False
        return await redrive(PlaceReading(Place(place.table, place.v2_key), v2), old, fence)

    return mend
