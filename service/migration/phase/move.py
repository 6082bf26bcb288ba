"""A phase move from the asking to the end: the gate, the hook, and steps that are persisted one by one.

One move at a time, under the lease "move". Killed anywhere, the same command goes on where it stopped. What is told to the
outside (the hook after a move, the audit log) is told before the move is over, and so again when it was killed in between.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from service.app import App
from service.control.leases import Lease
from service.control.state import MigrationState, Move, change_state, load_started_state
from service.control.workers import worker_id
from service.core.phases.conditions import NEVER_FORCED
from service.core.phases.gate import Gate, GateClosed, require_forceable
from service.core.phases.moves import (
    WITHDRAWABLE,
    Begin,
    Command,
    No,
    PhaseMove,
    UnderWay,
    Withdraw,
    decide,
    first_step,
    opposite,
    phase_row,
    step_after,
)
from service.errors import Fatal, Fenced, Refused
from service.log import get_logger
from service.migration.phase.steps import Steps, Strip
from service.migration.status.facts import move_text
from service.migration.status.gate import ask_gate
from service.sync.positions import require_started

MOVE_LEASE = "move"
LOOK_SECONDS = 1.0

Document = dict[str, Any]


class AuditLog(Protocol):
    """Where every move is written down (``service.control.audit``)."""

    async def append(self, action: str, why: str, facts: Document) -> object: ...


class Hooks(Protocol):
    """What is called before and after a move (``service.migration.phase.hook``). ``before`` raises Refused to veto it."""

    async def before(self, move: Document, status: Document) -> None: ...

    async def after(self, move: Document, status: Document) -> None: ...


@dataclass(frozen=True, slots=True)
class MoveParts:
    """What a move is made with. by: who asks; status: the document of `status --json`; gate: ``ask_gate``."""

    app: App
    by: str
    audit: AuditLog
    hooks: Hooks
    status: Callable[[], Awaitable[Document]]
    strip: Strip
    gate: Callable[[App, MigrationState, PhaseMove], Awaitable[Gate]] = ask_gate


@dataclass(frozen=True, slots=True)
class Ask:
    """What the operator asks for. forced: conditions to override; wait_seconds: how long to wait for the gate to open."""

    command: Command
    why: str = ""
    forced: tuple[str, ...] = ()
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Moved:
    """How a move ended. seconds: of each step that was done here."""

    phase: str
    said: str
    seconds: dict[str, float]

    def to_json(self) -> Document:
        """The document of `cutover --json` and its like."""
        return {**asdict(self), "total_seconds": round(sum(self.seconds.values()), 3)}

    def to_text(self) -> str:
        """A line a step, then where the migration stands."""
        return "\n".join([*(f"{step:12} {seconds:.1f} s" for step, seconds in self.seconds.items()), self.said])


async def make_move(parts: MoveParts, ask: Ask) -> Moved:
    """Make the move that ``ask.command`` means, go on with it, or give it up.

    Raises GateClosed, Refused (no such move, another is running, vetoed, not to be overridden), Misconfigured for an unknown
    condition, Fatal when a step's deadline passes: its message names who was waited for, its remedy goes on.
    """
    app = parts.app
    await require_started(app)
    async with Lease.try_acquire(app.control, MOVE_LEASE, worker_id(), app.clock, app.settings) as lease:
        state = await _load(app)
        decision = decide(ask.command, state.acting, under_way(state))
        if isinstance(decision, No):
            raise Refused(decision.reason, remedy=decision.remedy)
        if isinstance(decision, Withdraw):
            return await _withdraw(parts, ask, lease, state, decision.said)
        if isinstance(decision, Begin):
            await _begin(parts, ask, lease, decision.move)
        return await _go_on(parts, ask, lease)


def under_way(state: MigrationState) -> UnderWay | None:
    """The move that has begun, as ``core.phases`` sees it."""
    return None if state.move is None else UnderWay(state.move.to, state.move.step)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a command would do now. gate: of the move that it would begin; None: it would go on with one, or give one up."""

    said: str
    gate: Gate | None

    @property
    def ok(self) -> bool:
        """Whether the command would go through the gate."""
        return self.gate is None or self.gate.open

    def to_json(self) -> Document:
        """The document of `cutover --dry-run --json`."""
        return {"said": self.said, **(self.gate.to_json() if self.gate is not None else {})}

    def to_text(self) -> str:
        """The gate, then what would be."""
        return "\n".join([*([self.gate.to_text()] if self.gate is not None else []), self.said])


async def preview_move(app: App, command: Command) -> Preview:
    """What ``command`` would do, changing nothing. Raises Refused where it leads nowhere."""
    state = await require_started(app)
    decision = decide(command, state.acting, under_way(state))
    match decision:
        case No(reason, remedy):
            raise Refused(reason, remedy=remedy)
        case Begin(move):
            said = f"{move.command} leads from {move.start} to {move.to}: {move.keeps}"
            return Preview(said, await ask_gate(app, state, move))
        case Withdraw(said):
            return Preview(said, None)
    return Preview(f"goes on with the move {move_text(state)}", None)


