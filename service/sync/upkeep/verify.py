"""Verifies, again and again, that both sides of every key that the ledger remembers agree. A key is compared when it is quiet, and
again after an hour (``due``), at no more than so many keys a second.

This is the last line of defence behind the ledger rule. One worker does it, beside its forward lane. The result is one control
record, which `status` shows and the gate reads, and a list of the keys that differ. Entries that are no longer needed are trimmed
in the same walk.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NoReturn, Protocol

from service.control.ledger import EntryReading, Ledger, ledger_id
from service.control.stores import Stores
from service.control.verification import (
    FIRST_KEYS,
    LISTED_AT_MOST,
    Differences,
    Differing,
    Verification,
    save_verification,
)
from service.control.workers import BOTH, Workers
from service.core.item.wire import plain_key
from service.core.rules.agreement import BothSides, agree, describe_difference, places_of
from service.core.rules.images import place_of_old
from service.errors import Retryable
from service.log import get_logger
from service.sync.upkeep.both_sides import read_both_sides
from service.sync.upkeep.due import Due
from service.sync.upkeep.trim import UPKEEP_CATCH_UP_SECONDS, Trimmer

BATCH_ENTRIES = 100
"""Entries compared together: as many keys as one BatchGetItem reads."""

MAX_CANDIDATES = 1_000
"""At most so many entries that seem to differ are kept, with both sides, until they are compared again."""


class VerifyTimes(Protocol):
    """The settings that verification depends on."""

    @property
    def verify_seconds(self) -> float: ...

    @property
    def verify_age_seconds(self) -> float: ...

    @property
    def verify_keys_per_second(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...


@dataclass(slots=True)
class _Walk:
    """One walk over the ledger."""

    started_at: float
    """Epoch seconds."""
    caught_up: bool
    """Whether both lanes have caught up since the walk started."""
    listed: Mapping[str, Differing]
    """The keys that were listed when the walk started."""
    checked: int = 0
    """How many entries were found equal on both sides, now or since they were last touched."""
    pending: int = 0
    """How many entries were not quiet yet, or cannot be judged in this walk."""
    candidates: list[tuple[EntryReading, BothSides]] = field(default_factory=list)
    """Entries that seem to differ, with both sides as they were."""
    differing: dict[str, Differing] = field(default_factory=dict)
    """The keys that differ, by the name of the ledger entry; at most LISTED_AT_MOST."""
    total: int = 0
    """How many keys differ."""

    def add(self, name: str, differing: Differing) -> None:
        """A key differs."""
        self.total += 1
        if len(self.differing) < LISTED_AT_MOST:
            self.differing[name] = differing

    def put_off(self, name: str) -> None:
        """An entry cannot be judged in this walk. A key that differed when it was last compared stays listed."""
        self.pending += 1
        if name in self.listed:
            self.add(name, self.listed[name])


class Verifier:
    """Walks over the ledger every ``verify_seconds``."""

    def __init__(self, stores: Stores, times: VerifyTimes, ledger: Ledger, trimmer: Trimmer) -> None:
        self._stores = stores
        self._clock = stores.clock
        self._times = times
        self._ledger = ledger
        self._differences = Differences(stores.control)
        self._workers = Workers(stores.control, stores.clock)
        self._trimmer = trimmer
        self._due = Due(max(1, ceil(times.verify_age_seconds / times.verify_seconds)))

    async def run(self) -> NoReturn:
        """Walk until cancelled. Raises Fenced, or another Fatal."""
        while True:
            try:
                await self.walk()
            except Retryable as failure:  # the next walk compares everything again
                get_logger().warning("verification was interrupted", **failure.to_log())
            await self._clock.sleep(self._times.verify_seconds)

    async def walk(self) -> Verification:
        """Compare the entries of the ledger that are due, trim those that are no longer needed, and save what was found."""
        await self._trimmer.begin()
        self._due.begin()
        listed = await self._differences.all()
        walk = _Walk(self._clock.now(), await self._caught_up(), listed)
        compares = walk.caught_up
        async for entries in _batched(self._ledger.all()):
            await self._compare(walk, entries)
        await self._compare_again(walk)
        await self._trimmer.end()
        if compares:
            self._due.end(self._quiet_since(walk))
        return await self._saved(walk)

    async def _saved(self, walk: _Walk) -> Verification:
        """Save the list first: the result never names a key that the list has not got."""
        first = tuple(found.key for found in list(walk.differing.values())[:FIRST_KEYS])
        result = Verification(walk.checked, walk.pending, first, self._clock.now(), walk.total)
        await self._differences.replace(walk.listed, walk.differing)
        await save_verification(self._stores.control, result)
        _log(walk)
        return result

    async def _caught_up(self) -> bool:
        return await self._workers.caught_up(UPKEEP_CATCH_UP_SECONDS, BOTH)

    def _quiet_since(self, walk: _Walk) -> float:
        return walk.started_at - self._times.settle_seconds

    async def _compare(self, walk: _Walk, entries: Sequence[EntryReading]) -> None:
        """Compare the entries that are due and quiet: untouched for a while, with everything that was in the streams then
        applied."""
        quiet = []
        for read in entries:
            name, touched_at = self._name(read), read.entry.touched_at
            if not walk.caught_up or touched_at > self._quiet_since(walk):
                walk.put_off(name)
            elif self._due.has(name, touched_at):
                quiet.append(read)
            else:
                walk.checked += 1
        for read, sides in zip(quiet, await self._read_within_limit(quiet), strict=True):
            if agree(self._stores.mapping, sides):
                walk.checked += 1
                await self._trimmer.offer(read)
            else:
                walk.candidates.append((read, sides))
        if len(walk.candidates) > MAX_CANDIDATES - BATCH_ENTRIES:
            await self._compare_again(walk)

    async def _read_within_limit(self, entries: Sequence[EntryReading]) -> list[BothSides]:
        began = self._clock.monotonic()
        both = await self._read(entries)
        left = began + len(entries) / self._times.verify_keys_per_second - self._clock.monotonic()
        if left > 0:
            await self._clock.sleep(left)
        return both

    async def _compare_again(self, walk: _Walk) -> None:
        """Compare the candidates a second time, after both lanes have caught up. One that differs both times in the same way is
        a difference."""
        candidates, walk.candidates = walk.candidates, []
        if not candidates:
            return
        before = await self._read_with_place_of_old(candidates)
        walk.caught_up = await self._caught_up()
        after = await self._read_with_place_of_old(candidates) if walk.caught_up else before
        for (read, _), first, second in zip(candidates, before, after, strict=True):
            if agree(self._stores.mapping, second):
                walk.checked += 1
                continue
            self._due.leave_open(self._name(read))
            if walk.caught_up and first.fingerprint == second.fingerprint:
                walk.add(self._name(read), self._differing(walk, read, second))
            else:
                walk.put_off(self._name(read))

    def _differing(self, walk: _Walk, read: EntryReading, sides: BothSides) -> Differing:
        """The list's record of a key that differs; it keeps the time when the key was first seen to."""
        found, now = describe_difference(self._stores.mapping, sides), self._clock.now()
        before = walk.listed.get(self._name(read))
        return Differing(
            key=read.entry.key,
            entity=found.entity,
            kind=found.kind,
            v2=tuple((place.table, place.key) for place in found.places),
            fields=found.fields,
            first_seen=before.first_seen if before is not None else now,
            last_seen=now,
        )

    def _name(self, read: EntryReading) -> str:
        return ledger_id(self._stores.mapping.old.table, read.entry.key)

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


def _log(walk: _Walk) -> None:
    """The count at level warning, the keys at level debug."""
    if not walk.total:
        return
    get_logger().warning(
        "both sides of touched keys differ", differences=walk.total, remedy="see `tablesplit verification list`"
    )
    for found in walk.differing.values():
        get_logger().debug(
            "both sides differ", key=plain_key(found.key), difference=found.kind, fields=list(found.fields)
        )
