"""An operator's hold keeps every gate closed until it is released. Both acts are recorded in the audit log."""

from dataclasses import replace

from service.control.state import Hold, MigrationState, change_state
from service.migration.phase.move_parts import MoveParts
from service.sync.positions import require_started


async def hold(parts: MoveParts, why: str) -> Hold:
    """Close every gate; replaces an earlier hold. Raises Misconfigured before the migration has started."""
    app = parts.app
    await require_started(app)
    now = app.clock.now()
    held = Hold(why, parts.by, now)
    await parts.audit.append("hold", why, {"by": parts.by})
    await change_state(app.control, app.mapping, now, lambda state: replace(state, hold=held))
    return held


async def release(parts: MoveParts) -> Hold | None:
    """Remove the hold and return it; None when there was none."""
    app = parts.app
    held = (await require_started(app)).hold
    if held is not None:
        await parts.audit.append("release", held.why, {"by": parts.by, "held_by": held.by})
        await change_state(app.control, app.mapping, app.clock.now(), _released)
    return held


def _released(state: MigrationState) -> MigrationState:
    return replace(state, hold=None)
