"""What the bulk copy takes: items, sizes, capacity units, and how long it takes at least. Arithmetic over a sample, without I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

from service.migration.preflight.sample import SamplePlace, Trial

PARTITION_WRITE_UNITS_PER_SECOND = 1000
"""DynamoDB's limit for one partition of a table or index, so for one partition key until DynamoDB splits it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html)."""

READ_UNIT_BYTES = 4096
"""A unit reads 4 KB consistently, as the backfill does; a Scan adds up the items of a page before it rounds
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""

STORAGE_OVERHEAD_BYTES = 100
"""What is stored, and paid, for each item and each index entry on top
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html)."""

BoundName = Literal["hottest_partition_key", "max_write_units", "max_read_units"]


@dataclass(frozen=True, slots=True)
class ForecastLimits:
    """Capacity units per second that the operator allows the backfill at most; None: any."""

    write_units: float | None = None
    read_units: float | None = None


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of items, by DynamoDB's measure. p50, p95: so many percent of the sampled items are not larger."""

    mean: float
    p50: int
    p95: int
    largest: int


@dataclass(frozen=True, slots=True)
class Bound:
    """Why the copy takes at least ``seconds``."""

    name: BoundName
    seconds: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Of the whole table, as far as the sample stands for it.

    items_known: the count is that of the sample, which is everything, or DynamoDB's own (up to six hours old); otherwise the
    sample's size, which is too few. base_write_units, index_write_units: of inserting everything once. read_units: of one
    consistent Scan; each page rounds up, by half a unit as a rule. v2_bytes: base tables and indexes, as they are paid.
    hottest: where most units fall, ``hottest_share`` of all of its table or index. bounds: every reason known.
    """

    items: int
    items_known: bool
    old_sizes: Sizes
    v2_sizes: Sizes
    base_write_units: float
    index_write_units: float
    read_units: float
    v2_bytes: float
    hottest: SamplePlace
    hottest_share: float
    bounds: tuple[Bound, ...]

    @property
    def write_units(self) -> float:
        """Base tables and indexes together."""
        return self.base_write_units + self.index_write_units

    @property
    def binding(self) -> Bound:
        """The bound that takes longest, so how long the copy takes at least."""
        return max(self.bounds, key=lambda bound: bound.seconds)


def forecast(trial: Trial, item_count: int, limits: ForecastLimits) -> Forecast:
    """Extrapolate ``trial`` (at least one item mapped). item_count: DescribeTable's, which may be behind."""
    items = trial.items if trial.whole else max(item_count, trial.items)
    scale = items / trial.items
    base = scale * sum(units for (_, index, _), units in trial.write_units.items() if not index)
    indexes = scale * sum(units for (_, index, _), units in trial.write_units.items() if index)
    reads = ceil(scale * sum(trial.old_sizes) / READ_UNIT_BYTES)
    hottest, hottest_units = trial.write_units.most_common(1)[0]
    return Forecast(
        items=items,
        items_known=trial.whole or item_count >= trial.items,
        old_sizes=sizes_of(trial.old_sizes),
        v2_sizes=sizes_of(trial.v2_sizes),
        base_write_units=base,
        index_write_units=indexes,
        read_units=reads,
        v2_bytes=scale * _stored_bytes(trial),
        hottest=hottest,
        hottest_share=hottest_units / _units_beside(trial, hottest),
        bounds=_bounds(scale * hottest_units, base + indexes, reads, limits),
    )


def sizes_of(found: Sequence[int]) -> Sizes:
    """Of at least one item."""
    ordered = sorted(found)
    return Sizes(sum(ordered) / len(ordered), _percentile(ordered, 50), _percentile(ordered, 95), ordered[-1])


def _percentile(ordered: Sequence[int], percent: int) -> int:
    """The least of them that ``percent`` percent do not exceed."""
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)]


def _stored_bytes(trial: Trial) -> int:
    entries = trial.mapped + trial.index_entries
    return sum(trial.v2_sizes) + trial.index_bytes + entries * STORAGE_OVERHEAD_BYTES


def _units_beside(trial: Trial, hottest: SamplePlace) -> int:
    """Of the table or index that ``hottest`` is in."""
    return sum(units for place, units in trial.write_units.items() if place[:2] == hottest[:2])


def _bounds(hottest: float, writes: float, reads: float, limits: ForecastLimits) -> tuple[Bound, ...]:
    bounds = [Bound("hottest_partition_key", hottest / PARTITION_WRITE_UNITS_PER_SECOND)]
    if limits.write_units:
        bounds.append(Bound("max_write_units", writes / limits.write_units))
    if limits.read_units:
        bounds.append(Bound("max_read_units", reads / limits.read_units))
    return tuple(bounds)
