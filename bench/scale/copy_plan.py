"""The plan of a simulated backfill, and its result: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backfill.throttle import Reason
from bench.scale.costs import measured
from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from bench.scale.partitions import Splitting, able_to_be_hot, zipf
from service.config import Settings
from service.core.mapping.capacity import WRITE_UNIT_BYTES

DEFAULTS = Settings.model_construct()
READ_UNIT_BYTES = 4096
"""A consistent read takes one unit for each 4 KB
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """A backfill by ``tasks`` array jobs of one CPU each, each with a slice of the segments.

    ``bundle_windows``, ``by_request``, ``send_seconds`` and ``slack_seconds`` say how fine the simulation is.
    """

    items: int = 1_000_000_000
    item_bytes: int = 1024
    """Of an old item, and of its v2 item."""
    indexes: int = 2
    """Of the v2 table; each has all items."""
    shares: tuple[float, ...] = field(default_factory=lambda: zipf(100_000, 0.8))
    """Of the partition keys of the v2 tables, the largest first."""
    write_units_per_second: float = 120_000.0
    """For all tasks together, indexes included."""
    tasks: int = 8
    segments: int = 1024
    copy_seconds: float = field(default_factory=lambda: measured().copy_seconds)
    """CPU for one item."""
    request_seconds: float = 0.025
    """Until a batch of inserts, or a Scan page, is answered."""
    mean_life_seconds: float | None = 12 * 3600.0
    """Of a task, exponentially distributed; None: no task fails."""
    start_seconds: float = 60.0
    """Until the platform has started a task."""
    lease_seconds: float = DEFAULTS.lease_seconds
    """Until the slice of a failed task may be taken over."""
    splitting: Splitting | None = None
    seed: int = 1
    bundle_windows: int = 100
    """Windows that are simulated as one step."""
    by_request: bool = False
    """All requests of a window wait for the limits at the same time, as in the window copier, instead of one after the other."""
    send_seconds: float = 2.0
    """What a partition takes in this time is sent at once."""
    slack_seconds: float = 10.0
    """For how long a partition keeps unused units."""

    @property
    def write_units(self) -> int:
        """Of one item in one table or index."""
        return -(-self.item_bytes // WRITE_UNIT_BYTES)

    @property
    def places(self) -> int:
        """How many places an item is written to: the table and its indexes."""
        return 1 + self.indexes

    @property
    def fastest_items_per_second(self) -> float:
        """The speed that the CPU of all tasks and their capacity budget allow."""
        return min(self.tasks / self.copy_seconds, self.write_units_per_second / (self.write_units * self.places))

    @property
    def hot_shares(self) -> tuple[float, ...]:
        """The shares of the partition keys that can be throttled at all."""
        units = self.fastest_items_per_second * self.write_units
        return able_to_be_hot(self.shares, units, PARTITION_WRITE_UNITS_PER_SECOND)

    @property
    def floor_seconds(self) -> float:
        """The least duration by arithmetic: that of the hottest partition key, or of all items at the fastest speed."""
        hottest = self.items * self.write_units * max(self.shares) / PARTITION_WRITE_UNITS_PER_SECOND
        return max(self.items / self.fastest_items_per_second, 0.0 if self.splitting else hottest)


@dataclass(slots=True)
class CopyTally:
    """What has happened so far."""

    saved: int = 0
    """Items that are saved as copied, each counted once."""
    redone: int = 0
    """Items in flight when their task failed: the most that successors write again."""
    written_units: float = 0.0
    cpu_seconds: float = 0.0
    throttled: int = 0
    """How often a limit shrank."""
    failures: int = 0
    takeover_seconds: float = 0.0
    course: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])
    """(seconds, items saved) from time to time."""


@dataclass(frozen=True, slots=True)
class CopyResult:
    """The course of a simulated backfill."""

    plan: CopyPlan
    seconds: float
    tally: CopyTally
    waited: Mapping[Reason, float]
    """Seconds by reason, of all scans of all tasks together."""
    first_done_seconds: float
    """When the first task was done."""
    partitions: int
    """Of the key that was split most."""

    @property
    def items_per_second(self) -> float:
        """On average."""
        return self.plan.items / self.seconds

    @property
    def cpu_share(self) -> float:
        """The fraction of the tasks' CPU time that was used."""
        return self.tally.cpu_seconds / (self.seconds * self.plan.tasks)
