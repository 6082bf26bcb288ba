"""Walking one segment: pages are gathered into chunks, a chunk's differences are settled, then the chunk's
end is saved."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from service.core.item.wire import Item
from service.core.rules.verdict import Kind, Pair
from service.validation.progress import ValidationProgress
from service.validation.reader import Reader
from service.validation.recheck import Candidate, Recheck, RecheckOutcome, Resolved
from service.validation.repair import REPAIRABLE, Repair
from service.validation.report import Difference, difference
from service.validation.tally import Tally, count_run
from service.validation.waits import Waits
from service.validation.walks import ComparisonWalk, Examined, as_seen

CHUNK_CANDIDATES = 2_000
"""Differences of one segment that wait to be looked at again: the bound on memory."""

CHUNK_PAGES = 64
"""Pages after which a chunk is settled although it has few candidates: the bound on work that a killed run
does again."""


SetAside = Callable[[Pair], Awaitable[Kind | None]]
"""Whether a place waits for an operator: QUARANTINED, HELD, or None."""


@dataclass(slots=True)
class Chunk:
    """Pages of a segment that are walked but not yet saved."""

    tally: Tally = field(default_factory=Tally)
    candidates: list[Candidate] = field(default_factory=list)
    pages: int = 0
    last_key: Item | None = None

    def add(self, examined: Examined, last_key: Item | None) -> None:
        self.tally += examined.tally
        self.candidates += examined.candidates
        self.pages += 1
        self.last_key = last_key

    @property
    def complete(self) -> bool:
        """Whether it is time to settle and save: nothing to wait for, at the segment's end, or at a bound."""
        return (
            not self.candidates
            or self.last_key is None
            or len(self.candidates) >= CHUNK_CANDIDATES
            or self.pages >= CHUNK_PAGES
        )


class Settlement:
    """What happens to a chunk's candidates: looked at again, checked against what waits for an operator, repaired,
    counted."""

    def __init__(self, recheck: Recheck, set_aside: SetAside, repair: Repair | None) -> None:
        self._recheck = recheck
        self._set_aside = set_aside
        self._repair = repair

    async def settle(self, walk: ComparisonWalk, chunk: Chunk) -> list[Difference]:
        """Count every candidate of ``chunk`` in its tally, and return the differences."""
        resolved = await self._recheck.resolve(walk.question, chunk.candidates)
        resolved = [await self._left_to_operator(one) for one in resolved]
        if self._repair is not None:
            resolved = await self._repaired(self._repair, walk, resolved, chunk.tally)
        return [found for one in resolved for found in _counted(walk, one, chunk.tally)]

    async def _left_to_operator(self, one: Resolved) -> Resolved:
        """A difference of a key in quarantine, or of a held item, is called that, and is left alone."""
        if one.outcome is not RecheckOutcome.LASTS or one.finding.kind not in REPAIRABLE:
            return one
        kind = await self._set_aside(one.finding.pair)
        return one if kind is None else as_seen(one, kind)

    async def _repaired(
        self, repair: Repair, walk: ComparisonWalk, resolved: list[Resolved], tally: Tally
    ) -> list[Resolved]:
        """Repair what lasts, look again, and return everything as it is now."""
        broken = [one for one in resolved if _repairable(one)]
        if not broken:
            return resolved
        count_run(tally, "repaired", await repair.repair([one.finding.pair for one in broken]))
        again = await self._recheck.resolve(walk.question, [one.candidate for one in broken])
        return [one for one in resolved if not _repairable(one)] + again


@dataclass(frozen=True, slots=True)
class SegmentWalker:
    """Walks segments of any walk."""

    reader: Reader
    ledger: ValidationProgress
    settlement: Settlement
    waits: Waits

    async def walk(self, walk: ComparisonWalk, segment: int, segments: int) -> None:
        """Walk one segment from where its progress stands to its end, saving the progress after each
        chunk."""
        progress = self.ledger.progress(walk.name, segment)
        start, done, chunk = progress.last_key, progress.done, Chunk()
        while not done:
            self.waits.check()
            page = await self.reader.page(walk.table, segment=segment, segments=segments, start=start)
            chunk.add(await walk.examine(page.items), page.last_key)
            start, done = page.last_key, page.last_key is None
            if chunk.complete:
                await self._close(walk, segment, chunk)
                chunk = Chunk()

    async def walk_pages(self, walk: ComparisonWalk, pages: AsyncIterator[list[Item]]) -> None:
        """Walk pages that are no segment's: a sample."""
        chunk = Chunk()
        async for items in pages:
            chunk.add(await walk.examine(items), None)
            if len(chunk.candidates) >= CHUNK_CANDIDATES:
                await self._close(walk, 0, chunk)
                chunk = Chunk()
        await self._close(walk, 0, chunk)

    async def _close(self, walk: ComparisonWalk, segment: int, chunk: Chunk) -> None:
        """Settle and save a chunk."""
        differences = await self.settlement.settle(walk, chunk)
        await self.ledger.save(walk.name, segment, chunk.last_key, chunk.tally, differences)


def _repairable(one: Resolved) -> bool:
    known = one.finding.pair.old_key is not None
    return one.outcome is RecheckOutcome.LASTS and one.finding.kind in REPAIRABLE and known


def _counted(walk: ComparisonWalk, one: Resolved, tally: Tally) -> list[Difference]:
    walk.count(tally, one)
    if one.outcome is RecheckOutcome.AGREES:
        return []
    if one.finding.kind is Kind.UNINDEXED:
        count_run(tally, "index_missing", one.outcome is RecheckOutcome.LASTS)
        return []
    count_run(tally, "differences")
    count_run(tally, "inverse_failures", one.finding.inverse_failed)
    if one.outcome is RecheckOutcome.NOT_YET:
        count_run(tally, "not_yet")
    kind = one.outcome.value if one.outcome is RecheckOutcome.NOT_YET else one.finding.kind.value
    return [difference(one.finding, one.candidate.first_seen, kind)]
