"""The two comparisons: of the old table's pages with v2, and of a v2 table's pages with the old table."""

from collections.abc import Mapping as Table
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from service.clock import Clock
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import (
    Finding,
    Kind,
    Pair,
    Source,
    as_written,
    is_tombstone_at,
    judge,
    misplaced,
    pair_of,
)
from service.validation.indexes import IndexChecks
from service.validation.reader import Reader, old_item_at, v2_item_at
from service.validation.recheck import (
    Candidate,
    Observation,
    RecheckOutcome,
    RecheckResult,
    RecheckRule,
    observe_items,
)
from service.validation.tally import Tally, count_item, count_run

OLD_COLUMNS: Table[Kind, tuple[str, ...]] = {
    Kind.EQUAL: ("old", "equal"),
    Kind.MISSING: ("old", "missing"),
    Kind.MISMATCH: ("old", "mismatch"),
    Kind.QUARANTINED: ("old", "quarantined"),
    Kind.HELD: ("old", "mismatch"),
}
V2_COLUMNS: Table[Kind, tuple[str, ...]] = {
    Kind.EQUAL: ("v2",),
    Kind.QUARANTINED: ("v2",),
    Kind.HELD: ("v2", "mismatch"),
    Kind.EXTRA: ("v2", "extra"),
    Kind.MISMATCH: ("v2", "mismatch"),
    Kind.MISSING: ("missing",),
    Kind.TOMBSTONE: ("tombstones",),
}


@dataclass(slots=True)
class PageResult:
    """The comparison of one page."""

    tally: Tally = field(default_factory=Tally)
    """Counts that need no re-check."""
    candidates: list[Candidate] = field(default_factory=list)
    """To be re-checked."""


class TableComparison(Protocol):
    """The comparison of one table with the other side."""

    name: str
    """Its progress is saved under this name."""
    table: str
    recheck_rule: RecheckRule

    def entity_of(self, item: Item) -> str | None:
        """The entity that an item of the table belongs to; None when that entity is not to be compared."""

    async def compare_page(self, items: Sequence[Item]) -> PageResult:
        """Compare a page of the table with the other side."""

    def count(self, tally: Tally, result: RecheckResult) -> None:
        """Count a candidate by the result of its re-check."""


class OldTableComparison:
    """Every old item must have its transform in v2: finds what is missing, differs, or cannot be mapped."""

    def __init__(self, reader: Reader, mapping: Mapping, clock: Clock, entity: str | None) -> None:
        """``entity``: compare only this one; None: all."""
        self.name = "old"
        self.table = mapping.old.table
        self._reader = reader
        self._mapping = mapping
        self._clock = clock
        self._entity = entity
        watched = frozenset({Kind.MISSING, Kind.MISMATCH, Kind.QUARANTINED})
        self.recheck_rule = RecheckRule(self._observe, watched, follows_moves=True)

    def entity_of(self, item: Item) -> str | None:
        """The entity of the old item; None when it is not to be compared."""
        entity = self._mapping.entity_name_of(item)
        return entity if self._entity in (None, entity) else None

    async def compare_page(self, items: Sequence[Item]) -> PageResult:
        """Compare a page of old items with the v2 items at the places of their transforms."""
        all_sources = [self._reader.source(item) for item in items if self._entity in (None, self.entity_of(item))]
        sources = [source for source in all_sources if source is not None]
        v2_items = await self._reader.v2_items(source.pair for source in sources)
        page = PageResult()
        count_run(page.tally, "left_out", sum(map(self._mapping.leaves_out, items)))
        for source in sources:
            finding = judge(self._mapping, source.pair, v2_item_at(v2_items, source.pair), source)
            if finding.kind is Kind.EQUAL:
                count_item(page.tally, source.pair.entity, *OLD_COLUMNS[Kind.EQUAL])
            else:
                page.candidates.append(Candidate(source.pair, self._clock.now()))
        return page

    def count(self, tally: Tally, result: RecheckResult) -> None:
        """An item that was deleted meanwhile is not counted; the comparison of v2 finds what is left of it there."""
        _count(tally, result, OLD_COLUMNS)

    async def _observe(self, candidates: Sequence[Candidate]) -> list[Observation]:
        return await observe_items(self._reader, self._mapping, candidates)


