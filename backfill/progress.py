"""Progress of a running backfill: what is acknowledged, how fast, and how long it will take. What is not known is None."""

from collections import deque
from dataclasses import dataclass

from backfill.budget import CostBudget
from backfill.records import BackfillBeat
from backfill.segments import BackfillRun, Outcomes, Segment, spent_in, total
from backfill.throttle import ThrottleWaits
from service.clock import Clock

WINDOW_SECONDS = 30.0
"""The speed is the average over this time."""
SAMPLE_SECONDS = 0.5
LEAST_SPAN_SECONDS = 2.0
"""A shorter time gives no speed."""
MOST_BEFORE_END = 99.9
"""Percent shown at most while a write is not yet acknowledged: the percentage is of DynamoDB's item count, an estimate."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Progress of one worker at one moment."""

    outcomes: Outcomes
    segments: int
    segments_done: int
    estimate: int | None
    """Items in these segments, by DynamoDB's own count."""
    percent: float | None
    """None when DynamoDB gives no estimate; 100 only when every segment is done."""
    items_per_second: float
    """Acknowledged, on average over the last ``WINDOW_SECONDS``."""
    eta_seconds: float | None
    """None when it cannot be computed."""
    waiting_for: tuple[str, ...]
    """The reasons of the waits that are going on now."""
    cost: float = 0.0
    """US dollars of these segments so far."""
    max_cost: float | None = None
    """US dollars at which the run pauses; None: no cap."""

    def to_text(self) -> str:
        """The progress in one line."""
        percent = "" if self.percent is None else f"{self.percent:.1f} % of about {self.estimate}, "
        eta = "" if self.eta_seconds is None else f", about {self.eta_seconds:.0f} s to go"
        waiting = f"; waiting: {', '.join(self.waiting_for)}" if self.waiting_for else ""
        done = self.outcomes
        return (
            f"backfill: {done.items} items ({percent}{done.to_text()}), segments {self.segments_done}/{self.segments}, "
            f"{self.items_per_second:.0f} items/s, {self.cost_text()}{eta}{waiting}"
        )

    def cost_text(self) -> str:
        """The cost, with its cap if there is one."""
        cap = "" if self.max_cost is None else f" of at most {self.max_cost:.2f}"
        return f"{self.cost:.2f}{cap} USD"


class Progress:
    """Follows the copy of ``segments`` of a run, as writes are acknowledged and segments saved."""

    def __init__(
        self, clock: Clock, waits: ThrottleWaits, run: BackfillRun, segments: dict[int, Segment], budget: CostBudget
    ) -> None:
        self._clock = clock
        self._waits = waits
        self._run = run
        self._segments = segments
        self._estimate = run.estimate and run.estimate * len(segments) // run.segments
        self._budget = budget
        self._outcomes = total(segments)
        self._samples = deque([(clock.monotonic(), self._outcomes.items)])

    def acknowledged(self, outcomes: Outcomes) -> None:
        """Count ``outcomes``: further items that are now in v2 or in quarantine."""
        self._outcomes += outcomes

    def saved(self, number: int, segment: Segment) -> None:
        """Note that ``segment`` was saved as the progress of segment ``number``."""
        self._segments[number] = segment

    def snapshot(self) -> Snapshot:
        """The progress at this moment."""
        rate = self._rate()
        done = sum(segment.done for segment in self._segments.values())
        return Snapshot(
            outcomes=self._outcomes,
            segments=len(self._segments),
            segments_done=done,
            estimate=self._estimate,
            percent=self._percent(done),
            items_per_second=rate,
            eta_seconds=self._eta(rate, done),
            waiting_for=self._waits.now,
            cost=self._budget.cost(spent_in(self._segments)),
            max_cost=self._budget.max_cost,
        )

    def beat(self, *, ended: bool = False) -> BackfillBeat:
        """The part of the snapshot that is saved for other processes. ``ended``: this worker has stopped."""
        snapshot = self.snapshot()
        return BackfillBeat(
            run=self._run.id,
            saved_at=self._clock.now(),
            items_per_second=snapshot.items_per_second,
            eta_seconds=snapshot.eta_seconds,
            waiting_for=snapshot.waiting_for,
            waited_seconds={reason: round(seconds, 1) for reason, seconds in self._waits.seconds.items()},
            ended=ended,
            spent=spent_in(self._segments),
        )

    def _percent(self, segments_done: int) -> float | None:
        if segments_done == len(self._segments):
            return 100.0
        if not self._estimate:
            return None
        return min(MOST_BEFORE_END, 100.0 * self._outcomes.items / self._estimate)

    def _eta(self, rate: float, segments_done: int) -> float | None:
        if segments_done == len(self._segments):
            return 0.0
        items_left = (self._estimate or 0) - self._outcomes.items
        return items_left / rate if items_left > 0 and rate > 0 else None

    def _rate(self) -> float:
        """Items per second."""
        now = self._clock.monotonic()
        if now - self._samples[-1][0] >= SAMPLE_SECONDS:
            self._samples.append((now, self._outcomes.items))
        while len(self._samples) > 2 and self._samples[1][0] <= now - WINDOW_SECONDS:
            self._samples.popleft()
        since, items = self._samples[0]
        return (self._outcomes.items - items) / (now - since) if now - since >= LEAST_SPAN_SECONDS else 0.0
