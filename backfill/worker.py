"""The backfill: copies the old table into the v2 tables, once, segment by segment, resumable from any page.

A worker that is alone walks all segments; the jobs of an array share them in slices.
"""

from contextlib import AbstractAsyncContextManager

from backfill.leases import JobLeases
from backfill.options import ALONE, ArrayJob
from backfill.records import BackfillRecords
from backfill.report import BackfillReport, SlicesReport
from backfill.run_record import Opened, RunMigration, RunPlan, close_run, open_run
from backfill.segments import BackfillRun, total
from backfill.share import Whole
from backfill.slices import Slices
from backfill.walk import Walk, WalkParts
from service.control.leases import REMEDY, Lease
from service.errors import Refused


async def run_backfill(parts: WalkParts, estimate: int | None = None) -> BackfillReport:
    """Copy what is not copied yet. ``estimate``: the old table's item count as DescribeTable gives it.

    Raises Interrupted when the operator stops it and Paused at the cost cap (progress is saved; the remedy goes on), Refused
    while another backfill runs, Misconfigured before the migration is started, Fenced when the lease is lost.
    """
    claims = _claims(parts)
    report = await _copy(parts, claims, claims.alone(), ALONE, estimate)
    if isinstance(report, SlicesReport):
        raise Refused(f"another backfill is running: {report.to_text()}", remedy=REMEDY)
    return report


async def run_array_job(parts: WalkParts, job: ArrayJob, estimate: int | None = None) -> BackfillReport | SlicesReport:
    """Copy the job's slice, and of the others what nobody works at; a BackfillReport when all is copied then. Raises as
    ``run_backfill`` does, and Misconfigured when the array has more segments than DynamoDB takes."""
    claims = _claims(parts)
    return await _copy(parts, claims, claims.in_turn(), job, estimate)


def _claims(parts: WalkParts) -> JobLeases:
    return JobLeases(parts.control, parts.options.owner, parts.clock, parts.settings)


async def _copy(
    parts: WalkParts, claims: JobLeases, claim: AbstractAsyncContextManager[Lease], job: ArrayJob, estimate: int | None
) -> BackfillReport | SlicesReport:
    async with claim as lease:
        migration, records = _under(parts, lease)
        plan = RunPlan(parts.options.segments or parts.settings.segments, estimate)
        opened = await open_run(migration, records, parts.options, plan, job)
        if opened.run.finished_at is not None:
            return BackfillReport(opened.run, total(opened.segments), already_finished=True)
        if opened.run.slices == 1:
            return await _copy_all(parts, migration, records, opened)
    return await _copy_slices(parts, claims, opened, first=job.index)


async def _copy_all(
    parts: WalkParts, migration: RunMigration, records: BackfillRecords, opened: Opened
) -> BackfillReport:
    walk = Walk(parts, records, migration.fence, opened.run, opened.segments, Whole())
    await walk.to_the_end()
    run = await close_run(migration, records, opened.run)
    return BackfillReport(run, total(walk.segments), resumed=opened.resumed, note=opened.note)


async def _copy_slices(
    parts: WalkParts, claims: JobLeases, opened: Opened, first: int
) -> BackfillReport | SlicesReport:
    slices = Slices(parts, claims, opened.run)
    await slices.copy(first)
    run = await _close(parts, claims, slices)
    if run is None:
        return SlicesReport(opened.run, slices.outcomes, len(await slices.left()), opened.note)
    outcomes = total(await BackfillRecords(parts.control).segments(run))
    return BackfillReport(run, outcomes, resumed=opened.resumed, note=opened.note)


async def _close(parts: WalkParts, claims: JobLeases, slices: Slices) -> BackfillRun | None:
    """The run, finished now unless another worker was faster; None when slices of it are left, or there is a newer one.

    What is left is asked in turn: since then nobody begins a slice, and whoever began one before has made it his own.
    """
    if await slices.left():
        return None
    async with claims.in_turn() as lease:
        migration, records = _under(parts, lease)
        run = await slices.run_under_way(records)
        if run is None or run.finished_at is not None:
            return run
        return None if await slices.left() else await close_run(migration, records, run)


def _under(parts: WalkParts, lease: Lease) -> tuple[RunMigration, BackfillRecords]:
    migration = RunMigration(parts.control, parts.mapping, parts.clock, lease.check)
    return migration, BackfillRecords(parts.control, lease.token)