async def _begin(parts: MoveParts, ask: Ask, lease: Lease, phase_move: PhaseMove) -> None:
    gate = await open_gate(parts, ask, phase_move)
    state = await _load(parts.app)
    now = parts.app.clock.now()
    forced = tuple(one.name for one in gate.closed)
    move = Move(phase_move.to, first_step(phase_move, state.rule), now, now, parts.by, ask.why, forced)
    await _ask_hook(parts, state, move)
    facts = {**_document(state, move), "gate": gate.to_json()}
    await parts.audit.append("move begun", ask.why, facts)
    await _store(parts, lease, None, move)


async def open_gate(parts: MoveParts, ask: Ask, phase_move: PhaseMove) -> Gate:
    """The gate once it is open, or all that closes it is overridden. Raises GateClosed when it stays closed."""
    clock = parts.app.clock
    deadline = clock.monotonic() + ask.wait_seconds
    while True:
        gate = await parts.gate(parts.app, await _load(parts.app), phase_move)
        require_forceable(ask.forced, gate, NEVER_FORCED)
        if gate.open_despite(ask.forced):
            return gate
        if clock.monotonic() >= deadline:
            raise GateClosed(gate, ask.forced)
        await clock.sleep(LOOK_SECONDS)


async def _ask_hook(parts: MoveParts, state: MigrationState, move: Move) -> None:
    try:
        await parts.hooks.before(_document(state, move), await parts.status())
    except Refused as veto:
        await parts.audit.append("move vetoed", move.why, {**_document(state, move), "veto": veto.message})
        raise


async def _go_on(parts: MoveParts, ask: Ask, lease: Lease) -> Moved:
    """Do the step that the move is at, persist the next one, until there is none."""
    seconds: dict[str, float] = {}
    while (move := (await _load(parts.app)).move) is not None:
        begun = parts.app.clock.monotonic()
        await _do(parts, ask, lease, move)
        seconds[move.step] = round(parts.app.clock.monotonic() - begun, 3)
        get_logger().info("step of a move is done", to=move.to, step=move.step, seconds=seconds[move.step])
        following = step_after(move.to, move.step)  # type: ignore[arg-type]  # a step of core.phases, stored as text
        if following is None:
            await _tell(parts, "phase entered", move, "entered")
        after = None if following is None else replace(move, step=following, since=parts.app.clock.now())
        await _store(parts, lease, move, after)
    return Moved((state := await _load(parts.app)).phase, _said(state), seconds)


async def _do(parts: MoveParts, ask: Ask, lease: Lease, move: Move) -> None:
    try:
        await Steps(parts.app, move.to, lease.check, parts.strip).do(move.step)
    except (Fenced, Refused):
        raise
    except Fatal as failure:
        remedy = f"{failure.remedy or 'mend that'}, then go on with: tablesplit {ask.command}"
        if move.step in WITHDRAWABLE:
            remedy += f" (or give the move up: tablesplit {opposite(ask.command)})"
        raise Fatal(f"the move to {move.to} stands at {move.step}: {failure.message}", remedy=remedy) from failure


async def _withdraw(parts: MoveParts, ask: Ask, lease: Lease, state: MigrationState, said: str) -> Moved:
    assert state.move is not None
    await _tell(parts, "move given up", replace(state.move, why=ask.why), "given up")
    await _store(parts, lease, state.move, None)
    return Moved(state.phase, said, {})


async def _tell(parts: MoveParts, action: str, move: Move, outcome: str) -> None:
    state = await _load(parts.app)
    document = {**_document(state, move), "outcome": outcome}
    await parts.audit.append(action, move.why, document)
    await parts.hooks.after(document, await parts.status())


async def _store(parts: MoveParts, lease: Lease, was: Move | None, move: Move | None) -> None:
    """Replace the move under way. Raises Refused when it is not as it was: somebody has edited it, or taken over. A backfill and
    a first move shut each other out here, because both are begun in this one record."""

    def replaced(state: MigrationState) -> MigrationState:
        if state.move not in (was, move):
            raise Refused(f"another move is under way: {move_text(state)}", remedy="see: tablesplit status")
        if was is None and state.rule == "guarded" and state.backfill_finished_at is None:
            raise Refused("a backfill has begun since the gate was asked", remedy="finish it first: tablesplit migrate")
        return replace(state, move=move)

    lease.check()
    await change_state(parts.app.control, parts.app.mapping, parts.app.clock.now(), replaced)


def _document(state: MigrationState, move: Move) -> Document:
    return {"phase": state.phase, **asdict(move), "forced": list(move.forced)}


def _said(state: MigrationState) -> str:
    writes = " and ".join(phase_row(state.acting).writes)
    return f"phase {state.phase}: the application may write {writes}"


async def _load(app: App) -> MigrationState:
    return await load_started_state(app.control, app.mapping)
