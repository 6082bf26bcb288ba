"""Verifies, again and again, that both sides of every key that the ledger remembers agree. A key is compared when it is quiet.

This is the last line of defence behind the ledger rule. One worker does it, beside its forward lane. The result is one control
record, which `status` shows and the gate reads. Entries that are no longer needed are trimmed in the same walk.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from service.control.ledger import EntryReading, Ledger
from service.control.stores import Stores
from service.control.verification import LISTED, Verification, save_verification
from service.control.workers import BOTH, Workers
from service.core.item.wire import Item
from service.core.rules.agreement import BothSides, agree, places_of
from service.core.rules.images import place_of_old
from service.errors import Retryable
from service.log import get_logger
from service.sync.upkeep.both_sides import read_both_sides
from service.sync.upkeep.trim import UPKEEP_CATCH_UP_SECONDS, Trimmer

BATCH_ENTRIES = 100
"""Entries compared together: as many keys as one BatchGetItem reads."""

MAX_CANDIDATES = 1_000
"""At most so many entries that seem to differ are compared again in one walk. Further ones count as pending until the next
walk."""


class VerifyTimes(Protocol):
    """The settings that verification depends on."""

    @property
    def verify_seconds(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...


@dataclass(slots=True)
class _Walk:
    """One walk over the ledger."""

    started_at: float
    """Epoch seconds."""
    caught_up: bool
    """Whether both lanes have caught up since the walk started."""
    checked: int = 0
    """How many entries were found equal on both sides."""
    pending: int = 0
    """How many entries were not quiet yet, or cannot be judged in this walk."""
    candidates: list[tuple[EntryReading, BothSides]] = field(default_factory=list)
    """Entries that seem to differ, with both sides as they were."""
    differences: list[Item] = field(default_factory=list)
    """The old keys of the entries that differ."""


class Verifier:
    """Walks over the ledger every ``verify_seconds``."""

    def __init__(self, stores: Stores, times: VerifyTimes, ledger: Ledger, trimmer: Trimmer) -> None:
        self._stores = stores
        self._clock = stores.clock
        self._times = times
        self._ledger = ledger
        self._workers = Workers(stores.control, stores.clock)
        self._trimmer = trimmer

    async def run(self) -> NoReturn:
        """Walk until cancelled. Raises Fenced, or another Fatal."""
        while True:
            try:
                await self.walk()
            except Retryable as failure:  # the next walk compares everything again
                get_logger().warning("verification was interrupted", reason=failure.message)
            await self._clock.sleep(self._times.verify_seconds)

    async def walk(self) -> Verification:
        """Compare every entry of the ledger, trim those that are no longer needed, and save the result."""
        await self._trimmer.begin()
        walk = _Walk(self._clock.now(), await self._caught_up())
        async for entries in _batched(self._ledger.all()):
            await self._compare(walk, entries)
        await self._compare_again(walk)
        await self._trimmer.end()
        result = Verification(walk.checked, walk.pending, tuple(walk.differences[:LISTED]), self._clock.now())
        await save_verification(self._stores.control, result)
        return result

    async def _caught_up(self) -> bool:
        return await self._workers.caught_up(UPKEEP_CATCH_UP_SECONDS, BOTH)

    async def _compare(self, walk: _Walk, entries: Sequence[EntryReading]) -> None:
        """Compare the entries that are quiet: untouched for a while, with everything that was in the streams then applied."""
        quiet_since = walk.started_at - self._times.settle_seconds
        quiet = [read for read in entries if walk.caught_up and read.entry.touched_at <= quiet_since]
        walk.pending += len(entries) - len(quiet)
        for read, sides in zip(quiet, await self._read(quiet), strict=True):
            if agree(self._stores.mapping, sides):
                walk.checked += 1
                await self._trimmer.offer(read)
            elif len(walk.candidates) < MAX_CANDIDATES:
                walk.candidates.append((read, sides))
            else:
                walk.pending += 1

    async def _compare_again(self, walk: _Walk) -> None:
        """Compare the candidates a second time, after both lanes have caught up. One that differs both times in the same way is
        a difference."""
        before = await self._read_with_place_of_old(walk.candidates)
        caught_up = bool(walk.candidates) and await self._caught_up()
        after = await self._read_with_place_of_old(walk.candidates) if caught_up else before
        for (read, _), first, second in zip(walk.candidates, before, after, strict=True):
            if agree(self._stores.mapping, second):
                walk.checked += 1
            elif caught_up and first.fingerprint == second.fingerprint:
                walk.differences.append(read.entry.key)
            else:
                walk.pending += 1

    async def _read(self, entries: Sequence[EntryReading]) -> list[BothSides]:
        asked = [(read.entry.key, places_of(read.entry)) for read in entries]
        return await read_both_sides(self._stores.store, self._stores.mapping, asked)

    async def _read_with_place_of_old(self, candidates: Sequence[tuple[EntryReading, BothSides]]) -> list[BothSides]:
        """Both sides of each candidate, with the place where the old item belonged at the first comparison."""
        both: list[BothSides] = []
        for start in range(0, len(candidates), BATCH_ENTRIES):
            asked = []
            for read, sides in candidates[start : start + BATCH_ENTRIES]:
                places = {place.text: place for place in places_of(read.entry)}
                of_old = place_of_old(self._stores.mapping, sides.old)
                if of_old is not None:
                    places[of_old.text] = of_old
                asked.append((read.entry.key, list(places.values())))
            both += await read_both_sides(self._stores.store, self._stores.mapping, asked)
        return both


async def _batched(entries: AsyncIterator[EntryReading]) -> AsyncIterator[list[EntryReading]]:
    batch: list[EntryReading] = []
    async for read in entries:
        batch.append(read)
        if len(batch) >= BATCH_ENTRIES:
            yield batch
            batch = []
    if batch:
        yield batch
