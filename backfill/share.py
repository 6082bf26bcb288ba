"""Which share of the operator's limits a worker may use: the limits are for all workers of a run together."""

from typing import Protocol

from backfill.records import BackfillRecords
from backfill.segments import NOTHING_SPENT, BackfillRun, Spent
from service.clock import Clock

UPDATES_BEFORE_GROWTH = 3
"""One before this worker's first beat, and then enough for the others to see this worker and to reduce their shares."""


class Share(Protocol):
    """A worker's share of the limits."""

    fraction: float
    """Of the limits, above 0 and at most 1."""
    spent_elsewhere: Spent
    """By the other workers of the run, by their last beats."""

    async def update(self) -> None:
        """Read how many workers are running, and set both values by it."""


class WholeShare:
    """The share of the only worker of a run."""

    fraction = 1.0
    spent_elsewhere = NOTHING_SPENT

    async def update(self) -> None:
        """Nothing changes: the worker's lease keeps others out."""


class EqualShare:
    """One of as many equal shares as workers are running, by their beats.

    It begins as the smallest share possible, one of as many as the run has slices, and grows only after the other workers have had
    the time to see this one. So all workers together exceed the limits by at most that smallest share for each worker that joins,
    for the time of one beat. A killed worker keeps its share until its last beat is stale.
    """

    def __init__(self, records: BackfillRecords, run: BackfillRun, clock: Clock) -> None:
        self._records = records
        self._run = run
        self._clock = clock
        self._updates = 0
        self.fraction = 1 / run.slices
        self.spent_elsewhere = NOTHING_SPENT

    async def update(self) -> None:
        """Count the workers that are running, and sum up the units that they have spent."""
        beats = await self._records.beats(self._run)
        others = [beat for name, beat in beats.items() if name != self._records.beat_name]
        self.spent_elsewhere = sum((beat.spent for beat in others), NOTHING_SPENT)
        self._updates += 1
        if self._updates > UPDATES_BEFORE_GROWTH:
            now = self._clock.now()
            self.fraction = 1 / min(1 + sum(beat.live(now) for beat in others), self._run.slices)
