"""The two walks: what a page of old items, or of v2 items, shows, and how a settled candidate is counted."""

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
    entity_of_key,
    is_bare,
    judge,
    misplaced,
    pair_of,
)
from service.validation.indexes import IndexChecks
from service.validation.reader import Reader, at_old, at_v2
from service.validation.recheck import Candidate, Question, RecheckOutcome, Resolved, Sight, look_at_items
from service.validation.tally import Tally, count_item

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
class Examined:
    """What a page showed: what is counted at once, and the candidates that must be looked at again."""

    tally: Tally = field(default_factory=Tally)
    candidates: list[Candidate] = field(default_factory=list)


class ComparisonWalk(Protocol):
    """One side's walk. ``name`` tells its progress from the other walks'."""

    name: str
    table: str
    question: Question

    def entity_of(self, item: Item) -> str | None:
        """The entity that an item of the table belongs to; None when the walk is not asked for it."""

    async def examine(self, items: Sequence[Item]) -> Examined:
        """Compare a page of the table with the other side."""

    def count(self, tally: Tally, resolved: Resolved) -> None:
        """Count a candidate that is settled."""


class OldWalk:
    """Every old item must have its transform in v2: finds what is missing, differs, or cannot be mapped."""

    def __init__(self, reader: Reader, mapping: Mapping, clock: Clock, entity: str | None) -> None:
        self.name = "old"
        self.table = mapping.old.table
        self._reader = reader
        self._mapping = mapping
        self._clock = clock
        self._entity = entity
        watched = frozenset({Kind.MISSING, Kind.MISMATCH, Kind.QUARANTINED})
        self.question = Question(self._look, watched, follows=True)

    def entity_of(self, item: Item) -> str | None:
        """The entity that the old item names."""
        named: str | None = item.get(self._mapping.old.entity, {}).get("S")
        return named if self._entity in (None, named) else None

    async def examine(self, items: Sequence[Item]) -> Examined:
        """Compare a page of old items with the v2 items that should be theirs."""
        asked = [self._reader.source(item) for item in items if self._entity in (None, self.entity_of(item))]
        sources = [one for one in asked if one is not None]
        found = await self._reader.v2_items(one.pair for one in sources)
        examined = Examined()
        for one in sources:
            finding = judge(self._mapping, one.pair, at_v2(found, one.pair), one)
            if finding.kind is Kind.EQUAL:
                count_item(examined.tally, one.pair.entity, *OLD_COLUMNS[Kind.EQUAL])
            else:
                examined.candidates.append(Candidate(one.pair, self._clock.now()))
        return examined

    def count(self, tally: Tally, resolved: Resolved) -> None:
        """An item that was deleted meanwhile counts nowhere; what is left of it in v2 is the other walk's
        subject."""
        _count(tally, resolved, OLD_COLUMNS)

    async def _look(self, candidates: Sequence[Candidate]) -> list[Sight]:
        return await look_at_items(self._reader, self._mapping, candidates)


class V2Walk:
    """Every v2 item must have an old item that belongs there: finds what is extra, counts tombstones, checks
    indexes."""

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
        self.name = f"v2:{table}"
        self.table = table
        self._reader = reader
        self._mapping = mapping
        self._clock = clock
        self._entity = entity
        self._checks = checks
        watched = frozenset({Kind.EXTRA, Kind.MISSING, Kind.MISMATCH, Kind.UNINDEXED})
        self.question = Question(self._look, watched, follows=False)

    def entity_of(self, item: Item) -> str | None:
        """The entity of a live item, as the inverse tells it."""
        if is_bare(self._mapping, self.table, item):
            return None
        entity = pair_of(self._mapping, self.table, item).entity
        return entity if self._entity in (None, entity) else None

    async def examine(self, items: Sequence[Item]) -> Examined:
        """Look for the old items of a page of v2 items, and for the v2 items in their indexes."""
        examined = Examined()
        live = [(pair_of(self._mapping, self.table, item), item) for item in self._live(items, examined.tally)]
        asked = [(place, item) for place, item in live if self._entity in (None, place.entity)]
        old = await self._reader.old_items(place.old_key for place, _ in asked if place.old_key is not None)
        at_home: list[Source] = []
        for place, item in asked:
            self._examine_one(examined, place, item, at_old(old, place), at_home)
        await self._check_indexes(examined, at_home)
        return examined

    def count(self, tally: Tally, resolved: Resolved) -> None:
        """What turned out to be an index entry only late is counted as such; anything else as an item."""
        if resolved.candidate.index is None:
            _count(tally, resolved, V2_COLUMNS)
        else:
            self._checks.count(tally, resolved)

    def _live(self, items: Sequence[Item], tally: Tally) -> list[Item]:
        """The items that are no bare tombstones; those are counted."""
        live = []
        for item in items:
            if is_bare(self._mapping, self.table, item):
                entity = entity_of_key(self._mapping, self.table, item)
                if self._entity in (None, entity):
                    count_item(tally, entity, "tombstones")
            else:
                live.append(item)
        return live

    def _examine_one(
        self, examined: Examined, place: Pair, item: Item, old: Source | None, at_home: list[Source]
    ) -> None:
        stray = misplaced(self._mapping, place, item, old)
        if stray is not None and stray.kind is Kind.EXTRA:
            examined.candidates.append(Candidate(place, self._clock.now()))
            return
        count_item(examined.tally, place.entity, "v2")
        if stray is None and old is not None:
            at_home.append(as_written(old, item))

    async def _check_indexes(self, examined: Examined, at_home: Sequence[Source]) -> None:
        absent = await self._checks.examine(at_home, examined.tally)
        now = self._clock.now()
        examined.candidates += [Candidate(place, now, index) for place, index in absent]

    async def _look(self, candidates: Sequence[Candidate]) -> list[Sight]:
        sights = await look_at_items(self._reader, self._mapping, candidates)
        return await self._checks.look(sights, [candidate.index for candidate in candidates])


def _count(tally: Tally, resolved: Resolved, table: Table[Kind, tuple[str, ...]]) -> None:
    columns = table.get(resolved.finding.kind, ())
    if resolved.outcome is RecheckOutcome.NOT_YET:
        columns = columns[:1]
    count_item(tally, resolved.finding.pair.entity, *columns)


def as_seen(resolved: Resolved, kind: Kind) -> Resolved:
    """The same candidate, its finding of another kind."""
    finding = resolved.finding
    return Resolved(resolved.candidate, Finding(kind, finding.pair, finding.fields), resolved.outcome)
