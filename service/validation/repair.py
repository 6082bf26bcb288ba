"""Repair: write right what differs, without ever overwriting a newer change."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from service.core.apply_rule import repair_write
from service.core.mapping import Mapping
from service.core.verdict import Kind, Place
from service.core.wire import Item
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


class Repair:
    """Repairs in cycles, each of them registered and fenced for itself."""

    def __init__(
        self, store: ItemStore, reader: Reader, mapping: Mapping, waits: Waits, registered: Registered
    ) -> None:
        self._store = store
        self._reader = reader
        self._mapping = mapping
        self._waits = waits
        self._registered = registered

    async def repair(self, places: Sequence[Place]) -> int:
        """Try to repair each place once; how many were written. A write that meets a newer v2 item is refused
        by its condition."""
        written = 0
        for start in range(0, len(places), CYCLE_PLACES):
            self._waits.check()
            written += await self._cycle(places[start : start + CYCLE_PLACES])
        return written

    async def _cycle(self, places: Sequence[Place]) -> int:
        async with self._registered() as fence:
            # v2 first, then old: the other order would write an old item's older state over a change applied
            # in between.
            readings = await self._reader.look(places)
            writes = (
                self._write(place, v2, old.item if old else None, fence)
                for place, (v2, old) in zip(places, readings, strict=True)
            )
            return sum(await asyncio.gather(*writes))

    async def _write(self, place: Place, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if place.table is None or place.v2_key is None:
            return False
        try:
            put = repair_write(self._mapping, place.table, place.v2_key, v2, old)
            return put is not None and await self._store.write(put, fence=fence)
        except (Poison, Fenced):
            return False  # cannot be mapped or written, or too late: the look that follows reports what it is
