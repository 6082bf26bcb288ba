"""What the backfill takes by a sample: items, sizes, capacity units, its least duration, and whether the stream outlives it.

Arithmetic, without I/O.

A stream keeps a change for 24 h. Sync reads it while the backfill runs, so a backfill may take longer than 24 h: what must not
happen is that a change lies unread for 24 h. The verdict on retention answers this for the worst case of a backfill that begins
right after `create-tables`: if sync does nothing until the backfill has ended (it was not started, or it stopped unnoticed, or v2
throttles it because the backfill uses up a partition key's limit), does sync still find every change in the stream?

- ``go``: yes, with the margin that an operator wants for noticing and catching up. So `migrate` may even run alone, and `sync`
  after it. It is no promise, since the duration of the backfill is a lower bound.
- ``no-go``: no, even if the backfill is as fast as it can be. It is safe only while sync runs beside it, and never stops for 24 h.
  A change that is trimmed unread is a gap, and a gap is repaired only after the backfill has finished (DESIGN section 7).

Tombstones do not matter here: they are kept until the backfill has finished, however long it takes. The verdict stops nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from service.core.shards import RETENTION_SECONDS
from service.dynamodb.gathered import STATEMENTS
from service.dynamodb.items import GET_MANY_KEYS
from service.migration.preflight.sample import MappedSample, SamplePlace

PARTITION_WRITE_UNITS_PER_SECOND = 1000
"""DynamoDB's limit for one partition of a table or index, and so for one partition key until DynamoDB splits it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

READ_UNIT_BYTES = 4096
"""One unit reads 4 KB consistently, as the backfill does. A Scan adds up the items of a page before it rounds up
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""

STORAGE_OVERHEAD_BYTES = 100
"""Stored, and paid for, in addition to each item and each index entry
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""

LEDGER_WRITE_UNITS = 2
"""Of the claim that carries a change in `dual`, and of the note that the other direction has passed it: a ledger entry is
smaller than 1 KB while both sides agree."""

LEDGER_READ_UNITS = 2
"""Each direction reads the item's ledger entry once for a change."""

REQUESTS_ALONE = 5
"""Of a change of the old table that comes alone in `dual`: forward reads the ledger and v2, claims and writes; reverse reads the
ledger when forward's record comes back."""

BoundName = Literal["hottest_partition_key", "max_write_units", "max_read_units"]
RetentionVerdict = Literal["go", "no-go", "unknown"]


@dataclass(frozen=True, slots=True)
class ForecastLimits:
    """Capacity units per second that the operator allows the backfill; None: no limit."""

    write_units: float | None = None
    read_units: float | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of items, by DynamoDB's measure."""

    mean: float
    p50: int
    """50 percent of the sampled items are not larger."""
    p95: int
    """95 percent of the sampled items are not larger."""
    largest: int


@dataclass(frozen=True, slots=True)
class Bound:
    """A reason why the backfill takes at least ``seconds``."""

    name: BoundName
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of the whole table, if the sample is typical of it."""

    items: int
    items_known: bool
    """``items`` is the count of a sample that is the whole table, or DynamoDB's own (up to six hours old). Otherwise it is the
    size of the sample, and there are more."""
    old_sizes: Sizes
    v2_sizes: Sizes
    base_write_units: float
    """Of inserting everything once, in the base tables."""
    index_write_units: float
    """Of inserting everything once, in the indexes."""
    read_units: float
    """Of one consistent Scan. Each page rounds up, by half a unit on average."""
    v2_bytes: float
    """Of base tables and indexes, as DynamoDB bills them."""
    hottest: SamplePlace
    """The partition key with the most write units."""
    hottest_share: float
    """Of the write units of its table or index."""
    bounds: tuple[Bound, ...]
    """Every known reason for a least duration."""

    @property
    def write_units(self) -> float:
        """Base tables and indexes together."""
        return self.base_write_units + self.index_write_units

    @property
    def binding(self) -> Bound:
        """The longest bound: the least duration of the backfill."""
        return max(self.bounds, key=lambda bound: bound.seconds)


@dataclass(frozen=True, slots=True)
class DualChange:
    """What it takes to carry one change of the old table in `dual`, if it is as large as the mean item and no index key changes."""

    write_units: float
    """On v2 and of the ledger."""
    read_units: float
    """Of v2 and of the ledger."""
    requests: float
    """When so many items change at once that reads and claims go in full batches."""
    requests_alone: float
    """When it comes alone."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The verdict on whether the old table's stream outlives the backfill. Times in seconds."""

    verdict: RetentionVerdict
    copy_seconds: float | None
    """The least duration of the backfill; None when it is not known."""
    margin_seconds: float | None
    """What is left of the stream's 24 h then; negative when the backfill takes longer; None when it is not known."""
    wanted_seconds: float
    """The least margin of a go."""


