"""The plan of a simulated sync, and its result: plain values."""

from dataclasses import dataclass, field
from math import inf

from bench.scale.costs import REQUEST_SECONDS, SETTLE_SECONDS_PER_SHARD, measured
from bench.scale.limits import PAGE_BYTES, PARTITION_WRITE_UNITS_PER_SECOND, RECORDS_A_PAGE, SHARD_LIFE_SECONDS
from bench.scale.partitions import zipf
from service.config import Settings
from service.core.shards import FORGET_SECONDS

DEFAULTS = Settings.model_construct()
ROLLED_OVER = int(FORGET_SECONDS / SHARD_LIFE_SECONDS)
"""Finished shards that are remembered for each shard that is read, once sync has run for two days."""


@dataclass(frozen=True, slots=True)
class Burst:
    """From ``begin`` on, for ``seconds``, there are ``factor`` times as many changes."""

    begin: float
    seconds: float
    factor: float


@dataclass(frozen=True, slots=True)
class Outage:
    """From ``begin`` on, for ``seconds``, the first task (``all_tasks``: every task) applies nothing."""

    begin: float
    seconds: float
    all_tasks: bool = False


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """A sync by ``tasks`` processes of one CPU each, each with its part of the shards (one process: the embedded engine)."""

    shards: int = 500
    shard_skew: float = 0.3
    """Zipf's exponent of the shards' shares of the changes."""
    changes_per_second: float = 5_000.0
    """On average, of all shards together."""
    record_bytes: int = 3_000
    """Of a stream record with both images."""
    tasks: int = 4
    apply_seconds: float = field(default_factory=lambda: measured().apply_seconds)
    request_seconds: float = REQUEST_SECONDS
    look_seconds_per_shard: float = SETTLE_SECONDS_PER_SHARD
    """CPU of one look, the check whether a round is complete, for each shard."""
    looks_per_second: float = 2 / DEFAULTS.shard_discovery_seconds
    """Of one process."""
    remembered: int = ROLLED_OVER
    """Finished shards for each shard that is read; a look goes over them, too."""
    burst: Burst | None = None
    outage: Outage | None = None
    hours: float = 8.0
    step_seconds: float = 5.0
    """Of simulated time."""

    @property
    def weights(self) -> tuple[float, ...]:
        """Each shard's share of the changes."""
        return zipf(self.shards, self.shard_skew)

    @property
    def shard_changes_per_second(self) -> float:
        """The most that one reader reads from one shard."""
        return min(RECORDS_A_PAGE, PAGE_BYTES // self.record_bytes) / DEFAULTS.shard_read_seconds

    @property
    def requests_cpu(self) -> float:
        """The share of a task's CPU for reading its shards and saving their positions, even when they are empty."""
        each = 1 / DEFAULTS.shard_read_seconds + 1 / DEFAULTS.checkpoint_every_seconds
        return self.shards / self.tasks * each * self.request_seconds

    @property
    def looks_cpu(self) -> float:
        """The share of a task's CPU for looks: one after each discovery, and one when all shards have been read since then."""
        known = self.shards / self.tasks * (1 + self.remembered)
        return self.looks_per_second * known * self.look_seconds_per_shard

    @property
    def task_changes_per_second(self) -> float:
        """How many changes the rest of a task's CPU can apply."""
        return max(0.0, 1 - self.requests_cpu - self.looks_cpu) / self.apply_seconds

    @property
    def capacity(self) -> float:
        """Changes per second that all tasks together can apply."""
        return self.task_changes_per_second * self.tasks

    @property
    def load(self) -> float:
        """The share of the capacity that the average changes need; above 1 the lag grows without end."""
        return self.changes_per_second / self.capacity if self.capacity else inf

    def hottest_shard(self, factor: float = 1.0) -> float:
        """Changes per second of the busiest shard; the limit of a partition bounds them."""
        return min(PARTITION_WRITE_UNITS_PER_SECOND, max(self.weights) * self.changes_per_second * factor)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """The course of a simulated sync."""

    plan: SyncPlan
    course: tuple[tuple[float, float], ...]
    """(seconds, lag in seconds of the shard that is furthest behind)."""
    trimmed_seconds: float | None
    """When the lag exceeded the retention, so that the lane stopped; None: never."""
    arrived: float
    """Changes."""
    applied: float
    """Changes, each counted once."""
    redone: float
    """Changes that were applied twice."""

    @property
    def worst_lag_seconds(self) -> float:
        """The greatest lag."""
        return max(lag for _, lag in self.course)

    def caught_up_seconds(self, after: float) -> float | None:
        """Seconds from ``after`` until the lag is, and stays, below the gate's limit; None: not within the plan's hours."""
        behind = [moment for moment, lag in self.course if moment >= after and lag >= DEFAULTS.gate_lag_seconds]
        if behind and behind[-1] >= self.course[-1][0]:
            return None
        return behind[-1] + self.plan.step_seconds - after if behind else 0.0
