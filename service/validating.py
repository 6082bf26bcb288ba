"""One validation of the live migration: it waits for the sync to settle, and a repair that ends equal closes a gap."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from service.app import App
from service.errors import Refused
from service.migration_state import MigrationState, change_state
from service.start import require_started
from service.validation.options import ValidationOptions
from service.validation.report import Report
from service.validator import validate
from service.workers import Workers

SETTLE_WITHIN_SECONDS = 30.0
"""How long one question may take. The validation gives a key up after ``settle_timeout_seconds``."""


async def run_validation(app: App, options: ValidationOptions, stop: asyncio.Event) -> Report:
    """Validate, and repair if ``options`` say so. Raises as ``validator.validate`` does, Misconfigured when nothing was started,
    Refused for a repair before the backfill has finished."""
    state = await require_started(app)
    if options.repair and state.backfill_finished_at is None:
        raise Refused(
            "the backfill has not finished: a repair would race it", remedy="finish it first: tablesplit migrate"
        )
    report = await validate(
        app.store,
        app.control,
        app.mapping,
        app.settings,
        app.clock,
        app.metrics,
        options=replace(options, gap=state.gap_since),
        stop=stop,
        settled=_settled(app),
    )
    if options.repair and report.equal and options.full:
        await change_state(app.control, app.mapping, app.clock.now(), partial(_without_gap, state.gap_since))
    return report


def _settled(app: App) -> Callable[[], Awaitable[None]]:
    """Waits until the sync has applied what was in the stream, however long; returns when no sync runs: nothing would come."""

    workers = Workers(app.control, app.clock)

    async def settled() -> None:
        while not await workers.caught_up(SETTLE_WITHIN_SECONDS) and await workers.owner() is not None:
            continue

    return settled


def _without_gap(closed: float | None, state: MigrationState) -> MigrationState:
    """The state without the gap that was ``closed``; one accepted since stays."""
    return replace(state, gap_since=None) if state.gap_since == closed else state
