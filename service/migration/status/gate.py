"""The facts of a gate, from the control table alone: it is judged alike on every machine."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from backfill.records import read_run_status
from service.app import App
from service.clock import iso
from service.control.activity import Activities
from service.control.conflicts import Conflicts
from service.control.quarantine import Quarantine
from service.control.state import MigrationState
from service.control.table import ControlTable
from service.control.verification import read_verification
from service.control.workers import Beat, LaneName, Workers, owner_among
from service.core.phases.acting import Side
from service.core.phases.conditions import Facts, FullValidation, LaneFacts, SideFacts, WorkerFacts, gate_of
from service.core.phases.gate import Gate, Since, standings
from service.core.phases.moves import PhaseMove
from service.validation.records import latest_full

CAUGHT_UP_WITHIN_SECONDS = 12.0

Tips = tuple[bool, bool]
"""Whether forward and reverse have caught up."""


async def ask_gate(app: App, state: MigrationState, move: PhaseMove, *, tips: Tips | None = None) -> Gate:
    """The gate of ``move`` now. ``tips``: when the caller knows them; None asks the workers, for some seconds at most.

    Notes since when each condition is as it is, for whoever asks next. Raises Fatal when a record is damaged.
    """
    if tips is None:
        tips = await ask_tips(Workers(app.control, app.clock))
    facts = await _gathered(app, state, tips)
    gate = gate_of(move, facts, app.settings)
    since = await _noted(app.control, move, gate, facts.now)
    dated = tuple(replace(one, since=iso(since[one.name].since)) for one in gate.conditions)
    return replace(gate, conditions=dated)


async def ask_tips(workers: Workers) -> Tips:
    """Whether each direction has caught up, asked of both at once."""
    forward, reverse = await asyncio.gather(
        workers.caught_up(CAUGHT_UP_WITHIN_SECONDS), workers.caught_up(CAUGHT_UP_WITHIN_SECONDS, ("reverse",))
    )
    return forward, reverse


def move_text(state: MigrationState) -> str | None:
    """The move under way, for people; None: there is none."""
    move = state.move
    return None if move is None else f"to {move.to}: {move.step} since {iso(move.since)} (by {move.by})"


def hold_text(state: MigrationState) -> str | None:
    """Why an operator keeps the gate closed; None: nobody does."""
    hold = state.hold
    return None if hold is None else f"{hold.why} (by {hold.by}, {iso(hold.at)})"


def gap_texts(state: MigrationState) -> tuple[str, ...]:
    """Whose stream records were lost, a repair being owed."""
    gaps = {"the old table": state.gap_since, "a v2 table": state.reverse_gap_since}
    return tuple(f"stream records of {whose} were lost, accepted at {iso(at)}" for whose, at in gaps.items() if at)


async def _gathered(app: App, state: MigrationState, tips: Tips) -> Facts:
    workers = Workers(app.control, app.clock)
    beats, heard = await workers.all(), await workers.heard()
    now = app.clock.now()
    standing = await read_run_status(app.control, now)
    conflicts = Conflicts(app.control)
    verification = await read_verification(app.control)
    return Facts(
        now=now,
        phase_since=state.phase_since,
        backfill="not started" if standing is None else standing.state,
        forward=_lane(heard, "forward", tips[0]),
        reverse=_lane(heard, "reverse", tips[1]),
        validation=await _validation(app.control),
        quarantine=len(await Quarantine(app.control, app.clock).heads()),
        conflicts=await conflicts.count_open() + len(await conflicts.held()),
        unverified=len(verification.differences) if verification is not None else 0,
        sides=await _sides(app.control),
        gaps=gap_texts(state),
        hold=hold_text(state),
        moving=move_text(state),
        workers=tuple(_worker(name, beat, now, name in heard) for name, beat in beats.items()),
    )


def _lane(heard: Mapping[str, Beat], name: LaneName, caught_up: bool) -> LaneFacts:
    owner = owner_among(dict(heard), name)
    if owner is None:
        return LaneFacts()
    said = owner[1].lane(name)
    return LaneFacts(
        owner[0],
        caught_up,
        said.lag_seconds,
        said.lag_low_since,
        said.retention_headroom_seconds,
        said.tombstones_overdue,
    )


def _worker(name: str, beat: Beat, now: float, heard: bool) -> WorkerFacts:
    failure = beat.forward.failure or beat.reverse.failure
    return WorkerFacts(name, max(0.0, now - beat.said_at), heard, failure)


async def _sides(control: ControlTable) -> dict[Side, SideFacts]:
    found = await Activities(control).load()
    return {side: SideFacts(one.last_change_at, one.intruders, one.last_intruder_at) for side, one in found.items()}


async def _validation(control: ControlTable) -> FullValidation | None:
    run = await latest_full(control)
    if run is None:
        return None
    return FullValidation(
        equal=run.equal,
        differences=run.differences_total,
        inverse_failures=run.inverse_failures,
        started_at=run.started_seconds,
        finished_at=run.finished_seconds,
    )


async def _noted(control: ControlTable, move: PhaseMove, gate: Gate, now: float) -> dict[str, Since]:
    """Since when each condition is as it is; written only when one has changed."""
    records = control.records("gate", dict[str, Since])
    return await records.change(f"{move.start}-{move.to}", lambda was: standings(gate.conditions, was or {}, now))
