"""What a simulated sync is given, and what comes out of it: plain values."""

from dataclasses import dataclass, field
from math import inf

from bench.scale.costs import REQUEST_SECONDS, SETTLE_SECONDS_PER_SHARD, measured
from bench.scale.limits import PAGE_BYTES, PARTITION_WRITE_UNITS_PER_SECOND, RECORDS_A_PAGE, SHARD_LIFE_SECONDS
from bench.scale.skew import zipf
from service.config import Settings
from service.core.shards import FORGET_SECONDS
from service.streams.shard_reader import READ_INTERVAL_SECONDS

DEFAULTS = Settings.model_construct()
ROLLED_OVER = int(FORGET_SECONDS / SHARD_LIFE_SECONDS)
"""Finished shards that are remembered for each one that is read, once sync has run for two days."""


@dataclass(frozen=True, slots=True)
class Burst:
    """For ``seconds`` from ``begin`` on, ``factor`` times as many changes."""

    begin: float
    seconds: float
    factor: float


@dataclass(frozen=True, slots=True)
class Outage:
    """The first task (``all_tasks``: every one) applies nothing from ``begin`` on, for ``seconds``."""

    begin: float
    seconds: float
    all_tasks: bool = False


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """A sync by ``tasks`` processes of one CPU each, every one with its part of the shards (one process: the embedded engine).

    changes_per_second: on average, over all shards. shard_skew: Zipf's exponent of their shares. record_bytes: of a stream
    record, both images. remembered: finished shards for each that is read, which a look goes over. looks_per_second: of a
    process, whether a round is complete. step_seconds: of simulated time.
    """

    shards: int = 500
    shard_skew: float = 0.3
    changes_per_second: float = 5_000.0
    record_bytes: int = 3_000
    tasks: int = 4
    apply_seconds: float = field(default_factory=lambda: measured().apply_seconds)
    request_seconds: float = REQUEST_SECONDS
    look_seconds_per_shard: float = SETTLE_SECONDS_PER_SHARD
    looks_per_second: float = 2 / DEFAULTS.shard_discovery_seconds
    remembered: int = ROLLED_OVER
    burst: Burst | None = None
    outage: Outage | None = None
    hours: float = 8.0
    step_seconds: float = 5.0

    @property
    def weights(self) -> tuple[float, ...]:
        """Each shard's share of the changes."""
        return zipf(self.shards, self.shard_skew)

    @property
    def shard_changes_per_second(self) -> float:
        """What one reader gets out of one shard at most."""
        return min(RECORDS_A_PAGE, PAGE_BYTES // self.record_bytes) / READ_INTERVAL_SECONDS

    @property
    def requests_cpu(self) -> float:
        """Of a task's CPU, what reading its shards and saving their positions takes, whatever they hold."""
        each = 1 / READ_INTERVAL_SECONDS + 1 / DEFAULTS.checkpoint_every_seconds
        return self.shards / self.tasks * each * self.request_seconds

    @property
    def looks_cpu(self) -> float:
        """Of a task's CPU, for asking whether a round is complete: after a discovery, and when all have been read since."""
        known = self.shards / self.tasks * (1 + self.remembered)
        return self.looks_per_second * known * self.look_seconds_per_shard

    @property
    def task_changes_per_second(self) -> float:
        """What the rest of a task's CPU can apply."""
        return max(0.0, 1 - self.requests_cpu - self.looks_cpu) / self.apply_seconds

    @property
    def capacity(self) -> float:
        """Changes a second of all tasks together."""
        return self.task_changes_per_second * self.tasks

    @property
    def load(self) -> float:
        """Of the capacity, what the average changes need; over 1 lag grows for ever."""
        return self.changes_per_second / self.capacity if self.capacity else inf

    def hottest_shard(self, factor: float = 1.0) -> float:
        """Changes a second of the busiest shard, which a partition's own limit bounds."""
        return min(PARTITION_WRITE_UNITS_PER_SECOND, max(self.weights) * self.changes_per_second * factor)


@dataclass(frozen=True, slots=True)
class SyncResult:
    """How it went. course: (seconds, lag in seconds of the shard that is furthest behind). trimmed_seconds: when the lag passed
    the retention, and the lane stopped; None: never. left: changes not applied at the end. redone: applied twice."""

    plan: SyncPlan
    course: tuple[tuple[float, float], ...]
    trimmed_seconds: float | None
    arrived: float
    applied: float
    redone: float

    @property
    def worst_lag_seconds(self) -> float:
        """The greatest lag."""
        return max(lag for _, lag in self.course)

    def caught_up_seconds(self, after: float) -> float | None:
        """Seconds from ``after`` until the lag is below a gate's, for the rest of the time; None: not within it."""
        behind = [moment for moment, lag in self.course if moment >= after and lag >= DEFAULTS.gate_lag_seconds]
        if behind and behind[-1] >= self.course[-1][0]:
            return None
        return behind[-1] + self.plan.step_seconds - after if behind else 0.0
