"""The phase over HTTP: the gate, the present phase, and moves that run in the background of this process."""

import asyncio
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any, cast

from service.app import App
from service.clock import iso
from service.control.state import MigrationState, Move
from service.core.phases.acting import Phase
from service.core.phases.moves import (
    STEP_TEXTS,
    Begin,
    Command,
    NotPossible,
    PhaseMove,
    Step,
    command_to,
    decide,
    expected_text,
    move_between,
    next_move,
    phase_row,
    steps_from,
    steps_of,
)
from service.errors import Misconfigured, Refused, as_ours
from service.http_api.shared import Shared
from service.log import get_logger
from service.migration.phase.hold import hold, release
from service.migration.phase.move import MoveRequest, make_move, open_gate, under_way
from service.migration.phase.move_context import LoggedProgress, move_context
from service.migration.status.facts import hold_text
from service.migration.status.gate import gate_by
from service.migration.status.status import Status
from service.sync.positions import require_started


class ShownProgress(LoggedProgress):
    """Knows what the move that this process makes waits for now."""

    def __init__(self) -> None:
        self.waits_for: str | None = None

    def begins(self, to: Phase, step: Step) -> None:
        """The step waits for nothing that is known yet."""
        self.waits_for = None
        super().begins(to, step)

    def waits(self, text: str) -> None:
        """The step has looked, and still waits."""
        self.waits_for = text

    def ends(self, to: Phase, step: Step, seconds: float) -> None:
        """The step waits no more."""
        self.waits_for = None
        super().ends(to, step, seconds)


class PhaseView:
    """Behind /v1/gate and /v1/phase."""

    def __init__(self, app: App, status: Shared[Status]) -> None:
        self._app = app
        self._status = status
        self._state = Shared(partial(require_started, app), app.clock)
        self._moving: asyncio.Task[None] | None = None
        self._failed: dict[str, Any] | None = None
        self._progress = ShownProgress()

    async def gate(self, to: Phase | None) -> dict[str, Any]:
        """The gate of the move to ``to``, or of the one that leads on (None), by the shared status. Raises Refused when there is no
        such move. A move that is begun judges its gate anew."""
        status = await self._status.get()
        phase = status.facts.phase
        move = next_move(phase) if to is None else move_between(phase, to)
        if move is None:
            raise _no_move(phase, to)
        known = status.gate is not None and status.gate.to == move.to
        gate = status.gate if known else await gate_by(self._app, move, status.facts)
        assert gate is not None
        return {**gate.to_json(), "as_of": iso(status.facts.now)}

    async def phase(self) -> dict[str, Any]:
        """The document of /v1/phase: the phase, the move under way, and why the last move that began here has stopped."""
        state = await self._state.get()
        row, onward = phase_row(state.acting), next_move(state.phase)
        return {
            "phase": state.phase,
            "since": iso(state.phase_since),
            "rule": state.rule,
            "application_writes": list(row.writes),
            "forward": row.forward,
            "reverse": row.reverse,
            "move": None if state.move is None else asdict(state.move),
            "waits_for": self._progress.waits_for,
            "steps": [] if state.move is None else shown_steps(state.move, self._app.settings.writer_horizon_seconds),
            "hold": hold_text(state),
            "next": None if onward is None else onward.to,
            "failed": self._failed,
        }

    async def start(
        self,
        to: Phase,
        why: str,
        forced: tuple[str, ...],
        leave_behind: int | None = None,
        *,
        table: str | None = None,
        by: str = "",
    ) -> None:
        """Begin, resume or give up a move in the background, once its gate is open. ``leave_behind``: of a rollback, how many keys
        the operator leaves behind. ``table``: the old table's name, as a confirmation. ``by``: who asked, for the audit log.

        Raises GateClosed (KeysLeftBehind), Refused (no such move, or one already runs here), Misconfigured for an unknown
        condition, another table's name, and where completing is not confirmed by the name.
        """
        _require_confirmed(to, table, self._app.mapping.old.table)
        if self._moving is not None and not self._moving.done():
            raise Refused("a move runs in this process", remedy="watch it: GET /v1/phase")
        state = await require_started(self._app)
        command, move = _command(state, to)
        request = MoveRequest(command, why, forced, leave_behind=leave_behind)
        if move is not None:
            await open_gate(await move_context(self._app, by), request, move)
        self._failed = None
        self._moving = asyncio.create_task(self._move(request, by))
        await self._renew()

    async def hold(self, why: str, *, by: str = "") -> dict[str, Any]:
        """Close every gate; returns the hold."""
        held = await hold(await move_context(self._app, by), why)
        await self._renew()
        return {"hold": asdict(held)}

    async def release(self, *, by: str = "") -> dict[str, Any]:
        """Remove the hold; returns what it was."""
        held = await release(await move_context(self._app, by))
        await self._renew()
        return {"released": None if held is None else asdict(held)}

    async def _renew(self) -> None:
        await self._state.renew()
        await self._status.renew()

    async def close(self) -> None:
        """Stop a move that runs; the same command resumes it."""
        await self._state.close()
        if self._moving is not None:
            self._moving.cancel()
            with suppress(asyncio.CancelledError):
                await self._moving

    async def _move(self, request: MoveRequest, by: str) -> None:
        try:
            context = await move_context(self._app, by)
            await make_move(replace(context, progress=self._progress), request)
        except Exception as stopped:  # noqa: BLE001 - whatever it was, the page shows it
            failure = as_ours(stopped)
            get_logger().error("a phase move has stopped", command=request.command, **failure.to_log())
            self._failed = failure.to_json()
            self._progress.waits_for = None
        await self._renew()


def shown_steps(move: Move, horizon_seconds: float) -> list[dict[str, Any]]:
    """Every step of the move under way, in order."""
    now = cast(Step, move.step)  # a step of core.phases, stored as text
    left = steps_from(move.to, now)
    return [
        {
            "name": step,
            "text": STEP_TEXTS[step],
            "expected": expected_text(step, horizon_seconds),
            "state": "now" if step == now else "next" if step in left else "done",
        }
        for step in steps_of(move.to, now)
    ]


def _require_confirmed(to: Phase, table: str | None, name: str) -> None:
    if table not in (None, name):
        raise Misconfigured(f"table {table}: this is the migration of table {name}", remedy="nothing was changed")
    if to == "complete" and table is None:
        raise Misconfigured(
            "completing cannot be undone", remedy=f"confirm it: give the old table's name, {name}, in `table`"
        )


def _command(state: MigrationState, to: Phase) -> tuple[Command, PhaseMove | None]:
    """The command that leads to ``to``, and the move that it would begin. Raises Refused where it leads nowhere."""
    command = command_to(to, state.phase, under_way(state))
    if command is None:
        raise _no_move(state.phase, to)
    decision = decide(command, state.acting, under_way(state))
    if isinstance(decision, NotPossible):
        raise Refused(decision.reason, remedy=decision.remedy)
    return command, decision.move if isinstance(decision, Begin) else None


def _no_move(phase: Phase, to: Phase | None) -> Refused:
    onward = next_move(phase)
    remedy = "there is nothing left to move" if onward is None else f"from here on: {onward.to}"
    return Refused(f"no move leads from {phase}{f' to {to}' if to else ''}", remedy=remedy)
