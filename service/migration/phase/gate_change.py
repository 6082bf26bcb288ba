"""Changes the gate's settings (``service.control.gate_settings``) to those of this environment.

The hook in force is asked before, as before a move: it cannot be taken away without its consent. Only where it does not answer may
an operator go on without it, by an override that is asked for twice. Every change is in the audit log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from service.control.gate_settings import (
    DEFAULTS,
    NAME,
    GateSettings,
    gate_settings_records,
    own_gate_settings,
    read_gate_settings,
    stored_gate_settings,
)
from service.control.leases import MOVE_LEASE, Lease
from service.control.workers import worker_id
from service.errors import Misconfigured, Refused
from service.log import get_logger
from service.migration.phase.hook import HookSilent
from service.migration.phase.move_context import MoveContext
from service.migration.status.facts import move_text
from service.sync.positions import require_started

HOOK = "hook"
"""What --force may name."""
Rows = dict[str, float | str | None]


@dataclass(frozen=True, slots=True)
class GateSettingsView:
    """The settings in force, and those of this environment."""

    in_force: GateSettings
    environment: GateSettings
    changed: bool = False

    def to_json(self) -> dict[str, Any]:
        """The document of `gate-settings --json`."""
        shown = {"in_force": self.in_force.to_json(), "environment": self.environment.to_json()}
        return {**shown, "changed": self.changed}

    def to_text(self) -> str:
        """One line for each setting."""
        own = self.environment.to_json()
        lines = [_line(name, value, own[name]) for name, value in self.in_force.to_json().items()]
        return "\n".join([*lines, "stored"] if self.changed else lines)


async def show_gate_settings(context: MoveContext) -> GateSettingsView:
    """Both. Raises Misconfigured before the migration has started."""
    app = context.app
    await require_started(app)
    return GateSettingsView(await read_gate_settings(app.control), own_gate_settings(app.settings))


async def store_gate_settings(context: MoveContext, why: str, forced: Sequence[str] = ()) -> GateSettingsView:
    """Make this environment's settings those of the migration. Where they are so already, nothing happens.

    Raises Refused when the hook in force vetoes it, when it does not answer and ``forced`` does not name it, while a move is under
    way, and when another process has changed them meanwhile; Misconfigured before the migration has started.
    """
    app = context.app
    if unknown := set(forced) - {HOOK}:
        raise Misconfigured(f"{min(unknown)} cannot be overridden here", remedy=f"only: --force {HOOK}")
    await require_started(app)
    async with Lease.try_acquire(app.control, MOVE_LEASE, worker_id(), app.clock, app.settings):
        state = await require_started(app)
        if state.move is not None:
            raise Refused(f"a move is under way: {move_text(state)}", remedy="end it first")
        was = await stored_gate_settings(app.control)
        before, after = DEFAULTS if was is None else was.value, own_gate_settings(app.settings)
        if was is not None and before == after:
            return GateSettingsView(before, after)
        facts = {"before": before.to_json(), "after": after.to_json(), "forced": list(forced)}
        document = {"to": state.phase, "phase": state.phase, "by": context.by, "why": why, "gate_settings": facts}
        await _ask_hook(context, why, document, forced)
        newest = await context.audit.append("gate settings", why, facts)
        if await gate_settings_records(app.control).put(NAME, after, was) is None:
            raise Refused("another process has changed the gate's settings meanwhile", remedy="run this again")
        await context.hooks.after({**document, "audit": newest.to_json()}, await context.status())
        return GateSettingsView(after, after, changed=True)


async def _ask_hook(context: MoveContext, why: str, document: dict[str, Any], forced: Sequence[str]) -> None:
    try:
        await context.hooks.before(document, await context.status())
    except HookSilent as silent:
        if HOOK not in forced:
            raise Refused(silent.message, remedy=f"fix the hook; if it is gone for good: --force {HOOK}") from silent
        get_logger().warning("the hook is left out", reason=silent.message)
    except Refused as veto:
        await context.audit.append("gate settings vetoed", why, {**document, "veto": veto.message})
        raise


def _line(name: str, value: float | str | None, own: float | str | None) -> str:
    shown = f"{name}={_shown(value)}"
    return shown if value == own else f"{shown}   (this environment: {_shown(own)})"


def _shown(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:g}"
