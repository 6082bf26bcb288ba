"""One validation of the live migration: it waits for the sync to settle, and a repair that ends equal closes a gap."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from service.app import App
from service.migration_state import MigrationState, change_state
from service.start import require_started
from service.validation.options import ValidationOptions
from service.validation.report import Report
from service.validator import validate
from service.workers import Workers

SETTLE_WITHIN_SECONDS = 30.0


async def run_validation(app: App, options: ValidationOptions, stop: asyncio.Event) -> Report:
    """Validate, and repair if ``options`` say so. Raises as ``validator.validate`` does, Misconfigured when nothing was started."""
    await require_started(app)
    report = await validate(
        app.store,
        app.control,
        app.mapping,
        app.settings,
        app.clock,
        app.metrics,
        options=options,
        stop=stop,
        settled=_settled(app),
    )
    if options.repair and report.equal and options.entity is None and options.sample is None:
        await change_state(app.control, app.mapping, app.clock.now(), _without_gap)
    return report


def _settled(app: App) -> Callable[[], Awaitable[None]]:
    """Waits until the sync has applied what was in the stream; returns at once when no sync runs, since nothing would come."""

    async def settled() -> None:
        await Workers(app.control, app.clock).caught_up(SETTLE_WITHIN_SECONDS)

    return settled


def _without_gap(state: MigrationState) -> MigrationState:
    return replace(state, gap_since=None)
