"""The backfill's records in the control table: the run, its segments, and its progress for whoever looks."""

from collections import Counter
from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from backfill.segments import RECORD, BackfillRun, Outcomes, Segment, Spent, spent_in, standing, total
from service.control.table import ControlTable
from service.errors import Fenced

PARTITION = "backfill"
RUN, PROGRESS = "run", "progress"
STALE_SECONDS = 30.0
"""A worker saves its progress every few seconds; one that has not for so long was killed."""

State = Literal["running", "stopped", "finished"]


@dataclass(frozen=True, slots=True, config=RECORD)
class Pulse:
    """What a worker says about its speed. saved_at: epoch seconds. eta_seconds: None when it cannot be told.

    waiting_for: why something waits just now; waited_seconds: by reason, since the worker began. ended: it has stopped. spent: on
    the segments that it walks, also by whoever walked them before.
    """

    run: str
    saved_at: float
    items_per_second: float
    eta_seconds: float | None
    waiting_for: tuple[str, ...] = ()
    waited_seconds: dict[str, float] = field(default_factory=dict)
    ended: bool = False
    spent: Spent = field(default_factory=Spent)

    def alive(self, now: float) -> bool:
        """Whether its worker has neither ended nor, as far as can be told ``now`` (epoch seconds), been killed."""
        return not self.ended and now - self.saved_at < STALE_SECONDS


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How far the backfill is, read from the control table: what ``status`` shows.

    pulse: what its workers last said, as one; None when they have said nothing yet. spent: by all that is saved.
    """

    state: State
    run: BackfillRun
    outcomes: Outcomes
    segments_done: int
    pulse: Pulse | None
    spent: Spent


class BackfillRecords:
    """Reads and writes of one worker. token: of its lease; what a superseded worker saves is refused.

    slice_number: what it walks; None: all there is.
    """

    def __init__(self, control: ControlTable, token: int = 0, slice_number: int | None = None) -> None:
        self._runs = control.records(PARTITION, BackfillRun)
        self._segments = control.records(f"{PARTITION}#segments", Segment)
        self._pulses = control.records(f"{PARTITION}#progress", Pulse)
        self._token = token
        self.pulse_name = PROGRESS if slice_number is None else f"{PROGRESS}#{slice_number:05d}"

    async def run(self) -> BackfillRun | None:
        """The latest run, or None."""
        stored = await self._runs.get(RUN)
        return None if stored is None else stored.value

    async def segments(self, run: BackfillRun) -> dict[int, Segment]:
        """Where every segment of ``run`` stands."""
        found = await self._segments.all()
        return standing(run, ((_number(name), stored.value) for name, stored in found.items()))

    async def pulses(self, run: BackfillRun) -> dict[str, Pulse]:
        """The progress that each worker of ``run`` last saved, by name: the whole run's, or the slice's."""
        found = await self._pulses.all()
        return {name: stored.value for name, stored in found.items() if stored.value.run == run.id}

    async def save_run(self, run: BackfillRun) -> None:
        """Make ``run`` the latest. Raises Fenced as every save here does, when a newer worker has saved it since."""
        _accepted(await self._runs.save(RUN, run, self._token))

    async def save_segment(self, number: int, segment: Segment) -> None:
        """Acknowledged when it returns."""
        _accepted(await self._segments.save(f"segment#{number:05d}", segment, self._token))

    async def save_pulse(self, pulse: Pulse) -> None:
        """For readers only: nothing rests on it."""
        _accepted(await self._pulses.save(self.pulse_name, pulse, self._token))


async def read_standing(control: ControlTable, now: float) -> RunStatus | None:
    """How far the backfill is, from any machine; None when none was begun."""
    records = BackfillRecords(control)
    run = await records.run()
    if run is None:
        return None
    segments = await records.segments(run)
    pulses = list((await records.pulses(run)).values())
    done = sum(segment.done for segment in segments.values())
    return RunStatus(_state(run, pulses, now), run, total(segments), done, together(pulses, now), spent_in(segments))


def together(pulses: list[Pulse], now: float) -> Pulse | None:
    """What the workers of a run say as one: those that are alive, or else the last one; None: nobody has said anything."""
    alive = [pulse for pulse in pulses if pulse.alive(now)]
    latest = max(pulses, key=lambda pulse: pulse.saved_at, default=None)
    if latest is None or len(alive) < 2:
        return alive[0] if alive else latest
    return Pulse(
        run=latest.run,
        saved_at=latest.saved_at,
        items_per_second=sum(pulse.items_per_second for pulse in alive),
        eta_seconds=_last([pulse.eta_seconds for pulse in alive]),
        waiting_for=tuple(sorted({reason for pulse in alive for reason in pulse.waiting_for})),
        waited_seconds=dict(sum((Counter(pulse.waited_seconds) for pulse in alive), Counter())),
        spent=sum((pulse.spent for pulse in alive), Spent()),
    )


def _last(etas: list[float | None]) -> float | None:
    known = [eta for eta in etas if eta is not None]
    return max(known) if len(known) == len(etas) else None


def _state(run: BackfillRun, pulses: list[Pulse], now: float) -> State:
    if run.finished_at is not None:
        return "finished"
    beginning = not pulses and now - run.started_at < STALE_SECONDS
    return "running" if beginning or any(pulse.alive(now) for pulse in pulses) else "stopped"


def _number(name: str) -> int:
    return int(name.removeprefix("segment#"))


def _accepted(accepted: bool) -> None:
    if not accepted:
        raise Fenced(
            "another backfill has taken over: this worker writes nothing more",
            remedy="watch the other with `tablesplit status --watch`",
        )
