"""How fast the backfill may go: the operator's limits, and a limit for each (table, partition key) that adapts to throttling.

Every wait has a reason, which progress and metrics show. A partition takes 1,000 write units a second until DynamoDB splits it, and
throttles what exceeds that
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html). DynamoDB does not report the limit
in force, so the rate is adapted: it shrinks by a factor when throttled, and grows back by a constant. Requests that reserved their
turn before it shrank still come at the pace from before: that they are throttled does not shrink it again. Where DynamoDB says that
the limit of a table or of the account was met, slower keys would not help: then the request waits (``table_throttled``).
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Literal

from service.clock import Clock

Reason = Literal["partition_throttled", "table_throttled", "operator_read_limit", "operator_write_limit", "target_slow"]
PartitionKey = tuple[str, str]
"""Table, and the partition key's value as text."""

SHRINK = 0.7
GROWTH_PER_SECOND = 0.05
"""A shrunk limit has grown back after about seven seconds, and goes on growing."""
LEAST_UNITS_PER_SECOND = 1.0
"""Also the least growth of a limit per second: after an outage it is back at 1,000 within 80 s."""
TRACKED_KEYS = 1_024
"""How many partition keys have a limit of their own; few keys are hot at a time."""


class Pace:
    """A steady rate. Each reservation gets the next free time; unused time is not saved up."""

    def __init__(self, clock: Clock, units_per_second: float) -> None:
        self._clock = clock
        self._free_at = clock.monotonic()
        self.units_per_second = units_per_second

    def reserve(self, units: float) -> float:
        """Reserve ``units``; returns the seconds to wait before using them."""
        now = self._clock.monotonic()
        start = max(now, self._free_at)
        self._free_at = start + units / self.units_per_second
        return start - now

    def give_back(self, units: float) -> None:
        """Correct a reservation: ``units`` were not used (negative: so many more were used)."""
        self._free_at -= units / self.units_per_second


