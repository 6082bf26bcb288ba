"""Opens and closes the run of a backfill: a new run, an unfinished one to resume, or one that has finished already."""

from dataclasses import dataclass, replace
from secrets import token_hex

from backfill.options import MOST_SEGMENTS, ArrayJob, BackfillOptions
from backfill.records import BackfillRecords
from backfill.segments import BackfillRun, Segment
from service.clock import Clock
from service.control.state import MigrationState, change_state, load_started_state
from service.control.table import ControlTable
from service.core.mapping.mapping import Mapping
from service.dynamodb.protocol import Fence
from service.errors import Fatal, Misconfigured, Refused


@dataclass(frozen=True, slots=True)
class FencedState:
    """The state of the migration, as one backfill worker reads and changes it: a superseded worker changes nothing."""

    control: ControlTable
    mapping: Mapping
    clock: Clock
    fence: Fence
    """Raises once this worker may no longer write."""

    async def require_started(self) -> MigrationState:
        """The state. Raises Misconfigured when the migration has not been started: a copy made before the stream's position
        is saved could miss changes."""
        return await load_started_state(self.control, self.mapping)

    async def note_backfill(self, finished_at: float | None) -> None:
        """Record in the state when the backfill finished; None: one is under way, so no tombstone may be purged.

        Raises Refused for None once the first cutover has begun.
        """

        def change(state: MigrationState) -> MigrationState:
            self.fence()  # between the read and the conditional write, so that a superseded worker cannot change the state
            if finished_at is None:
                _require_copyable(state)
            return replace(state, backfill_finished_at=finished_at)

        await change_state(self.control, self.mapping, self.clock.now(), change)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a new run is made by."""

    segments: int
    """Scan segments of each job."""
    estimate: int | None
    """Items in the old table, by DynamoDB's own count; None: not known."""

    def check(self, job: ArrayJob) -> None:
        """Raises Misconfigured when the segments of all jobs are more than DynamoDB takes."""
        if self.segments * job.size > MOST_SEGMENTS:
            raise Misconfigured(
                f"{job.size} jobs of {self.segments} segments are {self.segments * job.size}: DynamoDB takes {MOST_SEGMENTS}",
                remedy="ask for fewer with TABLESPLIT_SEGMENTS or --segments",
            )


@dataclass(frozen=True, slots=True)
class OpenedRun:
    """A run, and how far its segments are."""

    run: BackfillRun
    segments: dict[int, Segment]
    """By number."""
    resumed: bool
    """The run was begun by an earlier worker."""
    note: str = ""
    """As in ``BackfillReport``."""


async def open_run(
    fenced_state: FencedState, records: BackfillRecords, options: BackfillOptions, plan: RunPlan, job: ArrayJob
) -> OpenedRun:
    """The latest run; or a new one by ``plan``, when there is none, or when the latest has finished and ``options.again`` is set.

    All jobs of an array job call this with the same options, each under the backfill's lease: the first one begins the run.

    Raises Misconfigured before the migration is started, Fatal when the run was begun with another mapping, Refused for a new run
    once the first cutover has begun.
    """
    state = await fenced_state.require_started()
    latest = await records.run()
    if latest is None or (options.again and latest.finished_at is not None and not _same_array(latest, job)):
        return await _new_run(fenced_state, records, state.generation, plan, job)
    _check_mapping(latest, fenced_state.mapping)
    if latest.finished_at is not None:  # an earlier worker may have been killed before it recorded this in the state
        await fenced_state.note_backfill(latest.finished_at)
    return OpenedRun(latest, await records.segments(latest), True, _unapplied_options(latest, options, job))


async def close_run(fenced_state: FencedState, records: BackfillRecords, run: BackfillRun) -> BackfillRun:
    """Record that ``run`` has finished, and return it. Every write of every segment must be acknowledged before."""
    finished = replace(run, finished_at=fenced_state.clock.now())
    await records.save_run(finished)
    await fenced_state.note_backfill(finished.finished_at)
    return finished


async def _new_run(
    fenced_state: FencedState, records: BackfillRecords, generation: int, plan: RunPlan, job: ArrayJob
) -> OpenedRun:
    """Purging is stopped before the first item is read: an item that was read may be deleted, and then its tombstone must exist
    until the copy has been tried."""
    plan.check(job)
    await fenced_state.note_backfill(None)
    run = BackfillRun(
        id=token_hex(6),
        mapping_hash=fenced_state.mapping.hash,
        generation=generation,
        segments=plan.segments * job.size,
        started_at=fenced_state.clock.now(),
        estimate=plan.estimate,
        slices=job.size,
        array=job.id,
    )
    await records.save_run(run)
    return OpenedRun(run, await records.segments(run), False)


def _require_copyable(state: MigrationState) -> None:
    if state.rule != "guarded" or state.move is not None:
        raise Refused(
            "the first cutover has begun: an item that v2 lacks was deleted there, and a copy would bring it back",
            remedy="compare both sides instead: tablesplit validate",
        )


def _check_mapping(run: BackfillRun, mapping: Mapping) -> None:
    if run.mapping_hash != mapping.hash:
        raise Fatal(
            f"backfill {run.id} was begun with mapping {run.mapping_hash}, but {mapping.name} is {mapping.hash}",
            remedy="set TABLESPLIT_MAPPING back to that mapping",
        )


def _same_array(run: BackfillRun, job: ArrayJob) -> bool:
    return bool(job.id) and run.array == job.id


def _unapplied_options(run: BackfillRun, options: BackfillOptions, job: ArrayJob) -> str:
    """The note on options that a resumed run cannot follow."""
    if run.finished_at is not None:
        return ""
    if job.size != run.slices:
        return f"this run goes on with the {run.slices} slices it was begun with, not {job.size}"
    if options.segments in (None, run.segments // run.slices):
        return ""
    return f"--segments {options.segments} was not applied: this run goes on with the {run.segments} segments it was begun with"
