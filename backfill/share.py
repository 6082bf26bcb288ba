"""Which part of the operator's limits a worker may use: they are for all workers of a run together."""

from typing import Protocol

from backfill.records import BackfillRecords
from backfill.segments import NOTHING_SPENT, BackfillRun, Spent
from service.clock import Clock

LOOKS_BEFORE_MORE = 3
"""One before the first pulse, and then until the others have seen this worker and made room."""


class Share(Protocol):
    """now: the part of the limits, above 0 and at most 1. spent_elsewhere: by the other workers of the run, as they last said."""

    now: float
    spent_elsewhere: Spent

    async def look(self) -> None:
        """Find out what ``now`` is."""


class Whole:
    """The share of a worker that is alone."""

    now = 1.0
    spent_elsewhere = NOTHING_SPENT

    async def look(self) -> None:
        """It stays alone: its lease says so."""


class EqualShare:
    """One of as many equal shares as workers are alive, told by their pulses.

    It begins as the least that it can ever be, one of as many as the run has slices, and grows only when the others have had
    the time to see this worker. So all together exceed the limits by that least share at most for each that joins, for one pulse.
    A worker that was killed keeps its share until its last pulse is stale.
    """

    def __init__(self, records: BackfillRecords, run: BackfillRun, clock: Clock) -> None:
        self._records = records
        self._run = run
        self._clock = clock
        self._looks = 0
        self.now = 1 / run.slices
        self.spent_elsewhere = NOTHING_SPENT

    async def look(self) -> None:
        """Count who is alive, and what has been spent."""
        pulses = await self._records.pulses(self._run)
        others = [pulse for name, pulse in pulses.items() if name != self._records.pulse_name]
        self.spent_elsewhere = sum((pulse.spent for pulse in others), NOTHING_SPENT)
        self._looks += 1
        if self._looks > LOOKS_BEFORE_MORE:
            now = self._clock.now()
            self.now = 1 / min(1 + sum(pulse.alive(now) for pulse in others), self._run.slices)