def forecast(mapped_sample: MappedSample, item_count: int, limits: ForecastLimits) -> Forecast:
    """Extrapolate ``mapped_sample``, of which at least one item was mapped.

    item_count: DescribeTable's, which may be out of date."""
    items = mapped_sample.items if mapped_sample.whole else max(item_count, mapped_sample.items)
    scale = items / mapped_sample.items
    base = scale * sum(units for (_, index, _), units in mapped_sample.write_units.items() if not index)
    indexes = scale * sum(units for (_, index, _), units in mapped_sample.write_units.items() if index)
    reads = ceil(scale * sum(mapped_sample.old_sizes) / READ_UNIT_BYTES)
    hottest, hottest_units = mapped_sample.write_units.most_common(1)[0]
    return Forecast(
        items=items,
        items_known=mapped_sample.whole or item_count >= mapped_sample.items,
        old_sizes=sizes_of(mapped_sample.old_sizes),
        v2_sizes=sizes_of(mapped_sample.v2_sizes),
        base_write_units=base,
        index_write_units=indexes,
        read_units=reads,
        v2_bytes=scale * _stored_bytes(mapped_sample),
        hottest=hottest,
        hottest_share=hottest_units / _units_of_table(mapped_sample, hottest),
        bounds=_bounds(scale * hottest_units, base + indexes, reads, limits),
    )


def dual_change(expected: Forecast) -> DualChange:
    """What carrying a change of the old table takes in `dual`: one write of the v2 item, and a claim in the ledger before it.

    A change of a v2 table takes one write of the old item, its claim, and a note in the ledger when it comes back.
    """
    return DualChange(
        write_units=expected.write_units / expected.items + LEDGER_WRITE_UNITS,
        read_units=ceil(expected.v2_sizes.mean / READ_UNIT_BYTES) + LEDGER_READ_UNITS,
        requests=1 + 1 / STATEMENTS + (REQUESTS_ALONE - 2) / GET_MANY_KEYS,
        requests_alone=REQUESTS_ALONE,
    )


def judge_retention(copy_seconds: float | None, wanted_seconds: float) -> Retention:
    """copy_seconds: the least duration of the backfill; None when it is not known. wanted_seconds: the least margin of a go."""
    if copy_seconds is None:
        return Retention("unknown", None, None, wanted_seconds)
    margin = RETENTION_SECONDS - copy_seconds
    return Retention("go" if margin >= wanted_seconds else "no-go", copy_seconds, margin, wanted_seconds)


def sizes_of(sizes: Sequence[int]) -> Sizes:
    """Of the sizes of at least one item, in bytes."""
    ordered = sorted(sizes)
    return Sizes(sum(ordered) / len(ordered), _percentile(ordered, 50), _percentile(ordered, 95), ordered[-1])


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The least value that ``percent`` percent of them do not exceed."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def _stored_bytes(mapped_sample: MappedSample) -> int:
    entries = mapped_sample.mapped + mapped_sample.index_entries
    return sum(mapped_sample.v2_sizes) + mapped_sample.index_bytes + entries * STORAGE_OVERHEAD_BYTES


def _units_of_table(mapped_sample: MappedSample, hottest: SamplePlace) -> int:
    """All write units of the table or index that ``hottest`` is in."""
    return sum(units for place, units in mapped_sample.write_units.items() if place[:2] == hottest[:2])


def _bounds(hottest: float, writes: float, reads: float, limits: ForecastLimits) -> tuple[Bound, ...]:
    bounds = [Bound("hottest_partition_key", hottest / PARTITION_WRITE_UNITS_PER_SECOND)]
    if limits.write_units:
        bounds.append(Bound("max_write_units", writes / limits.write_units))
    if limits.read_units:
        bounds.append(Bound("max_read_units", reads / limits.read_units))
    return tuple(bounds)
