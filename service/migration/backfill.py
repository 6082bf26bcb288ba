"""The backfill of this migration: starts the migration if that was not done yet, and shows the progress."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from backfill.display import Display, opened_display
from backfill.dry_run import DryRunReport, dry_run
from backfill.options import ArrayJob, BackfillOptions
from backfill.report import BackfillReport, SlicesReport
from backfill.segment_copier import BackfillContext
from backfill.worker import run_array_job, run_backfill
from service.app import App
from service.migration.start import ensure_started


async def copy_old_table(
    app: App, options: BackfillOptions, stop: asyncio.Event, display: Display | None = None
) -> BackfillReport:
    """Start the migration if need be, then copy. ``display``: where the progress is shown; None: on stderr.

    Raises as ``run_backfill`` and ``ensure_started`` do.
    """
    async with _backfill_context(app, options, stop, display) as (context, estimate):
        return await run_backfill(context, estimate)


async def copy_slices(
    app: App, options: BackfillOptions, job: ArrayJob, stop: asyncio.Event
) -> BackfillReport | SlicesReport:
    """The same as a job of an array. Raises as ``run_array_job`` and ``ensure_started`` do."""
    async with _backfill_context(app, options, stop) as (context, estimate):
        return await run_array_job(context, job, estimate)


@asynccontextmanager
async def _backfill_context(
    app: App, options: BackfillOptions, stop: asyncio.Event, shown: Display | None = None
) -> AsyncIterator[tuple[BackfillContext, int | None]]:
    """What a backfill needs, with DynamoDB's count of the old items."""
    await ensure_started(app)
    old = await app.tables.old_table()
    with opened_display(app.clock) if shown is None else nullcontext(shown) as display:
        context = BackfillContext(app.stores, app.settings, app.metrics, options, display, stop)
        yield context, old.item_count or None


async def try_copy(app: App, options: BackfillOptions, stop: asyncio.Event) -> DryRunReport:
    """Map every old item and write nothing; only the old table has to exist. Raises what ``dry_run`` raises."""
    await app.tables.old_table()
    return await dry_run(app.store, app.mapping, app.settings, app.clock, app.metrics, options=options, stop=stop)
