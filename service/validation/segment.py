"""Validates a segment: compares its pages, gathers them into batches, reviews each batch's candidates, and saves the progress."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from service.core.item.wire import Item
from service.core.rules.verdict import Kind, Pair
from service.validation.comparisons import PageResult, TableComparison, with_kind
from service.validation.progress import ValidationProgress
from service.validation.reader import Reader
from service.validation.recheck import Candidate, Recheck, RecheckOutcome, RecheckResult
from service.validation.repair import REPAIRABLE, Repair
from service.validation.report import Difference, difference
from service.validation.tally import Tally, count_run
from service.validation.waits import InterruptibleWaits

BATCH_CANDIDATES = 2_000
"""Candidates of one segment that wait to be re-checked: this bounds the memory."""

BATCH_PAGES = 64
"""Pages after which a batch is saved although it has few candidates: this bounds the work that a killed run does again."""


SetAside = Callable[[Pair], Awaitable[Kind | None]]
"""Whether a pair waits for an operator: QUARANTINED, HELD, or None."""


@dataclass(slots=True)
class PageBatch:
    """Pages of a segment that are compared but not yet saved."""

    tally: Tally = field(default_factory=Tally)
    candidates: list[Candidate] = field(default_factory=list)
    pages: int = 0
    last_key: Item | None = None

    def add(self, page: PageResult, last_key: Item | None) -> None:
        """Add a page that ended at ``last_key``; None: at the segment's end."""
        self.tally += page.tally
        self.candidates += page.candidates
        self.pages += 1
        self.last_key = last_key

    @property
    def complete(self) -> bool:
        """Whether the batch is to be reviewed and saved: it has no candidates, is at the segment's end, or at a bound."""
        return (
            not self.candidates
            or self.last_key is None
            or len(self.candidates) >= BATCH_CANDIDATES
            or self.pages >= BATCH_PAGES
        )


class CandidateReview:
    """Re-checks a batch's candidates, compares them with what waits for an operator, repairs and counts them."""

    def __init__(self, recheck: Recheck, set_aside: SetAside, repair: Repair | None) -> None:
        """``repair``: None to repair nothing."""
        self._recheck = recheck
        self._set_aside = set_aside
        self._repair = repair

    async def review(self, comparison: TableComparison, batch: PageBatch) -> list[Difference]:
        """Count every candidate of ``batch`` in its tally, and return the differences."""
        results = await self._recheck.resolve(comparison.recheck_rule, batch.candidates)
        results = [await self._leave_to_operator(result) for result in results]
        if self._repair is not None:
            results = await self._repaired(self._repair, comparison, results, batch.tally)
        return [entry for result in results for entry in _counted(comparison, result, batch.tally)]

    async def _leave_to_operator(self, result: RecheckResult) -> RecheckResult:
        """A difference of a key in quarantine, or of a held item, gets that kind, so it is not repaired."""
        if result.outcome is not RecheckOutcome.LASTS or result.finding.kind not in REPAIRABLE:
            return result
        kind = await self._set_aside(result.finding.pair)
        return result if kind is None else with_kind(result, kind)

    async def _repaired(
        self, repair: Repair, comparison: TableComparison, results: list[RecheckResult], tally: Tally
    ) -> list[RecheckResult]:
        """Repair the lasting differences, re-check them, and return all results as they are then."""
        repairable = [result for result in results if _repairable(result)]
        if not repairable:
            return results
        count_run(tally, "repaired", await repair.repair([result.finding.pair for result in repairable]))
        candidates = [result.candidate for result in repairable]
        rechecked = await self._recheck.resolve(comparison.recheck_rule, candidates)
        return [result for result in results if not _repairable(result)] + rechecked


class StrayReview(CandidateReview):
    """Repairs, and counts nothing but that: the items are compared again later."""

    async def review(self, comparison: TableComparison, batch: PageBatch) -> list[Difference]:
        """Repair the differences of ``batch``; returns none."""
        await super().review(comparison, batch)
        batch.tally = Tally({("run", "repaired"): batch.tally["run", "repaired"]})
        return []


@dataclass(frozen=True, slots=True)
class SegmentValidator:
    """Validates the segments, or a sample, of any comparison."""

    reader: Reader
    progress: ValidationProgress
    candidate_review: CandidateReview
    waits: InterruptibleWaits

    async def validate_segment(self, comparison: TableComparison, segment: int, segments: int) -> None:
        """Validate one segment from its saved progress to its end, and save the progress after each batch."""
        saved = self.progress.of_segment(comparison.name, segment)
        start, done, batch = saved.last_key, saved.done, PageBatch()
        while not done:
            self.waits.check()
            page = await self.reader.scan_page(comparison.table, segment=segment, segments=segments, start=start)
            batch.add(await comparison.compare_page(page.items), page.last_key)
            start, done = page.last_key, page.last_key is None
            if batch.complete:
                await self._close(comparison, segment, batch)
                batch = PageBatch()

    async def validate_sample(self, comparison: TableComparison, pages: AsyncIterator[list[Item]]) -> None:
        """Validate the pages of a sample, which belong to no segment."""
        batch = PageBatch()
        async for items in pages:
            batch.add(await comparison.compare_page(items), None)
            if len(batch.candidates) >= BATCH_CANDIDATES:
                await self._close(comparison, 0, batch)
                batch = PageBatch()
        await self._close(comparison, 0, batch)

    async def _close(self, comparison: TableComparison, segment: int, batch: PageBatch) -> None:
        differences = await self.candidate_review.review(comparison, batch)
        await self.progress.save(comparison.name, segment, batch.last_key, batch.tally, differences)


def _repairable(result: RecheckResult) -> bool:
    has_old_key = result.finding.pair.old_key is not None
    return result.outcome is RecheckOutcome.LASTS and result.finding.kind in REPAIRABLE and has_old_key


def _counted(comparison: TableComparison, result: RecheckResult, tally: Tally) -> list[Difference]:
    """Count the result; returns the report's entry for it, or nothing."""
    comparison.count(tally, result)
    if result.outcome is RecheckOutcome.AGREES:
        return []
    if result.finding.kind is Kind.UNINDEXED:
        count_run(tally, "index_missing", result.outcome is RecheckOutcome.LASTS)
        return []
    count_run(tally, "differences")
    count_run(tally, "set_aside", result.finding.kind in (Kind.QUARANTINED, Kind.HELD))
    count_run(tally, "inverse_failures", result.finding.inverse_failed)
    if result.outcome is RecheckOutcome.NOT_YET:
        count_run(tally, "not_yet")
    kind = result.outcome.value if result.outcome is RecheckOutcome.NOT_YET else result.finding.kind.value
    return [difference(result.finding, result.candidate.first_seen, kind)]
