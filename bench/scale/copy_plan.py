"""What a simulated backfill is given, and what comes out of it: plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backfill.throttle import Reason
from bench.scale.costs import measured
from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from bench.scale.partitions import Splitting
from bench.scale.skew import able_to_be_hot, zipf
from service.config import Settings
from service.core.mapping.capacity import WRITE_UNIT_BYTES

DEFAULTS = Settings.model_construct()
READ_UNIT_BYTES = 4096
"""A consistent read takes one unit for each 4 KB
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html)."""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """A backfill by ``tasks`` array jobs of one CPU each, every one with a slice of the segments.

    item_bytes: of an old item and of its v2 item. indexes: of the v2 table, all of it in each. shares: of the partition keys
    of the v2 tables, the largest first. write_units_per_second: what all tasks may use together, indexes included.
    copy_seconds: CPU an item. request_seconds: until a batch of inserts, or a Scan page, is answered.
    mean_life_seconds: of a task (exponential); None: none fails. start_seconds: until a task is running, by the platform.
    lease_seconds: until a dead task's slice may be taken over.

    How fine the simulation is: bundle_windows, windows that are one step of it; send_seconds, what a partition takes in so long is
    sent at once; slack_seconds, for how long a partition keeps unused units; by_request, all requests of a window wait for the
    limits at the same time, as the copier has it, instead of one after the other.
    """

    items: int = 1_000_000_000
    item_bytes: int = 1024
    indexes: int = 2
    shares: tuple[float, ...] = field(default_factory=lambda: zipf(100_000, 0.8))
    write_units_per_second: float = 120_000.0
    tasks: int = 8
    segments: int = 1024
    copy_seconds: float = field(default_factory=lambda: measured().copy_seconds)
    request_seconds: float = 0.025
    mean_life_seconds: float | None = 12 * 3600.0
    start_seconds: float = 60.0
    lease_seconds: float = DEFAULTS.lease_seconds
    splitting: Splitting | None = None
    seed: int = 1
    bundle_windows: int = 100
    by_request: bool = False
    send_seconds: float = 2.0
    slack_seconds: float = 10.0

    @property
    def write_units(self) -> int:
        """Of one item in one place."""
        return -(-self.item_bytes // WRITE_UNIT_BYTES)

    @property
    def places(self) -> int:
        """Where an item is written: the table and its indexes."""
        return 1 + self.indexes

    @property
    def fastest_items_per_second(self) -> float:
        """What neither the CPU of all tasks nor their budget lets be exceeded."""
        return min(self.tasks / self.copy_seconds, self.write_units_per_second / (self.write_units * self.places))

    @property
    def hot_shares(self) -> tuple[float, ...]:
        """Of the partition keys that can be throttled at all."""
        units = self.fastest_items_per_second * self.write_units
        return able_to_be_hot(self.shares, units, PARTITION_WRITE_UNITS_PER_SECOND)

    @property
    def floor_seconds(self) -> float:
        """By arithmetic, it takes at least so long: the hottest partition key, or what all of it costs."""
        hottest = self.items * self.write_units * max(self.shares) / PARTITION_WRITE_UNITS_PER_SECOND
        return max(self.items / self.fastest_items_per_second, 0.0 if self.splitting else hottest)


@dataclass(slots=True)
class CopyTally:
    """What has happened so far. saved: items whose segment says so, each once. redone: items in flight when their task failed, so
    that its successor writes them again, at most. windows: saved, each by one record. throttled: how often a limit
    shrank. course: (seconds, items saved) now and then.
    """

    saved: int = 0
    redone: int = 0
    written_units: float = 0.0
    cpu_seconds: float = 0.0
    windows: float = 0.0
    throttled: int = 0
    failures: int = 0
    takeover_seconds: float = 0.0
    course: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])


@dataclass(frozen=True, slots=True)
class CopyResult:
    """How it went. waited: seconds by reason, all lanes of all tasks together. partitions: of the key that was split most."""

    plan: CopyPlan
    seconds: float
    tally: CopyTally
    waited: Mapping[Reason, float]
    first_done_seconds: float
    partitions: int

    @property
    def items_per_second(self) -> float:
        """On average."""
        return self.plan.items / self.seconds

    @property
    def cpu_share(self) -> float:
        """Of the tasks' CPUs, how much was busy."""
        return self.tally.cpu_seconds / (self.seconds * self.plan.tasks)

    @property
    def saves_per_second(self) -> float:
        """Records of segments written to the control table, on average."""
        return self.tally.windows / self.seconds
