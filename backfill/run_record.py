"""Which run a backfill is: a new one, an unfinished one to go on with, or none because it has finished."""

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
class RunMigration:
    """The migration that a backfill belongs to. fence: raises once this worker may no longer write."""

    control: ControlTable
    mapping: Mapping
    clock: Clock
    fence: Fence

    async def started(self) -> MigrationState:
        """Its state. Raises Misconfigured when it has not been started: a copy made before the stream's position is
        saved could miss changes."""
        return await load_started_state(self.control, self.mapping)

    async def note_backfill(self, finished_at: float | None) -> None:
        """Say in the state when the backfill finished; None: one is under way, so no tombstone may be purged."""

        def change(state: MigrationState) -> MigrationState:
            self.fence()  # between the read and the conditional write: a superseded worker's word does not get in
            if finished_at is None:
                _require_copyable(state)
            return replace(state, backfill_finished_at=finished_at)

        await change_state(self.control, self.mapping, self.clock.now(), change)


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What a new run is made by. segments: Scan segments of each job. estimate: items in the old table; None: not known."""

    segments: int
    estimate: int | None

    def check(self, job: ArrayJob) -> None:
        """Raises Misconfigured when the segments of all jobs are more than DynamoDB takes."""
        if self.segments * job.size > MOST_SEGMENTS:
            raise Misconfigured(
                f"{job.size} jobs of {self.segments} segments are {self.segments * job.size}: DynamoDB takes {MOST_SEGMENTS}",
                remedy="ask for fewer with TABLESPLIT_SEGMENTS or --segments",
            )


@dataclass(frozen=True, slots=True)
class Opened:
    """A run with where its segments stand. resumed: begun by an earlier worker. note: see ``BackfillReport``."""

    run: BackfillRun
    segments: dict[int, Segment]
    resumed: bool
    note: str = ""


async def open_run(
    migration: RunMigration, records: BackfillRecords, options: BackfillOptions, plan: RunPlan, job: ArrayJob
) -> Opened:
    """The latest run, or a new one by ``plan`` when there is none or ``options.again`` asks for one after the last. The jobs of
    one array job ask for it together: one of them begins it.

    Raises Misconfigured before the migration is started, Fatal when the run was begun with another mapping, Refused for a new run
    once the first cutover has begun.
    """
    state = await migration.started()
    latest = await records.run()
    if latest is None or (options.again and latest.finished_at is not None and not _same_array(latest, job)):
        return await _new_run(migration, records, state.generation, plan, job)
    _check_mapping(latest, migration.mapping)
    if latest.finished_at is not None:  # also when an earlier worker was killed before it could say so
        await migration.note_backfill(latest.finished_at)
    return Opened(latest, await records.segments(latest), True, _kept_plan(latest, options, job))


async def close_run(migration: RunMigration, records: BackfillRecords, run: BackfillRun) -> BackfillRun:
    """The run, finished now: every write of every segment is acknowledged."""
    finished = replace(run, finished_at=migration.clock.now())
    await records.save_run(finished)
    await migration.note_backfill(finished.finished_at)
    return finished


async def _new_run(
    migration: RunMigration, records: BackfillRecords, generation: int, plan: RunPlan, job: ArrayJob
) -> Opened:
    """Purging stops before the first item is read: what is read may be deleted, and its tombstone must then outlast the copy."""
    plan.check(job)
    await migration.note_backfill(None)
    run = BackfillRun(
        id=token_hex(6),
        mapping_hash=migration.mapping.hash,
        generation=generation,
        segments=plan.segments * job.size,
        started_at=migration.clock.now(),
        estimate=plan.estimate,
        slices=job.size,
        array=job.id,
    )
    await records.save_run(run)
    return Opened(run, await records.segments(run), False)


def _require_copyable(state: MigrationState) -> None:
    if state.rule != "guarded" or state.move is not None:
        raise Refused(
            "the first cutover has begun: what v2 lacks was deleted there, and a copy would bring it back",
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


def _kept_plan(run: BackfillRun, options: BackfillOptions, job: ArrayJob) -> str:
    if run.finished_at is not None:
        return ""
    if job.size != run.slices:
        return f"this run goes on with the {run.slices} slices it was begun with, not {job.size}"
    if options.segments in (None, run.segments // run.slices):
        return ""
    return f"--segments {options.segments} was not applied: this run goes on with the {run.segments} segments it was begun with"
