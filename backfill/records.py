"""The backfill's records in the control table: the run, its segments, and its progress for whoever looks."""

from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from backfill.segments import RECORD, Outcomes, Run, Segment, standing, total
from service.control_table import ControlTable
from service.errors import Fenced

PARTITION = "backfill"
RUN, PROGRESS = "run", "progress"
STALE_SECONDS = 30.0
"""A worker saves its progress every few seconds; one that has not for so long was killed."""

State = Literal["running", "stopped", "finished"]


@dataclass(frozen=True, slots=True, config=RECORD)
class Pulse:
    """What a worker says about its speed. saved_at: epoch seconds. eta_seconds: None when it cannot be told.

    waiting_for: why something waits just now; waited_seconds: by reason, since the worker began. ended: it has stopped.
    """

    run: str
    saved_at: float
    items_per_second: float
    eta_seconds: float | None
    waiting_for: tuple[str, ...] = ()
    waited_seconds: dict[str, float] = field(default_factory=dict)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the backfill is, read from the control table: what ``status`` shows.

    pulse: what its worker last said; None when it has said nothing yet.
    """

    state: State
    run: Run
    outcomes: Outcomes
    segments_done: int
    pulse: Pulse | None


class BackfillRecords:
    """Reads and writes of one worker. token: of its lease; what a superseded worker saves is refused."""

    def __init__(self, control: ControlTable, token: int = 0) -> None:
        self._runs = control.records(PARTITION, Run)
        self._segments = control.records(f"{PARTITION}#segments", Segment)
        self._pulses = control.records(f"{PARTITION}#progress", Pulse)
        self._token = token

    async def run(self) -> Run | None:
        """The latest run, or None."""
        stored = await self._runs.get(RUN)
        return None if stored is None else stored.value

    async def segments(self, run: Run) -> dict[int, Segment]:
        """Where every segment of ``run`` stands."""
        found = await self._segments.all()
        return standing(run, ((_number(name), stored.value) for name, stored in found.items()))

    async def pulse(self) -> Pulse | None:
        """The progress that a worker last saved, of whatever run."""
        stored = await self._pulses.get(PROGRESS)
        return None if stored is None else stored.value

    async def save_run(self, run: Run) -> None:
        """Make ``run`` the latest. Raises Fenced as every save here does, when a newer worker has saved it since."""
        _accepted(await self._runs.save(RUN, run, self._token))

    async def save_segment(self, number: int, segment: Segment) -> None:
        """Acknowledged when it returns."""
        _accepted(await self._segments.save(f"segment#{number:05d}", segment, self._token))

    async def save_pulse(self, pulse: Pulse) -> None:
        """For readers only: nothing rests on it."""
        _accepted(await self._pulses.save(PROGRESS, pulse, self._token))


async def read_standing(control: ControlTable, now: float) -> Standing | None:
    """How far the backfill is, from any machine; None when none was begun."""
    records = BackfillRecords(control)
    run = await records.run()
    if run is None:
        return None
    segments = await records.segments(run)
    pulse = await records.pulse()
    if pulse is not None and pulse.run != run.id:
        pulse = None
    done = sum(segment.done for segment in segments.values())
    return Standing(_state(run, pulse, now), run, total(segments), done, pulse)


def _state(run: Run, pulse: Pulse | None, now: float) -> State:
    if run.finished_at is not None:
        return "finished"
    said = run.started_at if pulse is None else pulse.saved_at
    ended = pulse is not None and pulse.ended
    return "running" if not ended and now - said < STALE_SECONDS else "stopped"


def _number(name: str) -> int:
    return int(name.removeprefix("segment#"))


def _accepted(accepted: bool) -> None:
    if not accepted:
        raise Fenced(
            "another backfill has taken over: this worker writes nothing more",
            remedy="watch the other with `tablesplit status --watch`",
        )
