"""An operator's hold: it keeps every gate closed until it is released. Both are written to the audit log."""

from dataclasses import replace

from service.control.state import Hold, MigrationState, change_state
from service.migration.phase.move import MoveParts
from service.sync.positions import require_started


async def hold(parts: MoveParts, why: str) -> Hold:
    """Close every gate; in the place of an earlier hold, if there was one. Raises Misconfigured before the start."""
    app = parts.app
    await require_started(app)
    now = app.clock.now()
    held = Hold(why, parts.by, now)
    await parts.audit.append("hold", why, {"by": parts.by})
    await change_state(app.control, app.mapping, now, lambda state: replace(state, hold=held))
    return held


async def release(parts: MoveParts) -> Hold | None:
    """Take the hold away; what it was, or None when there was none."""
    app = parts.app
    held = (await require_started(app)).hold
    if held is not None:
        await parts.audit.append("release", held.why, {"by": parts.by, "held_by": held.by})
        await change_state(app.control, app.mapping, app.clock.now(), _released)
    return held


def _released(state: MigrationState) -> MigrationState:
    return replace(state, hold=None)
