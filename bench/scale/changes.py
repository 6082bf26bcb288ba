"""Simulates the sync in steps of some seconds: each shard is a queue, each task one CPU that serves its shards fairly.

A shard that rolls over continues as its child, so a queue is a lineage. Lag is the age of the oldest change not applied.
"""

from collections.abc import Sequence

from bench.scale.simulated_time import SimulatedClock, Until
from bench.scale.sync_plan import DEFAULTS, Burst, SyncPlan, SyncResult
from service.core.shards import RETENTION_SECONDS


class Arrivals:
    """Converts between a moment and the changes that have arrived by then, counted in seconds of the average load."""

    def __init__(self, burst: Burst | None) -> None:
        self._burst = burst or Burst(0.0, 0.0, 1.0)
        self._extra = self._burst.seconds * (self._burst.factor - 1)

    def by(self, moment: float) -> float:
        """How much has arrived by ``moment``."""
        burst = self._burst
        within = min(max(moment - burst.begin, 0.0), burst.seconds)
        return moment + within * (burst.factor - 1)

    def moment(self, arrived: float) -> float:
        """The moment by which ``arrived`` has arrived."""
        burst = self._burst
        if arrived <= burst.begin:
            return arrived
        if arrived >= burst.begin + burst.seconds + self._extra:
            return arrived - self._extra
        return burst.begin + (arrived - burst.begin) / burst.factor


def simulate_sync(plan: SyncPlan) -> SyncResult:
    """Follow the stream for the plan's hours. The same plan gives the same result."""
    clock, arrivals = SimulatedClock(), Arrivals(plan.burst)
    tasks = [SyncTask(plan, number, clock, arrivals) for number in range(plan.tasks)]
    clock.run(clock.start(_all(tasks, clock)))
    course = tuple(
        (lags[0][0], max(lag for _, lag in lags)) for lags in zip(*(task.course for task in tasks), strict=False)
    )
    trimmed = min((task.trimmed for task in tasks if task.trimmed is not None), default=None)
    arrived = plan.changes_per_second * arrivals.by(clock.now())
    applied, redone = sum(sum(task.applied) for task in tasks), sum(task.redone for task in tasks)
    return SyncResult(plan, course, trimmed, arrived, applied, redone)


async def _all(tasks: "Sequence[SyncTask]", clock: SimulatedClock) -> None:
    await Until(clock.environment.all_of([clock.start(task.follow()) for task in tasks]))


class SyncTask:
    """One process and its shards."""

    def __init__(self, plan: SyncPlan, number: int, clock: SimulatedClock, arrivals: Arrivals) -> None:
        self._plan = plan
        self._number = number
        self._clock = clock
        self._arrivals = arrivals
        self._rates = [weight * plan.changes_per_second for weight in plan.weights[number :: plan.tasks]]
        self._was_down = False
        self.applied = [0.0] * len(self._rates)
        self.redone = 0.0
        self.trimmed: float | None = None
        self.course: list[tuple[float, float]] = []

    async def follow(self) -> None:
        """Follow step by step, until the time is over or changes are trimmed."""
        plan = self._plan
        for _ in range(round(plan.hours * 3600 / plan.step_seconds)):
            await self._clock.sleep(plan.step_seconds)
            self._step()
            if self.trimmed is not None:
                return

    def _step(self) -> None:
        now = self._clock.now()
        if self._is_down(now):
            self._was_down = True
        else:
            self._take_over()
            self._apply(self._arrivals.by(now))
        lag = self._lag(now)
        self.course.append((now, lag))
        if lag > RETENTION_SECONDS:
            self.trimmed = now

    def _is_down(self, now: float) -> bool:
        outage = self._plan.outage
        if outage is None or (self._number and not outage.all_tasks):
            return False
        return outage.begin < now <= outage.begin + outage.seconds

    def _take_over(self) -> None:
        """After an outage, apply again what was applied since the last save."""
        if not self._was_down:
            return
        self._was_down = False
        for index, rate in enumerate(self._rates):
            again = min(self.applied[index], rate * DEFAULTS.checkpoint_every_seconds)
            self.applied[index] -= again
            self.redone += again

    def _apply(self, arrived: float) -> None:
        seconds = self._plan.step_seconds
        most = self._plan.shard_changes_per_second * seconds
        pairs = zip(self._rates, self.applied, strict=True)
        wanted = [min(rate * arrived - applied, most) for rate, applied in pairs]
        level = fair_level(wanted, self._plan.task_changes_per_second * seconds)
        for index, changes in enumerate(wanted):
            self.applied[index] += min(changes, level)

    def _lag(self, now: float) -> float:
        arrived = self._arrivals.by(now)
        reached = min(applied / rate for rate, applied in zip(self._rates, self.applied, strict=True))
        return max(0.0, now - self._arrivals.moment(min(reached, arrived)))


def fair_level(wanted: Sequence[float], capacity: float) -> float:
    """The most that each of ``wanted`` gets, so that all together get ``capacity``, and those that want less get all they want."""
    if sum(wanted) <= capacity:
        return max(wanted)
    left = capacity
    for rank, amount in enumerate(sorted(wanted)):
        share = left / (len(wanted) - rank)
        if amount >= share:
            return share
        left -= amount
    return max(wanted)
