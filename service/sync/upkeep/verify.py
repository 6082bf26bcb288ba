"""Re-verification: every key touched under the ledger rule is compared once it is quiet, again and again while it is remembered.

The last line of defence behind the protocol. One worker does it, beside its forward lane. What it finds is one control
record, which `status` shows and the gate asks for. Entries that are no longer needed are trimmed in the same walk.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from service.control.ledger import Ledger, Read
from service.control.stores import Stores
from service.control.verification import LISTED, Verification, save_verification
from service.control.workers import BOTH, Workers
from service.core.item.wire import Item
from service.core.rules.agreement import BothSides, agree, home, places_of
from service.errors import Retryable
from service.log import get_logger
from service.sync.upkeep.both_sides import read_sides
from service.sync.upkeep.trim import Trimmer

LOOK_ENTRIES = 100
"""Entries looked at together: as many keys as one BatchGetItem reads."""

MAX_SUSPECTS = 1_000
"""Entries that seem to differ and are looked at again in one walk; any more count as pending until the next."""

CAUGHT_UP_WITHIN_SECONDS = 60.0


class VerifyTimes(Protocol):
    """The settings that re-verification depends on."""

    @property
    def verify_seconds(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...


@dataclass(slots=True)
class _Walk:
    """One walk over the ledger. started_at: epoch seconds; settled: both lanes have caught up since."""

    started_at: float
    settled: bool
    checked: int = 0
    pending: int = 0
    suspects: list[tuple[Read, BothSides]] = field(default_factory=list)
    differences: list[Item] = field(default_factory=list)


class Verifier:
    """Walks the ledger every ``verify_seconds``."""

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
            except Retryable as passing:  # the next walk looks at everything again
                get_logger().warning("re-verification was interrupted", reason=passing.message)
            await self._clock.sleep(self._times.verify_seconds)

    async def walk(self) -> Verification:
        """Look at every entry of the ledger, trim those that are no longer needed, and save what was found."""
        await self._trimmer.begin()
        walk = _Walk(self._clock.now(), await self._settled())
        async for entries in _batched(self._ledger.all()):
            await self._look(walk, entries)
        await self._look_again(walk)
        await self._trimmer.end()
        found = Verification(walk.checked, walk.pending, tuple(walk.differences[:LISTED]), self._clock.now())
        await save_verification(self._stores.control, found)
        return found

    async def _settled(self) -> bool:
        return await self._workers.caught_up(CAUGHT_UP_WITHIN_SECONDS, BOTH)

    async def _look(self, walk: _Walk, entries: Sequence[Read]) -> None:
        """Compare those that are quiet: untouched for a while, and whatever was in the streams then is applied."""
        quiet_since = walk.started_at - self._times.settle_seconds
        quiet = [read for read in entries if walk.settled and read.entry.touched_at <= quiet_since]
        walk.pending += len(entries) - len(quiet)
        for read, sides in zip(quiet, await self._read(quiet), strict=True):
            if agree(self._stores.mapping, sides):
                walk.checked += 1
                await self._trimmer.offer(read)
            elif len(walk.suspects) < MAX_SUSPECTS:
                walk.suspects.append((read, sides))
            else:
                walk.pending += 1

    async def _look_again(self, walk: _Walk) -> None:
        """Count what differs twice, and was the same, as a difference; both lanes caught up in between."""
        before = await self._read_at_home(walk.suspects)
        settled = bool(walk.suspects) and await self._settled()
        after = await self._read_at_home(walk.suspects) if settled else before
        for (read, _), first, second in zip(walk.suspects, before, after, strict=True):
            if agree(self._stores.mapping, second):
                walk.checked += 1
            elif settled and first.fingerprint == second.fingerprint:
                walk.differences.append(read.entry.key)
            else:
                walk.pending += 1

    async def _read(self, entries: Sequence[Read]) -> list[BothSides]:
        asked = [(read.entry.key, places_of(read.entry)) for read in entries]
        return await read_sides(self._stores.store, self._stores.mapping, asked)

    async def _read_at_home(self, suspects: Sequence[tuple[Read, BothSides]]) -> list[BothSides]:
        """The same, with the place where the old item belonged at the first sight."""
        found: list[BothSides] = []
        for start in range(0, len(suspects), LOOK_ENTRIES):
            asked = []
            for read, sides in suspects[start : start + LOOK_ENTRIES]:
                place = home(self._stores.mapping, sides.old)
                known = {one.text: one for one in (*places_of(read.entry), *([place] if place else []))}
                asked.append((read.entry.key, list(known.values())))
            found += await read_sides(self._stores.store, self._stores.mapping, asked)
        return found


async def _batched(entries: AsyncIterator[Read]) -> AsyncIterator[list[Read]]:
    batch: list[Read] = []
    async for read in entries:
        batch.append(read)
        if len(batch) >= LOOK_ENTRIES:
            yield batch
            batch = []
    if batch:
        yield batch
