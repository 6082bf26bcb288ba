"""The gate of a phase move now: the facts, read or given, judged, with the time since when each condition is met or not."""

import asyncio
from dataclasses import replace

from service.app import App
from service.clock import iso
from service.control.gate_settings import read_gate_settings
from service.control.state import MigrationState
from service.control.workers import Workers
from service.core.phases.conditions import gate_of
from service.core.phases.facts import Facts
from service.core.phases.gate import Gate, Since, since_when
from service.core.phases.moves import PhaseMove
from service.migration.status.facts import CaughtUp, read_facts

GATE_CATCH_UP_SECONDS = 12.0


async def ask_gate(app: App, state: MigrationState, move: PhaseMove, *, caught_up: CaughtUp | None = None) -> Gate:
    """The gate of ``move`` now. ``caught_up``: None asks the workers, for some seconds at most.

    Raises Fatal when a record is damaged.
    """
    known = caught_up or await ask_caught_up(app)
    return await gate_by(app, move, await read_facts(app, state, known))


async def gate_by(app: App, move: PhaseMove, facts: Facts) -> Gate:
    """The gate of ``move`` by these facts and the migration's own thresholds.

    Stores since when each condition is met or not; every later answer starts from it.
    """
    gate = gate_of(move, facts, await read_gate_settings(app.control))
    records = app.control.records("gate", dict[str, Since])
    since = await records.change(  # writes only when a condition has changed
        f"{move.start}-{move.to}", lambda before: since_when(gate.conditions, before or {}, facts.now)
    )
    dated = (replace(condition, since=iso(since[condition.name].since)) for condition in gate.conditions)
    return replace(gate, conditions=tuple(dated))


async def ask_caught_up(app: App) -> CaughtUp:
    """Whether each direction has caught up since now; both are asked at once. False where that is not known in time."""
    workers = Workers(app.control, app.clock)
    forward, reverse = await asyncio.gather(
        workers.caught_up(GATE_CATCH_UP_SECONDS), workers.caught_up(GATE_CATCH_UP_SECONDS, ("reverse",))
    )
    return CaughtUp(forward, reverse)
