"""A phase move from the request to its end: the gate, the hook, and steps that are stored one by one.

One move at a time, under the lease "move". After a kill at any point, the same command goes on where it stopped. The hook after
a move and the audit log are called before the move is marked as ended, and so once more when a kill came in between.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, cast

from service.app import App
from service.control.leases import MOVE_LEASE, Lease
from service.control.state import MigrationState, Move, change_state, load_started_state
from service.control.workers import worker_id
from service.core.phases.conditions import NEVER_FORCED
from service.core.phases.gate import Gate, require_forceable
from service.core.phases.left_behind import WAYS_BACK, LeftBehind, refusal
from service.core.phases.moves import (
    COMPLETE,
    WITHDRAWABLE,
    Begin,
    Command,
    NotPossible,
    PhaseMove,
    Step,
    UnderWay,
    Withdraw,
    decide,
    first_step,
    opposite,
    phase_row,
    step_after,
)
from service.errors import Fatal, Misconfigured, Refused
from service.escape import escaped
from service.failpoints import failpoint
from service.migration.phase.move_context import MoveContext
from service.migration.phase.steps import Steps
from service.migration.status.facts import move_text
from service.migration.status.gate import ask_gate
from service.migration.status.left_behind import read_left_behind
from service.migration.status.left_out import LeftOut, read_left_out
from service.sync.positions import require_started
from service.telemetry.tracing import span

GATE_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class MoveRequest:
    """What the operator asks for."""

    command: Command
    why: str = ""
    forced: tuple[str, ...] = ()
    """Names of the conditions to override."""
    wait_seconds: float = 0.0
    """How long to wait for the gate to open."""
    leave_behind: int | None = None
    """In a rollback, how many keys the operator leaves behind; None: not said."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How a move ended."""

    phase: str
    text: str
    """The outcome in one line, for people."""
    seconds: dict[str, float]
    """Duration of each step that this process did."""
    behind: LeftBehind | None = None
    """What a rollback left behind, read at its end; None after another move."""
    left_out: LeftOut | None = None
    """What `complete` left in the old table, as the mapping says; None where it says nothing, and after another move."""

    def to_json(self) -> dict[str, Any]:
        """The document of `cutover --json` and the other phase commands."""
        total = round(sum(self.seconds.values()), 3)
        document = {"phase": self.phase, "said": self.text, "seconds": self.seconds, "total_seconds": total}
        return document | _named(left_behind=self.behind, left_out=self.left_out)

    def to_text(self) -> str:
        """One line for each step, then the outcome, and what a rollback left behind, or `complete` left out."""
        steps = (f"{step:12} {seconds:.1f} s" for step, seconds in self.seconds.items())
        stays = [part.to_text() for part in (self.behind, self.left_out) if part is not None]
        return "\n".join([*steps, escaped(self.text), *stays])


def _named(**parts: LeftBehind | LeftOut | None) -> dict[str, Any]:
    return {name: part.to_json() for name, part in parts.items() if part is not None}


async def make_move(context: MoveContext, request: MoveRequest) -> Moved:
    """Make the move that ``request.command`` means, resume it, or withdraw the move under way.

    Raises GateClosed (KeysLeftBehind), Refused (no such move, another one is running, vetoed, a condition that cannot be
    overridden), Misconfigured for an unknown condition, Fatal when a step's deadline passes: its message names the worker that it
    waited for, its remedy is the command that goes on.
    """
    with span("phase move", command=request.command):
        return await _make_move(context, request)


async def _make_move(context: MoveContext, request: MoveRequest) -> Moved:
    app = context.app
    await require_started(app)
    async with Lease.try_acquire(app.control, MOVE_LEASE, worker_id(), app.clock, app.settings) as lease:
        state = await _load(app)
        match decide(request.command, state.acting, under_way(state)):
            case NotPossible(reason, remedy):
                raise Refused(reason, remedy=remedy)
            case Withdraw(outcome):
                return await _withdraw(context, request, lease, state, outcome)
            case Begin(move):
                await _begin(context, request, lease, move)
        return await _resume(context, request, lease)


