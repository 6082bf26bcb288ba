"""The backfill of this migration: started first where that was not done, shown as it goes."""

import asyncio

from backfill.display import opened_display
from backfill.dry_run import DryRunReport, dry_run
from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from backfill.worker import run_backfill
from service.app import App
from service.start import ensure_started


async def copy_old_table(app: App, options: BackfillOptions, stop: asyncio.Event) -> BackfillReport:
    """Start the migration if need be, then copy. Raises as ``run_backfill`` and ``ensure_started`` do."""
    await ensure_started(app)
    old = await app.tables.old_table()
    with opened_display(app.clock) as display:
        return await run_backfill(
            app.store,
            app.control,
            app.mapping,
            app.settings,
            app.clock,
            app.metrics,
            options=options,
            stop=stop,
            display=display,
            estimate=old.item_count or None,
        )


async def try_copy(app: App, options: BackfillOptions, stop: asyncio.Event) -> DryRunReport:
    """Map every old item and write nothing; nothing needs to exist but the old table. Raises as ``dry_run`` does."""
    await app.tables.old_table()
    return await dry_run(app.store, app.mapping, app.settings, app.clock, app.metrics, options=options, stop=stop)
