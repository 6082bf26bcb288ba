"""An operator's hold keeps every gate closed until it is released. Both acts are recorded in the audit log."""

from dataclasses import replace

from service.control.state import Hold, MigrationState, change_state
from service.migration.phase.move_context import MoveContext
from service.sync.positions import require_started


async def hold(context: MoveContext, why: str) -> Hold:
    """Close every gate; replaces an earlier hold. Raises Misconfigured before the migration has started."""
    app = context.app
    await require_started(app)
    now = app.clock.now()
    held = Hold(why, context.by, now)
    await context.audit.append("hold", why, {"by": context.by})
    await change_state(app.control, app.mapping, now, lambda state: replace(state, hold=held))
    return held


async def release(context: MoveContext) -> Hold | None:
    """Remove the hold and return it; None when there was none."""
    app = context.app
    held = (await require_started(app)).hold
    if held is not None:
        await context.audit.append("release", held.why, {"by": context.by, "held_by": held.by})
        await change_state(app.control, app.mapping, app.clock.now(), _released)
    return held


def _released(state: MigrationState) -> MigrationState:
    return replace(state, hold=None)