class AdaptiveLimit:
    """The rate of one partition key: not limited until it is first throttled, then shrinking and growing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._window_start = clock.monotonic()
        self._window_units = 0.0
        self._measured = 0.0
        self._pace: Pace | None = None
        self._shrunk_at = float("-inf")
        self._grown_at = 0.0

    @property
    def units_per_second(self) -> float | None:
        """The rate allowed now; None: never throttled, so not limited."""
        self._grow()
        return None if self._pace is None else self._pace.units_per_second

    def reserve(self, units: float) -> float:
        """Reserve ``units``; returns the seconds to wait before using them, which ``used`` is then told."""
        self._grow()
        return 0.0 if self._pace is None else self._pace.reserve(units)

    def throttled(self, reserved_at: float) -> bool:
        """Units that were reserved at ``reserved_at`` (monotonic seconds) were throttled: shrink below the rate that was sent
        lately. False: not shrunk, since the limit has shrunk after they were reserved; they came at the pace from before."""
        now = self._clock.monotonic()
        if reserved_at <= self._shrunk_at:
            return False
        self._grow()
        sent = max(self._measured, self._window_units / max(now - self._window_start, 1.0))
        if self._pace is None:
            self._pace = Pace(self._clock, sent)
        throttled_rate = min(sent, self._pace.units_per_second)
        self._pace.units_per_second = max(LEAST_UNITS_PER_SECOND, throttled_rate * SHRINK)
        self._shrunk_at = self._grown_at = now
        return True

    def used(self, units: float) -> None:
        """Reserved units are used now. What waits counts for the rate only once it is sent."""
        now = self._clock.monotonic()
        elapsed = now - self._window_start
        if elapsed >= 1.0:
            self._measured = self._window_units / elapsed
            self._window_start, self._window_units = now, 0.0
        self._window_units += units

    def _grow(self) -> None:
        if self._pace is not None:
            now = self._clock.monotonic()
            rate = self._pace.units_per_second
            self._pace.units_per_second += (now - self._grown_at) * (LEAST_UNITS_PER_SECOND + GROWTH_PER_SECOND * rate)
            self._grown_at = now


class ThrottleWaits:
    """The waits of a backfill, by reason: their total time, and which are going on now."""

    def __init__(self, clock: Clock, on_wait: Callable[[Reason, float], None]) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self._under_way: Counter[Reason] = Counter()
        self.seconds: dict[Reason, float] = defaultdict(float)

    @property
    def now(self) -> tuple[Reason, ...]:
        """The reasons of the waits that are going on."""
        return tuple(sorted(+self._under_way))

    @asynccontextmanager
    async def because(self, reason: Reason) -> AsyncIterator[None]:
        """Count the block as a wait for ``reason``."""
        began = self._clock.monotonic()
        self._under_way[reason] += 1
        try:
            yield
        finally:
            self._under_way[reason] -= 1
            waited = self._clock.monotonic() - began
            self.seconds[reason] += waited
            self._on_wait(reason, waited)

    async def sleep(self, reason: Reason, seconds: float) -> None:
        """Wait ``seconds`` for ``reason``; 0 or less is no wait."""
        if seconds > 0:
            async with self.because(reason):
                await self._clock.sleep(seconds)


class OperatorLimit:
    """Capacity units per second that the operator allows (None: no limit), of which this worker has a share."""

    def __init__(self, clock: Clock, units_per_second: float | None) -> None:
        self._whole = units_per_second
        self._pace = Pace(clock, units_per_second) if units_per_second else None

    def take_share(self, share: float) -> None:
        """From now on use the fraction ``share`` (at most 1) of the limit."""
        if self._pace is not None and self._whole is not None:
            self._pace.units_per_second = self._whole * share

    def reserve(self, units: float) -> float:
        """Reserve ``units``; returns the seconds to wait before using them."""
        return 0.0 if self._pace is None else self._pace.reserve(units)

    def give_back(self, units: float) -> None:
        """Correct a reservation: ``units`` were not used (negative: so many more were used)."""
        if self._pace is not None:
            self._pace.give_back(units)


class ReadLimit:
    """The operator's limit on read units. A page's cost is known only afterwards, so the cost of the page before is reserved."""

    MOST_UNITS = 256.0
    """Reserved for the first page: a Scan page reads 1 MB at most, and a unit reads 4 KB consistently."""

    def __init__(self, clock: Clock, waits: ThrottleWaits, units_per_second: float | None) -> None:
        self._waits = waits
        self._operator = OperatorLimit(clock, units_per_second)
        self.take_share = self._operator.take_share
        self._expected = self.MOST_UNITS

    async def admit(self) -> float:
        """Wait until a page may be read; returns the units reserved for it, to be passed to ``settle``."""
        reserved = self._expected
        await self._waits.sleep("operator_read_limit", self._operator.reserve(reserved))
        return reserved

    def settle(self, reserved: float, consumed: float) -> None:
        """Correct the reservation of a page: it was admitted with ``reserved`` units and has consumed ``consumed``."""
        self._expected = max(consumed, 0.5)
        self._operator.give_back(reserved - consumed)


class WriteLimits:
    """The operator's limit on write units, and the adaptive limit of each (table, partition key)."""

    def __init__(self, clock: Clock, waits: ThrottleWaits, units_per_second: float | None) -> None:
        self._clock = clock
        self._waits = waits
        self._operator = OperatorLimit(clock, units_per_second)
        self.take_share = self._operator.take_share
        self._limits: OrderedDict[PartitionKey, AdaptiveLimit] = OrderedDict()

    async def admit(self, units: Mapping[PartitionKey, float], with_indexes: float) -> float:
        """Wait until writes may be sent that use ``units`` at their partition keys, and ``with_indexes`` units in total.

        Returns when the units were reserved at their partition keys (monotonic seconds), to be passed to ``throttled``.
        """
        await self._waits.sleep("operator_write_limit", self._operator.reserve(with_indexes))
        reserved_at = self._clock.monotonic()
        seconds = max(self._limit(key).reserve(count) for key, count in units.items())
        await self._waits.sleep("partition_throttled", seconds)
        for key, count in units.items():
            self._limit(key).used(count)
        return reserved_at

    def throttled(self, keys: Iterable[PartitionKey], reserved_at: float) -> int:
        """Shrink the limits of ``keys``, at which writes were throttled whose units were reserved at ``reserved_at``; returns how
        many limits shrank."""
        return sum(self._limit(key).throttled(reserved_at) for key in set(keys))

    def units_per_second(self, key: PartitionKey) -> float | None:
        """The rate allowed at ``key`` now; None: not limited."""
        return self._limit(key).units_per_second

    def _limit(self, key: PartitionKey) -> AdaptiveLimit:
        limit = self._limits.get(key)
        if limit is None:
            limit = self._limits[key] = AdaptiveLimit(self._clock)
            if len(self._limits) > TRACKED_KEYS:
                self._limits.popitem(last=False)
        self._limits.move_to_end(key)
        return limit