def under_way(state: MigrationState) -> UnderWay | None:
    """The move that has begun, as ``core.phases`` takes it."""
    return None if state.move is None else UnderWay(state.move.to, state.move.step)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a command would do now."""

    text: str
    """One line, for people."""
    gate: Gate | None
    """Of the move that it would begin; None: it would resume a move, or withdraw one."""
    behind: LeftBehind | None = None
    """What it would leave behind, if it would begin a rollback."""
    left_out: LeftOut | None = None
    """What stays in the old table, if it would begin to complete."""

    @property
    def ok(self) -> bool:
        """Whether no gate stops the command."""
        return self.gate is None or self.gate.open

    def to_json(self) -> dict[str, Any]:
        """The document of `cutover --dry-run --json`."""
        gate = self.gate.to_json() if self.gate is not None else {}
        return {"said": self.text, **gate, **_named(left_behind=self.behind, left_out=self.left_out)}

    def to_text(self) -> str:
        """The gate, then what the command would do, and what it would leave behind."""
        parts = (self.gate, self.text, self.behind, self.left_out)
        return "\n".join(
            escaped(part) if isinstance(part, str) else part.to_text() for part in parts if part is not None
        )


async def preview_move(app: App, command: Command) -> Preview:
    """What ``command`` would do; changes nothing. Raises Refused where it leads nowhere."""
    state = await require_started(app)
    match decide(command, state.acting, under_way(state)):
        case NotPossible(reason, remedy):
            raise Refused(reason, remedy=remedy)
        case Begin(move):
            text = f"{move.command} leads from {move.start} to {move.to}: {move.keeps}"
            behind = await read_left_behind(app) if move in WAYS_BACK else None
            return Preview(text, await ask_gate(app, state, move), behind, await _left_out(app, move.to))
        case Withdraw(outcome):
            return Preview(outcome, None)
    return Preview(f"goes on with the move {move_text(state)}", None)


async def _begin(context: MoveContext, request: MoveRequest, lease: Lease, phase_move: PhaseMove) -> None:
    gate, behind = await open_gate(context, request, phase_move)
    state = await _load(context.app)
    now = context.app.clock.now()
    forced = tuple(condition.name for condition in gate.closed)
    step = first_step(phase_move, state.rule)
    move = Move(phase_move.to, step, now, now, context.by, request.why, forced, behind.count)
    await _ask_hook(context, state, move)
    facts = {**_document(state, move), "gate": gate.to_json(), "left_behind_by_cause": behind.causes()}
    facts |= _named(left_out=await _left_out(context.app, move.to))
    await context.audit.append("move begun", request.why, facts)
    await _store(context, lease, None, move)


async def _left_out(app: App, to: str) -> LeftOut | None:
    """What a move to ``to`` says of the items that stay behind: only the last one, after which nobody counts them."""
    return await read_left_out(app) if to == COMPLETE.to else None


async def open_gate(context: MoveContext, request: MoveRequest, phase_move: PhaseMove) -> tuple[Gate, LeftBehind]:
    """The gate once it is open, or every condition that closes it is overridden; and what the move leaves behind.

    Raises GateClosed when it stays closed, KeysLeftBehind when a rollback leaves keys behind whose number was not given.
    """
    clock = context.app.clock
    deadline = clock.monotonic() + request.wait_seconds
    while True:
        gate = await context.gate(context.app, await _load(context.app), phase_move)
        require_forceable(request.forced, gate, NEVER_FORCED)
        behind = await context.left_behind(context.app) if phase_move in WAYS_BACK else LeftBehind()
        refused = refusal(phase_move, gate, request.forced, request.leave_behind, behind)
        if refused is None:
            return gate, behind
        if clock.monotonic() >= deadline:
            raise refused
        await clock.sleep(GATE_POLL_SECONDS)


async def _ask_hook(context: MoveContext, state: MigrationState, move: Move) -> None:
    try:
        await context.hooks.before(_document(state, move), await context.status())
    except Refused as veto:
        await context.audit.append("move vetoed", move.why, {**_document(state, move), "veto": veto.message})
        raise


async def _resume(context: MoveContext, request: MoveRequest, lease: Lease) -> Moved:
    """Do the step that is stored, then store the next one, until there is none."""
    clock = context.app.clock
    seconds: dict[str, float] = {}
    while (move := (await _load(context.app)).move) is not None:
        begun, step = clock.monotonic(), cast(Step, move.step)  # a step of core.phases, stored as text
        context.progress.begins(move.to, step)
        with span("phase step", to=move.to, step=move.step):
            await _do(context, request, lease, move)
        failpoint("move_step_done")
        seconds[move.step] = round(clock.monotonic() - begun, 3)
        context.progress.ends(move.to, step, seconds[step])
        following = step_after(move.to, step)
        if following is None:
            await _announce(context, "phase entered", move, "entered")
            failpoint("move_announced")
        after = None if following is None else replace(move, step=following, since=clock.now())
        await _store(context, lease, move, after)
        failpoint("move_step_saved")
    state = await _load(context.app)
    behind = await context.left_behind(context.app) if request.command == "rollback" else None
    return Moved(state.phase, _phase_text(state), seconds, behind, await _left_out(context.app, state.phase))


async def _do(context: MoveContext, request: MoveRequest, lease: Lease, move: Move) -> None:
    """Do one step. Raises what stops it as Fatal, with the command that goes on; Refused and Fenced as they are."""
    try:
        await Steps(context.app, move.to, lease.check, context.strip, context.progress.waits).do(move.step)
    except (Fatal, Misconfigured) as failure:
        remedy = f"{failure.remedy or 'correct that'}, then go on with: tablesplit {request.command}"
        if move.step in WITHDRAWABLE:
            remedy += f" (or give the move up: tablesplit {opposite(request.command)})"
        raise Fatal(f"the move to {move.to} stands at {move.step}: {failure.message}", remedy=remedy) from failure


async def _withdraw(
    context: MoveContext, request: MoveRequest, lease: Lease, state: MigrationState, outcome: str
) -> Moved:
    assert state.move is not None
    await _announce(context, "move given up", replace(state.move, why=request.why), "given up")
    await _store(context, lease, state.move, None)
    return Moved(state.phase, outcome, {})


async def _announce(context: MoveContext, action: str, move: Move, outcome: str) -> None:
    """Record the outcome in the audit log, then call the hook, which also gets the record's hash."""
    state = await _load(context.app)
    left_out = await _left_out(context.app, move.to)
    document = {**_document(state, move), "outcome": outcome, **_named(left_out=left_out)}
    newest = await context.audit.append(action, move.why, document)
    await context.hooks.after({**document, "audit": newest.to_json()}, await context.status())


async def _store(context: MoveContext, lease: Lease, before: Move | None, after: Move | None) -> None:
    """Replace the move under way. Raises Refused when the stored move is neither: it was edited, or another process has taken over.
    A backfill and a first move exclude each other here, because both begin in this one record."""

    def replaced(state: MigrationState) -> MigrationState:
        if state.move not in (before, after):
            raise Refused(f"another move is under way: {move_text(state)}", remedy="see: tablesplit status")
        if before is None and state.rule == "guarded" and state.backfill_finished_at is None:
            raise Refused("a backfill has begun since the gate was asked", remedy="finish it first: tablesplit migrate")
        return replace(state, move=after)

    lease.check()
    await change_state(context.app.control, context.app.mapping, context.app.clock.now(), replaced)


def _document(state: MigrationState, move: Move) -> dict[str, Any]:
    return {"phase": state.phase, **asdict(move), "forced": list(move.forced)}


def _phase_text(state: MigrationState) -> str:
    writes = " and ".join(phase_row(state.acting).writes)
    return f"phase {state.phase}: the application may write {writes}"


async def _load(app: App) -> MigrationState:
    return await load_started_state(app.control, app.mapping)