class V2TableComparison:
    """Every v2 item must have an old item that belongs there: finds what is extra, counts tombstones, checks indexes."""

    def __init__(
        self,
        reader: Reader,
        mapping: Mapping,
        clock: Clock,
        *,
        table: str,
        entity: str | None,
        checks: IndexChecks,
    ) -> None:
        """``entity``: compare only this one; None: all."""
        self.name = f"v2:{table}"
        self.table = table
        self._reader = reader
        self._mapping = mapping
        self._clock = clock
        self._entity = entity
        self._checks = checks
        watched = frozenset({Kind.EXTRA, Kind.MISSING, Kind.MISMATCH, Kind.UNINDEXED})
        self.recheck_rule = RecheckRule(self._observe, watched, follows_moves=False)

    def entity_of(self, item: Item) -> str | None:
        """The entity of a v2 item that is no bare tombstone; None when it is not to be compared."""
        if is_tombstone_at(self._mapping, self.table, item):
            return None
        entity = pair_of(self._mapping, self.table, item).entity
        return entity if self._entity in (None, entity) else None

    async def compare_page(self, items: Sequence[Item]) -> PageResult:
        """Look for the old items of a page of v2 items, and for the v2 items in their indexes."""
        page = PageResult()
        live = [(pair_of(self._mapping, self.table, item), item) for item in self._live(items, page.tally)]
        pairs = [(pair, item) for pair, item in live if self._entity in (None, pair.entity)]
        old = await self._reader.old_items(pair.old_key for pair, _ in pairs if pair.old_key is not None)
        in_sample: list[Source] = []
        for pair, item in pairs:
            self._compare_item(page, pair, item, old_item_at(old, pair), in_sample)
        await self._check_indexes(page, in_sample)
        return page

    def count(self, tally: Tally, result: RecheckResult) -> None:
        """A candidate of an index is counted as an index check, any other as an item."""
        if result.candidate.index is None:
            _count(tally, result, V2_COLUMNS)
        else:
            self._checks.count(tally, result)

    def _live(self, items: Sequence[Item], tally: Tally) -> list[Item]:
        """The items that are no bare tombstones. Tombstones are counted in ``tally``."""
        live = []
        for item in items:
            if is_tombstone_at(self._mapping, self.table, item):
                entity = self._mapping.entity_name_at(self.table, item)
                if self._entity in (None, entity):
                    count_item(tally, entity, "tombstones")
            else:
                live.append(item)
        return live

    def _compare_item(
        self, page: PageResult, pair: Pair, item: Item, old: Item | None, in_sample: list[Source]
    ) -> None:
        """Adds the source to ``in_sample`` when the old item belongs at the v2 item's place, and its indexes are to be checked."""
        sampled = self._checks.sample.has(pair)
        if not sampled and old is not None and self._reader.belongs_at(pair, old):
            count_item(page.tally, pair.entity, "v2")
            return
        source = self._reader.source(old) if old is not None else None
        stray = misplaced(self._mapping, pair, item, source)
        if stray is not None and stray.kind is Kind.EXTRA:
            page.candidates.append(Candidate(pair, self._clock.now()))
            return
        count_item(page.tally, pair.entity, "v2")
        if sampled and stray is None and source is not None:
            in_sample.append(as_written(source, item))

    async def _check_indexes(self, page: PageResult, in_sample: Sequence[Source]) -> None:
        absent = await self._checks.find_absent(in_sample, page.tally)
        now = self._clock.now()
        page.candidates += [Candidate(pair, now, index) for pair, index in absent]

    async def _observe(self, candidates: Sequence[Candidate]) -> list[Observation]:
        observations = await observe_items(self._reader, self._mapping, candidates)
        return await self._checks.observe(observations, [candidate.index for candidate in candidates])


def _count(tally: Tally, result: RecheckResult, columns_by_kind: Table[Kind, tuple[str, ...]]) -> None:
    columns = columns_by_kind.get(result.finding.kind, ())
    if result.outcome is RecheckOutcome.NOT_YET:
        columns = columns[:1]
    count_item(tally, result.finding.pair.entity, *columns)


def with_kind(result: RecheckResult, kind: Kind) -> RecheckResult:
    """The same result, with a finding of another kind."""
    finding = result.finding
    return RecheckResult(result.candidate, Finding(kind, finding.pair, finding.fields), result.outcome)
