"""Runs a backfill: a worker that runs alone copies all segments; the jobs of an array share them in slices."""

from contextlib import AbstractAsyncContextManager

from backfill.leases import JobLeases
from backfill.options import SINGLE_JOB, ArrayJob
from backfill.records import BackfillRecords
from backfill.report import BackfillReport, SlicesReport
from backfill.run_record import FencedState, OpenedRun, RunPlan, close_run, open_run
from backfill.segment_copier import BackfillContext, SegmentCopier
from backfill.segments import BackfillRun, total
from backfill.share import WholeShare
from backfill.slice_copier import SliceCopier
from service.control.leases import REMEDY, Lease
from service.errors import Refused
from service.failpoints import failpoint


async def run_backfill(context: BackfillContext, estimate: int | None = None) -> BackfillReport:
    """Copy what is not copied yet. ``estimate``: the old table's item count, as DescribeTable gives it.

    Raises Interrupted when the operator stops it and Paused at the cost cap (the progress is saved; the remedy resumes it), Refused
    while another backfill runs, Misconfigured before the migration is started, Fenced when the lease is lost.
    """
    leases = _leases(context)
    report = await _copy(context, leases, leases.whole_backfill(), SINGLE_JOB, estimate)
    if isinstance(report, SlicesReport):
        raise Refused(f"another backfill is running: {report.to_text()}", remedy=REMEDY)
    return report


async def run_array_job(
    context: BackfillContext, job: ArrayJob, estimate: int | None = None
) -> BackfillReport | SlicesReport:
    """Copy the job's slice, and of the other slices those that no job is copying. Returns a BackfillReport when the run has
    finished then. Raises as ``run_backfill`` does, and Misconfigured when the array has more segments than DynamoDB takes."""
    leases = _leases(context)
    return await _copy(context, leases, leases.whole_backfill_in_turn(), job, estimate)


def _leases(context: BackfillContext) -> JobLeases:
    return JobLeases(context.stores.control, context.options.owner, context.stores.clock, context.settings)


async def _copy(
    context: BackfillContext,
    leases: JobLeases,
    backfill_lease: AbstractAsyncContextManager[Lease],
    job: ArrayJob,
    estimate: int | None,
) -> BackfillReport | SlicesReport:
    async with backfill_lease as lease:
        fenced_state, records = _under_lease(context, lease)
        plan = RunPlan(context.options.segments or context.settings.segments, estimate)
        opened = await open_run(fenced_state, records, context.options, plan, job)
        if opened.run.finished_at is not None:
            return BackfillReport(opened.run, total(opened.segments), already_finished=True)
        if opened.run.slices == 1:
            return await _copy_all(context, fenced_state, records, opened)
    return await _copy_slices(context, leases, opened, first=job.index)


async def _copy_all(
    context: BackfillContext, fenced_state: FencedState, records: BackfillRecords, opened: OpenedRun
) -> BackfillReport:
    copier = SegmentCopier(context, records, fenced_state.fence, opened.run, opened.segments, WholeShare())
    await copier.copy_all()
    failpoint("backfill_copied")
    run = await close_run(fenced_state, records, opened.run)
    failpoint("backfill_closed")
    return BackfillReport(run, total(copier.segments), resumed=opened.resumed, note=opened.note)


async def _copy_slices(
    context: BackfillContext, leases: JobLeases, opened: OpenedRun, first: int
) -> BackfillReport | SlicesReport:
    copier = SliceCopier(context, leases, opened.run)
    await copier.copy(first)
    run = await _close(context, leases, copier)
    if run is None:
        return SlicesReport(opened.run, copier.outcomes, len(await copier.slices_left()), opened.note)
    outcomes = total(await BackfillRecords(context.stores.control).segments(run))
    return BackfillReport(run, outcomes, resumed=opened.resumed, note=opened.note)


async def _close(context: BackfillContext, leases: JobLeases, copier: SliceCopier) -> BackfillRun | None:
    """The run, finished now unless another worker has finished it before; None when slices are left, or a newer run was begun.

    Which slices are left is read again under the backfill's lease: while this worker holds it no worker begins a slice, and every
    worker that began one before has saved its segments with its own token.
    """
    if await copier.slices_left():
        return None
    async with leases.whole_backfill_in_turn() as lease:
        fenced_state, records = _under_lease(context, lease)
        run = await copier.run_under_way(records)
        if run is None or run.finished_at is not None:
            return run
        return None if await copier.slices_left() else await close_run(fenced_state, records, run)


def _under_lease(context: BackfillContext, lease: Lease) -> tuple[FencedState, BackfillRecords]:
    """The state and the records, as the lease's holder may change them."""
    stores = context.stores
    fenced_state = FencedState(stores.control, stores.mapping, stores.clock, lease.check)
    return fenced_state, BackfillRecords(stores.control, lease.token)
