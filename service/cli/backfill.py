"""`migrate` and `full-migration`: the backfill alone, and all steps up to the validation."""

import asyncio

import click

from backfill.options import BackfillOptions, array_job
from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json, backfill_limits
from service.cli.run import run_command, this_command
from service.control.workers import worker_id
from service.errors import Interrupted, Paused
from service.http_api.server import serve_metrics
from service.migration.backfill import copy_old_table, copy_slices, try_copy
from service.migration.full_migration import run_full_migration


@click.command()
@backfill_limits
@click.option("--dry-run", is_flag=True, help="Map every item, but write nothing.")
@click.option("--again", is_flag=True, help="Copy again although a backfill has finished.")
@as_json
def migrate(
    segments: int | None,
    max_write_units: float | None,
    max_read_units: float | None,
    max_cost: float | None,
    dry_run: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Copy the old table into the v2 tables; continues where it stopped. Exit status 1 when items were quarantined.

    As a job of an AWS Batch array job it copies its own slice, and those of lost jobs. Then its exit status is 0 even when items
    were quarantined, because starting the job again would not change that.
    """
    options = BackfillOptions(segments, max_read_units, max_write_units, again, worker_id(), max_cost)

    async def body(app: App, stop: asyncio.Event) -> Answer:
        async with serve_metrics(app.settings, app.metrics, app.clock):
            return await (_try(app, options, stop) if dry_run else _copy(app, options, stop))

    run_command(body, as_json=as_json, acts=not dry_run)


async def _try(app: App, options: BackfillOptions, stop: asyncio.Event) -> Answer:
    report = await try_copy(app, options, stop)
    return Answer(report.to_json(), report.to_text(), ok=report.ok)


async def _copy(app: App, options: BackfillOptions, stop: asyncio.Event) -> Answer:
    job = array_job(app.settings)
    if job is not None:
        slices = await copy_slices(app, options, job, stop)
        return Answer(slices.to_json(), slices.to_text())
    report = await copy_old_table(app, options, stop)
    return Answer(report.to_json(), report.to_text(), ok=report.ok)


@click.command("full-migration")
@backfill_limits
@as_json
def full_migration(
    segments: int | None,
    max_write_units: float | None,
    max_read_units: float | None,
    max_cost: float | None,
    as_json: bool,
) -> None:
    """Run create-tables and migrate, catch up with the stream, validate. The phase stays `forward`: keep `sync` running."""
    options = BackfillOptions(segments, max_read_units, max_write_units, owner=worker_id(), max_cost=max_cost)

    async def body(app: App, stop: asyncio.Event) -> Answer:
        try:
            report = await run_full_migration(app, options, stop)
        except Paused as paused:
            raise Paused(paused.message, remedy=f"go on with a higher --max-cost: {this_command()}") from None
        except Interrupted as stopped:  # its remedy names the step's own command, and the operator asked for all steps
            raise Interrupted(stopped.message, remedy=f"go on with: {this_command()}") from None
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_command(body, as_json=as_json, acts=True)
