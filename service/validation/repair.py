"""Repair: writes what differs so that both sides agree, and never overwrites a newer change."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import repair_write
from service.core.rules.verdict import Kind, Pair
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Fenced, Poison
from service.validation.reader import Reader
from service.validation.waits import InterruptibleWaits

CYCLE_PAIRS = 100
"""Pairs repaired in one cycle: as many as one BatchGetItem reads of each side."""

REPAIRABLE = frozenset({Kind.MISSING, Kind.EXTRA, Kind.MISMATCH})

Registered = Callable[[], AbstractAsyncContextManager[Fence]]
"""Registers a repair in the control table before its first read, and removes it after its last write: the purger waits for
it. Gives the fence of its writes."""


PairRepair = Callable[[Pair, Item | None, Item | None, Fence], Awaitable[bool]]
"""Repairs one pair, given the v2 item and then the old item, as read; returns whether anything was written. Raises Poison for an
item that cannot be mapped or written, Fenced when the time of the repair is over."""


class Repair:
    """Repairs pairs in cycles; each cycle is registered and has its own fence."""

    def __init__(
        self, reader: Reader, waits: InterruptibleWaits, registered: Registered, repair_pair: PairRepair
    ) -> None:
        self._reader = reader
        self._waits = waits
        self._registered = registered
        self._repair_pair = repair_pair

    async def repair(self, pairs: Sequence[Pair]) -> int:
        """Try to repair each pair once; returns how many were written. The condition of a write refuses it when the v2 item is
        newer than the one that was read. Raises Interrupted when the run was stopped."""
        written = 0
        for start in range(0, len(pairs), CYCLE_PAIRS):
            self._waits.check()
            written += await self._cycle(pairs[start : start + CYCLE_PAIRS])
        return written

    async def _cycle(self, pairs: Sequence[Pair]) -> int:
        async with self._registered() as fence:
            # v2 first, then old: the other order could write an earlier state of the old item over a change that was
            # applied between both reads.
            readings = await self._reader.read_pairs(pairs)
            writes = (
                self._try_repair(pair, v2, old.item if old else None, fence)
                for pair, (v2, old) in zip(pairs, readings, strict=True)
            )
            return sum(await asyncio.gather(*writes))

    async def _try_repair(self, pair: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        try:
            return await self._repair_pair(pair, v2, old, fence)
        except (Poison, Fenced):
            return False  # the re-check after the repair reports the pair as it is


def by_writing_v2(store: ItemStore, mapping: Mapping) -> PairRepair:
    """Repair before the first `dual`: v2 becomes what ``forward`` makes of the old item."""

    async def repair_pair(pair: Pair, v2: Item | None, old: Item | None, fence: Fence) -> bool:
        if pair.table is None or pair.v2_key is None:
            return False
        put = repair_write(mapping, pair.table, pair.v2_key, v2, old)
        return put is not None and await store.write(put, fence=fence)

    return repair_pair
