"""One validation of the live migration: waits for the sync to settle. A repair that ends equal closes the gaps."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from service.app import App
from service.control.repairs import repairs_allowed, require_repairs_allowed
from service.control.state import MigrationState, change_state
from service.control.workers import BOTH, FORWARD, LaneName, Workers, owner_among
from service.errors import Refused
from service.sync.positions import require_started
from service.validation.options import ValidationOptions
from service.validation.report import Report
from service.validation.validator import ValidationContext, validate

VALIDATION_CATCH_UP_SECONDS = 30.0
"""How long to ask whether the sync has caught up. The validation gives up a key after ``settle_timeout_seconds``."""


async def run_validation(app: App, options: ValidationOptions, stop: asyncio.Event) -> Report:
    """Validate, and repair if ``options.repair``. Raises what ``validator.validate`` raises, Misconfigured before the migration has
    started, Refused for a repair that is not allowed now: see ``_require_repairable``."""
    state = await require_started(app)
    both_ways = state.rule != "guarded"
    workers = Workers(app.control, app.clock)
    if options.repair:
        await _require_repairable(state, workers)
    context = ValidationContext(
        app.stores,
        app.settings,
        app.metrics,
        settled=_settled(workers, BOTH if both_ways else FORWARD),
        permitted=repairs_allowed(app.control, app.mapping, state.rule, state.phase),
        phase=state.phase,
        epoch=state.epoch,
    )
    report = await validate(context, replace(options, gap=_last_gap(state), both_ways=both_ways), stop)
    if options.repair and report.equal and options.full:
        await change_state(app.control, app.mapping, app.clock.now(), partial(_without_gaps, state))
    return report


async def _require_repairable(state: MigrationState, workers: Workers) -> None:
    """Raises Refused before the backfill has finished, while a move is under way, and when reverse must carry the repair but does
    not run."""
    if state.backfill_finished_at is None:
        raise Refused(
            "the backfill has not finished: a repair would race it", remedy="finish it first: tablesplit migrate"
        )
    require_repairs_allowed(state)
    if state.rule == "ledger" and len(await _running(workers, BOTH)) < len(BOTH):
        raise Refused(
            "no worker syncs both ways: the sync carries a repair to the old table",
            remedy="start `tablesplit sync`, or see why it has stopped: tablesplit status",
        )


def _settled(workers: Workers, lanes: tuple[LaneName, ...]) -> Callable[[], Awaitable[None]]:
    """Waits without limit until the sync has applied what is in the streams of ``lanes``. A lane that no worker runs is left out:
    it would never end."""

    async def settled() -> None:
        while running := await _running(workers, lanes):
            if await workers.caught_up(VALIDATION_CATCH_UP_SECONDS, running):
                return

    return settled


async def _running(workers: Workers, lanes: tuple[LaneName, ...]) -> tuple[LaneName, ...]:
    live = await workers.live()
    return tuple(lane for lane in lanes if owner_among(live, lane) is not None)


def _last_gap(state: MigrationState) -> float | None:
    return max((at for at in (state.gap_since, state.reverse_gap_since) if at is not None), default=None)


def _without_gaps(closed: MigrationState, state: MigrationState) -> MigrationState:
    """The state without the gaps that were known when the repair began; a gap that was accepted later stays."""
    gap, reverse_gap = state.gap_since, state.reverse_gap_since
    return replace(
        state,
        gap_since=None if gap == closed.gap_since else gap,
        reverse_gap_since=None if reverse_gap == closed.reverse_gap_since else reverse_gap,
    )
