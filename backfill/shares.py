"""Which part of the operator's limits a worker may use: they are for all workers of a run together."""

from typing import Protocol

from backfill.records import BackfillRecords
from backfill.segments import Run
from service.clock import Clock

LOOKS_BEFORE_MORE = 2
"""Pulses after which the others have seen this worker, and made room."""


class Share(Protocol):
    """now: the part of the limits, above 0 and at most 1."""

    now: float

    async def look(self) -> None:
        """Find out what ``now`` is."""


class Whole:
    """The share of a worker that is alone."""

    now = 1.0

    async def look(self) -> None:
        """It stays alone: its lease says so."""


class EqualShare:
    """One of as many equal shares as workers are alive, told by their pulses.

    It begins as the least that it can ever be, one of as many as the run has slices, and grows only when the others have had
    the time to see this worker. So all together exceed the limits by that least share at most for each that joins, for one pulse.
    A worker that was killed keeps its share until its last pulse is stale.
    """

    def __init__(self, records: BackfillRecords, run: Run, clock: Clock) -> None:
        self._records = records
        self._run = run
        self._clock = clock
        self._looks = 0
        self.now = 1 / run.slices

    async def look(self) -> None:
        """Count who is alive."""
        self._looks += 1
        if self._looks > LOOKS_BEFORE_MORE:
            alive = await self._records.alive(self._run, self._clock.now())
            self.now = 1 / max(1, min(len(alive), self._run.slices))
