"""What a phase move is made with, put together for a command or for the service."""

from typing import Any

from service.app import App
from service.audit import Audit
from service.caller_identity import caller_identity
from service.completing import strip_stamps
from service.moving import Parts
from service.phase_hooks import PhaseHooks
from service.snapshot import take_snapshot


async def move_parts(app: App) -> Parts:
    """The parts, ready for use."""

    async def status() -> dict[str, Any]:
        """For the hook only: it takes some seconds to ask the workers."""
        return {} if app.settings.hook is None else (await take_snapshot(app)).to_json()

    who = await caller_identity(app.settings)
    hooks = PhaseHooks(app.settings, app.clock, app.metrics)
    return Parts(app, who, Audit(app.control, app.clock, who), hooks, status, strip_stamps)
