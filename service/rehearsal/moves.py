"""The phase moves of a rehearsal, as an operator would make them: resolve what is open, ask, wait for the gate, and go."""

from dataclasses import dataclass
from typing import Any

from service.app import App
from service.control.audit import Audit
from service.control.conflicts import Conflicts, Resolution
from service.core.phases.moves import Command
from service.migration.completion import strip_stamps
from service.migration.phase.hook import PhaseHooks
from service.migration.phase.move import MoveRequest, make_move
from service.migration.phase.move_parts import MoveParts

BY = "rehearsal"
GATE_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class TimedMove:
    """One move and how long it took, in seconds: gate: until it was open; steps: each step of the move."""

    command: Command
    phase: str
    gate: float
    steps: dict[str, float]

    @property
    def seconds(self) -> float:
        """All of it."""
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
    """Make the move. Raises GateClosed when its gate stays closed for a minute, and as ``make_move`` does."""
    begun = app.clock.monotonic()
    moved = await make_move(_parts(app), MoveRequest(command, why="a rehearsal", wait_seconds=GATE_WAIT_SECONDS))
    gate = app.clock.monotonic() - begun - sum(moved.seconds.values())
    return TimedMove(command, moved.phase, max(0.0, gate), moved.seconds)


async def resolve_conflicts(app: App) -> int:
    """Settle every open conflict as v2 has settled it already; how many there were. They stay in the log."""
    conflicts = Conflicts(app.control)
    open_ids = [name for name, head in (await conflicts.heads()).items() if head.resolution is None]
    for name in open_ids:
        was = await conflicts.head(name)
        await app.store.write(conflicts.resolved_put(name, was, Resolution("v2", BY, app.clock.now())))
    return len(open_ids)


def _parts(app: App) -> MoveParts:
    async def status() -> dict[str, Any]:
        return {}  # nobody is told of a rehearsal: its settings have no hook

    audit, hooks = Audit(app.control, app.clock, BY), PhaseHooks(app.settings, app.clock, app.metrics)
    return MoveParts(app, BY, audit, hooks, status, strip_stamps)
