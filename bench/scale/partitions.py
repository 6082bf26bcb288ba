"""Hot partition keys: how the load is spread over keys, how much DynamoDB takes at one, and when it splits one for heat."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from service.clock import Clock


@dataclass(frozen=True, slots=True)
class Splitting:
    """Splitting for heat. DynamoDB does it, but does not say when."""

    after_seconds: float
    """Of throttling, before the partitions of a key double."""
    most: int
    """Partitions of one key."""


class Partition:
    """The partition, or partitions, of one partition key."""

    def __init__(self, clock: Clock, slack_seconds: float, splitting: Splitting | None = None) -> None:
        """``slack_seconds``: for how long unused units are kept."""
        self._clock = clock
        self._slack_seconds = slack_seconds
        self._splitting = splitting
        self._units = PARTITION_WRITE_UNITS_PER_SECOND * slack_seconds
        self._filled_at = clock.monotonic()
        self._hot_since: float | None = None
        self.partitions = 1

    @property
    def units_per_second(self) -> float:
        """The sustained rate."""
        return PARTITION_WRITE_UNITS_PER_SECOND * self.partitions

    def take(self, units: float) -> float:
        """Write ``units``; returns how many of them are throttled."""
        self._fill()
        accepted = min(units, self._units)
        self._units -= accepted
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


def zipf(parts: int, exponent: float) -> tuple[float, ...]:
    """The shares of ``parts`` keys or shards by Zipf's law, the largest first; their sum is 1. exponent 0: all are equal."""
    weights = [rank**-exponent for rank in range(1, parts + 1)]
    whole = sum(weights)
    return tuple(weight / whole for weight in weights)


def able_to_be_hot(shares: Sequence[float], units_per_second: float, limit: float) -> tuple[float, ...]:
    """The shares of ``units_per_second`` that exceed ``limit``: no other key can ever be throttled."""
    return tuple(share for share in shares if share * units_per_second > limit)
