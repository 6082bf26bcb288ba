"""The backfill's records in the control table: the run, its segments, and each worker's progress for `status`."""

from collections import Counter
from dataclasses import field
from typing import Literal

from pydantic.dataclasses import dataclass

from backfill.segments import RECORD, BackfillRun, Outcomes, Segment, Spent, segments_of_run, spent_in, total
from service.clock import Clock
from service.control.table import ControlTable
from service.errors import Fenced

PARTITION = "backfill"
RUN, PROGRESS = "run", "progress"
STALE_SECONDS = 30.0
"""A worker saves its progress every few seconds. One that has not done so for this long was killed."""
LOOK_SECONDS = 1.0
"""Between two looks at whether a worker saves its progress."""

State = Literal["running", "stopped", "finished"]


@dataclass(frozen=True, slots=True, config=RECORD)
class BackfillBeat:
    """A backfill worker's report: its progress, saved every few seconds. It also shows that the worker is running."""

    run: str
    saved_at: float
    """Epoch seconds."""
    items_per_second: float
    eta_seconds: float | None
    """None when it cannot be computed."""
    waiting_for: tuple[str, ...] = ()
    """The reasons of the waits that are going on."""
    waited_seconds: dict[str, float] = field(default_factory=dict)
    """By reason, since the worker began."""
    ended: bool = False
    """The worker has stopped."""
    spent: Spent = field(default_factory=Spent)
    """On the segments that the worker copies, by this worker and those that copied them before."""

    def live(self, now: float) -> bool:
        """Whether its worker has not ended, and has saved progress recently enough at ``now`` (epoch seconds)."""
        return not self.ended and now - self.saved_at < STALE_SECONDS


@dataclass(frozen=True, slots=True, config=RECORD)
class RunStatus:
    """How far the backfill is, by the control table: what ``status`` shows."""

    state: State
    run: BackfillRun
    outcomes: Outcomes
    segments_done: int
    beat: BackfillBeat | None
    """The progress of all workers of the run, combined; None before the first has saved any."""
    spent: Spent
    """By all saved segments."""


class BackfillRecords:
    """Reads and saves the records, for one worker. What a superseded worker saves is refused."""

    def __init__(self, control: ControlTable, token: int = 0, slice_number: int | None = None) -> None:
        """``token``: of the worker's lease. ``slice_number``: the slice that it copies; None: the whole run."""
        self._runs = control.records(PARTITION, BackfillRun)
        self._segments = control.records(f"{PARTITION}#segments", Segment)
        self._beats = control.records(f"{PARTITION}#progress", BackfillBeat)
        self._token = token
        self.beat_name = PROGRESS if slice_number is None else f"{PROGRESS}#{slice_number:05d}"

    async def run(self) -> BackfillRun | None:
        """The latest run, or None."""
        stored = await self._runs.get(RUN)
        return None if stored is None else stored.value

    async def segments(self, run: BackfillRun) -> dict[int, Segment]:
        """How far every segment of ``run`` is, by number."""
        stored_segments = await self._segments.all()
        return segments_of_run(run, ((_number(name), stored.value) for name, stored in stored_segments.items()))

    async def beats(self, run: BackfillRun) -> dict[str, BackfillBeat]:
        """The progress that each worker of ``run`` last saved, by the record's name: of the whole run, or of a slice."""
        stored_beats = await self._beats.all()
        return {name: stored.value for name, stored in stored_beats.items() if stored.value.run == run.id}

    async def moving(self) -> set[str]:
        """What changes while a worker works: the revisions of the run, and of the progress of workers that have not ended. Empty:
        there is no run, or it has finished."""
        run = await self._runs.get(RUN)
        if run is None or run.value.finished_at is not None:
            return set()
        beats = await self._beats.all()
        return {run.rev, *(beat.rev for beat in beats.values() if not beat.value.ended)}

    async def save_run(self, run: BackfillRun) -> None:
        """Make ``run`` the latest run. Raises Fenced, as every save here does, when a newer worker has saved since."""
        _require_accepted(await self._runs.save(RUN, run, self._token))

    async def save_segment(self, number: int, segment: Segment) -> None:
        """Save the progress of a segment. It is durable when this returns."""
        _require_accepted(await self._segments.save(f"segment#{number:05d}", segment, self._token))

    async def save_beat(self, beat: BackfillBeat) -> None:
        """Save this worker's progress. It is for readers only: correctness does not depend on it."""
        _require_accepted(await self._beats.save(self.beat_name, beat, self._token))


async def read_run_status(control: ControlTable, now: float) -> RunStatus | None:
    """How far the backfill is, read from any machine; None when no backfill was begun."""
    records = BackfillRecords(control)
    run = await records.run()
    if run is None:
        return None
    segments = await records.segments(run)
    beats = list((await records.beats(run)).values())
    done = sum(segment.done for segment in segments.values())
    return RunStatus(_state(run, beats, now), run, total(segments), done, combined_beat(beats, now), spent_in(segments))


async def backfill_runs(control: ControlTable, clock: Clock) -> bool:
    """Whether a backfill runs, for certain: watches the progress of its workers for STALE_SECONDS, until one is seen to move. No
    machine's clock is compared with another's."""
    records = BackfillRecords(control)
    deadline = clock.monotonic() + STALE_SECONDS
    began = await records.moving()
    while began and clock.monotonic() < deadline:
        await clock.sleep(LOOK_SECONDS)
        if await records.moving() - began:
            return True
    return False


def combined_beat(beats: list[BackfillBeat], now: float) -> BackfillBeat | None:
    """The progress of all live workers of a run, combined; when there is none, the last one saved; None: none was saved."""
    live = [beat for beat in beats if beat.live(now)]
    latest = max(beats, key=lambda beat: beat.saved_at, default=None)
    if latest is None or len(live) < 2:
        return live[0] if live else latest
    return BackfillBeat(
        run=latest.run,
        saved_at=latest.saved_at,
        items_per_second=sum(beat.items_per_second for beat in live),
        eta_seconds=_longest([beat.eta_seconds for beat in live]),
        waiting_for=tuple(sorted({reason for beat in live for reason in beat.waiting_for})),
        waited_seconds=dict(sum((Counter(beat.waited_seconds) for beat in live), Counter())),
        spent=sum((beat.spent for beat in live), Spent()),
    )


def _longest(etas: list[float | None]) -> float | None:
    """None when one of them is unknown."""
    known = [eta for eta in etas if eta is not None]
    return max(known) if len(known) == len(etas) else None


def _state(run: BackfillRun, beats: list[BackfillBeat], now: float) -> State:
    if run.finished_at is not None:
        return "finished"
    just_begun = not beats and now - run.started_at < STALE_SECONDS
    return "running" if just_begun or any(beat.live(now) for beat in beats) else "stopped"


def _number(name: str) -> int:
    return int(name.removeprefix("segment#"))


def _require_accepted(accepted: bool) -> None:
    if not accepted:
        raise Fenced(
            "another backfill has taken over: this worker writes nothing more",
            remedy="watch the other one with `tablesplit status --watch`",
        )
