"""The backfill of this migration: starts the migration if that was not done yet, and shows the progress."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from backfill.display import opened_display
from backfill.dry_run import DryRunReport, dry_run
from backfill.options import ArrayJob, BackfillOptions
from backfill.report import BackfillReport, SlicesReport
from backfill.walk import WalkParts
from backfill.worker import run_array_job, run_backfill
from service.app import App
from service.migration.start import ensure_started


async def copy_old_table(app: App, options: BackfillOptions, stop: asyncio.Event) -> BackfillReport:
    """Start the migration if needed, then copy. Raises what ``run_backfill`` and ``ensure_started`` raise."""
    async with _parts(app, options, stop) as (parts, estimate):
        return await run_backfill(parts, estimate)


async def copy_slices(
    app: App, options: BackfillOptions, job: ArrayJob, stop: asyncio.Event
) -> BackfillReport | SlicesReport:
    """The same as a job of an array. Raises what ``run_array_job`` and ``ensure_started`` raise."""
    async with _parts(app, options, stop) as (parts, estimate):
        return await run_array_job(parts, job, estimate)


@asynccontextmanager
async def _parts(
    app: App, options: BackfillOptions, stop: asyncio.Event
) -> AsyncIterator[tuple[WalkParts, int | None]]:
    """What a backfill needs, and DynamoDB's count of the old items; None: not known."""
    await ensure_started(app)
    old = await app.tables.old_table()
    with opened_display(app.clock) as display:
        parts = WalkParts(
            app.store, app.control, app.mapping, app.settings, app.clock, app.metrics, options, display, stop
        )
        yield parts, old.item_count or None


async def try_copy(app: App, options: BackfillOptions, stop: asyncio.Event) -> DryRunReport:
    """Map every old item and write nothing; only the old table has to exist. Raises what ``dry_run`` raises."""
    await app.tables.old_table()
    return await dry_run(app.store, app.mapping, app.settings, app.clock, app.metrics, options=options, stop=stop)
