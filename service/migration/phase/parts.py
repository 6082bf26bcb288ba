"""What a phase move is made with, put together for a command or for the service."""

from typing import Any

from service.app import App
from service.control.audit import Audit
from service.migration.completion import strip_stamps
from service.migration.phase.caller_identity import caller_identity
from service.migration.phase.hook import PhaseHooks
from service.migration.phase.move import Parts
from service.migration.status.snapshot import take_snapshot


async def move_parts(app: App) -> Parts:
    """The parts, ready for use."""

    async def status() -> dict[str, Any]:
        """For the hook only: it takes some seconds to ask the workers."""
        return {} if app.settings.hook is None else (await take_snapshot(app)).to_json()

    who = await caller_identity(app.settings)
    hooks = PhaseHooks(app.settings, app.clock, app.metrics)
    return Parts(app, who, Audit(app.control, app.clock, who), hooks, status, strip_stamps)
