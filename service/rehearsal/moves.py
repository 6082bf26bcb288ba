"""The phase moves of a rehearsal, made as an operator makes them: resolve the open conflicts, wait for the gate, move."""

from dataclasses import dataclass
from typing import Any

from service.app import App
from service.control.audit import Audit
from service.control.conflicts import Conflicts, Resolution
from service.core.phases.moves import Command
from service.migration.completion import finish_v2
from service.migration.phase.hook import PhaseHooks
from service.migration.phase.move import MoveRequest, make_move
from service.migration.phase.move_context import MoveContext

BY = "rehearsal"
GATE_WAIT_SECONDS = 300.0
"""Long, because a rehearsal may run on a machine that is busy with other work; how long it took is in the report."""


@dataclass(frozen=True, slots=True)
class TimedMove:
    """One move, and how many seconds it took."""

    command: Command
    phase: str
    """The phase that it led to."""

    gate: float
    """Seconds until the gate was open."""

    steps: dict[str, float]
    """Seconds of each step, by name."""

    @property
    def seconds(self) -> float:
        """The wait for the gate and all steps."""
        return self.gate + sum(self.steps.values())

    def to_json(self) -> dict[str, Any]:
        """Times rounded to tenths of a second."""
        steps = {name: round(seconds, 1) for name, seconds in self.steps.items()}
        return {
            "command": self.command,
            "phase": self.phase,
            "seconds": round(self.seconds, 1),
            "gate": round(self.gate, 1),
            "steps": steps,
        }

    def to_text(self) -> str:
        """One line."""
        steps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.steps.items())
        return f"{self.command:16} to {self.phase:8} {self.seconds:5.1f} s (gate {self.gate:.1f}, {steps})"


async def move(app: App, command: Command) -> TimedMove:
    """Make the move. Raises GateClosed when the gate stays closed for GATE_WAIT_SECONDS, and what ``make_move`` raises."""
    begun = app.clock.monotonic()
    moved = await make_move(_move_context(app), MoveRequest(command, why="a rehearsal", wait_seconds=GATE_WAIT_SECONDS))
    gate = app.clock.monotonic() - begun - sum(moved.seconds.values())
    return TimedMove(command, moved.phase, max(0.0, gate), moved.seconds)


async def resolve_conflicts(app: App) -> int:
    """Mark every open conflict as resolved in favour of v2, which has won it already. Returns how many; they stay in the log."""
    conflicts = Conflicts(app.control)
    open_ids = list(await conflicts.open_heads())
    for conflict_id in open_ids:
        was = await conflicts.head(conflict_id)
        await conflicts.resolve(conflict_id, was, Resolution("v2", BY, app.clock.now()))
    return len(open_ids)


def _move_context(app: App) -> MoveContext:
    async def status() -> dict[str, Any]:
        return {}  # only a hook gets the status, and a rehearsal's settings have none

    audit, hooks = Audit(app.control, app.clock, BY, logged=False), PhaseHooks(app.settings, app.clock, app.metrics)
    return MoveContext(app, BY, audit, hooks, status, finish_v2)
