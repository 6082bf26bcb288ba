"""DynamoDB's side of a hot partition key: how many write units it takes, and when it is split for heat."""

from dataclasses import dataclass

from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from service.clock import Clock


@dataclass(frozen=True, slots=True)
class Splitting:
    """Split for heat, which DynamoDB does without saying when.

    after_seconds: of throttling, before the partitions of a key double. most: partitions of one key.
    """

    after_seconds: float
    most: int


class Partition:
    """What holds one partition key. ``slack_seconds``: for how long unused units are kept."""

    def __init__(self, clock: Clock, slack_seconds: float, splitting: Splitting | None = None) -> None:
        self._clock = clock
        self._slack_seconds = slack_seconds
        self._splitting = splitting
        self._units = PARTITION_WRITE_UNITS_PER_SECOND * slack_seconds
        self._filled_at = clock.monotonic()
        self._hot_since: float | None = None
        self.partitions = 1
        self.taken = 0.0

    @property
    def units_per_second(self) -> float:
        """What it takes for long."""
        return PARTITION_WRITE_UNITS_PER_SECOND * self.partitions

    def take(self, units: float) -> float:
        """Write ``units``; returns how many are refused."""
        self._fill()
        accepted = min(units, self._units)
        self._units -= accepted
        self.taken += accepted
        if accepted < units:
            self._note_heat()
        return units - accepted

    def _fill(self) -> None:
        now = self._clock.monotonic()
        most = self.units_per_second * self._slack_seconds
        self._units = min(most, self._units + (now - self._filled_at) * self.units_per_second)
        self._filled_at = now

    def _note_heat(self) -> None:
        now = self._clock.monotonic()
        self._hot_since = now if self._hot_since is None else self._hot_since
        plan = self._splitting
        if plan is not None and self.partitions < plan.most and now - self._hot_since >= plan.after_seconds:
            self.partitions = min(plan.most, 2 * self.partitions)
            self._hot_since = None
