"""The phases as data: who writes where, what each direction does, which moves exist, and the steps of a move in order.

DESIGN section 6. What a command means is decided here, purely; ``service.migration.phase.move`` carries it out.
"""

from dataclasses import dataclass
from typing import Literal

from service.core.phases.acting import Acting, Phase, Rule, Side

Command = Literal["cutover", "cutover --finish", "rollback", "complete"]
Step = Literal[
    "settle",
    "switch",
    "horizon",
    "drain",
    "observe",
    "arm",
    "fence",
    "enter",
    "announce",
    "acknowledge",
    "idle",
    "strip",
]


@dataclass(frozen=True, slots=True)
class PhaseRow:
    """What holds in a phase."""

    writes: tuple[Side, ...]
    """The sides that the application may write."""
    forward: str
    """What the forward lane does."""
    reverse: str
    """What the reverse lane does."""


BEFORE_FIRST_DUAL = PhaseRow(("old",), forward="guarded put", reverse="observes")
AFTER_FIRST_DUAL: dict[Phase, PhaseRow] = {
    "prepare": PhaseRow(("old",), forward="off", reverse="off"),
    "forward": PhaseRow(("old",), forward="ledger rule", reverse="ledger rule"),
    "dual": PhaseRow(("old", "v2"), forward="ledger rule", reverse="ledger rule"),
    "reverse": PhaseRow(("v2",), forward="ledger rule", reverse="ledger rule"),
    "complete": PhaseRow(("v2",), forward="off", reverse="off"),
}
ENTERING = PhaseRow(("old",), forward="ledger rule", reverse="observes")


def phase_row(acting: Acting) -> PhaseRow:
    """What holds now."""
    if acting.phase != "forward":
        return AFTER_FIRST_DUAL[acting.phase]
    rows: dict[Rule, PhaseRow] = {"guarded": BEFORE_FIRST_DUAL, "entering": ENTERING}
    return rows.get(acting.rule, AFTER_FIRST_DUAL["forward"])


@dataclass(frozen=True, slots=True)
class PhaseMove:
    """A move between two phases."""

    command: Command
    start: Phase
    to: Phase
    closes: Side | None
    """The side that the application must have stopped writing before; None: neither."""
    keeps: str
    """What happens to the application's writes, for people."""


CUTOVER_TO_DUAL = PhaseMove(
    "cutover",
    start="forward",
    to="dual",
    closes=None,
    keeps="the application may write both sides then; every write is carried to the other side",
)
CUTOVER_TO_REVERSE = PhaseMove(
    "cutover --finish",
    start="dual",
    to="reverse",
    closes="old",
    keeps="the application writes v2 only; every v2 write is still carried to the old table",
)
ROLLBACK_TO_DUAL = PhaseMove(
    "rollback",
    start="reverse",
    to="dual",
    closes=None,
    keeps="what was written to v2 stays there and, but for keys that are left behind, in the old table; "
    "the application may write both sides",
)
ROLLBACK_TO_FORWARD = PhaseMove(
    "rollback",
    start="dual",
    to="forward",
    closes="v2",
    keeps="what was written to v2 stays there and, but for keys that are left behind, in the old table; "
    "the application writes the old table only",
)
COMPLETE = PhaseMove(
    "complete",
    start="reverse",
    to="complete",
    closes="old",
    keeps="v2 stays as it is, without stamps; the old table stays as it was last written; there is no way back",
)
MOVES = (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD, COMPLETE)

FIRST_DUAL: tuple[Step, ...] = ("settle", "switch", "horizon", "drain", "observe", "arm", "fence", "enter")
LATER: tuple[Step, ...] = ("announce", "acknowledge")
COMPLETING: tuple[Step, ...] = (*LATER, "idle", "strip")
STEP_TEXTS: dict[Step, str] = {
    "settle": "repairs end, and sync catches up",
    "switch": "each worker takes the ledger rule",
    "horizon": "writes that are under way end",
    "drain": "forward sync catches up",
    "observe": "reverse sync catches up",
    "arm": "reverse sync begins to carry",
    "fence": "writes of the former rule end",
    "enter": "each worker enters the phase",
    "announce": "sync catches up in both directions",
    "acknowledge": "each worker enters the phase",
    "idle": "writes that are under way end",
    "strip": "the stamps leave v2",
}
"""What each step waits for, or does, for people."""
HORIZONS: frozenset[Step] = frozenset({"horizon", "fence", "idle"})
"""The steps that wait a whole writer horizon; the others last as long as what they wait for, mostly seconds."""
WITHDRAWABLE = frozenset({"settle", "switch", "horizon", "drain", "observe", "announce"})
"""The steps at which a move can still be given up. From `arm` on reverse carries: the move is finished first and can be undone
after that, because the next move would not wait for a fence that this one left unfinished."""


def move_between(start: Phase, to: str) -> PhaseMove | None:
    """The move from one phase to another, if there is one."""
    return next((move for move in MOVES if (move.start, move.to) == (start, to)), None)


def next_move(phase: Phase) -> PhaseMove | None:
    """The move that leads on towards ``complete``."""
    return next((move for move in MOVES if move.start == phase and move.command != "rollback"), None)


def first_step(move: PhaseMove, rule: Rule) -> Step:
    """The first step of a move. A move into `dual` that was given up before reverse carried starts again from the beginning: its
    waits may not have been long enough."""
    return FIRST_DUAL[0] if move is CUTOVER_TO_DUAL and rule != "ledger" else LATER[0]


def step_after(to: Phase, step: Step) -> Step | None:
    """The step that follows; None after the last one."""
    return next(iter(steps_from(to, step)[1:]), None)


def steps_from(to: Phase, step: Step) -> tuple[Step, ...]:
    """The steps of a move that are left, from ``step`` on."""
    order = steps_of(to, step)
    return order[order.index(step) :]


def steps_of(to: Phase, step: Step) -> tuple[Step, ...]:
    """All steps of the move to ``to`` that has ``step``, in order."""
    return FIRST_DUAL if step in FIRST_DUAL else COMPLETING if to == "complete" else LATER


def expected_text(step: Step, horizon_seconds: float) -> str:
    """How long a step mostly takes, for people. ``horizon_seconds``: of the writer horizon."""
    if step in HORIZONS:
        return f"{horizon_seconds:.0f} s"
    return "by the number of items" if step == "strip" else "some seconds"


@dataclass(frozen=True, slots=True)
class Begin:
    """The command asks for this move."""

    move: PhaseMove


@dataclass(frozen=True, slots=True)
class Resume:
    """The command asks for the move that is under way."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The command asks for the opposite of the move under way, which can still be given up."""

    outcome: str
    """What that leaves, in one line."""


@dataclass(frozen=True, slots=True)
class NotPossible:
    """The command cannot be done now."""

    reason: str
    remedy: str


Decision = Begin | Resume | Withdraw | NotPossible


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A move that has begun."""

    to: Phase
    step: str
    """The step that it is at."""


def decide(command: Command, acting: Acting, under_way: UnderWay | None) -> Decision:
    """What ``command`` means in the present phase, with the move ``under_way``."""
    possible = next((move for move in MOVES if (move.command, move.start) == (command, acting.phase)), None)
    if under_way is not None:
        return _while_moving(command, possible, acting, under_way)
    return Begin(possible) if possible is not None else _no_such_move(command, acting.phase)


def command_to(to: Phase, phase: Phase, under_way: UnderWay | None) -> Command | None:
    """The command that leads from ``phase`` to ``to``. Where both are the same, the command that gives up the move under way.
    None: there is no such command."""
    move = move_between(phase, to)
    if move is not None:
        return move.command
    if under_way is None or to != phase:
        return None
    moving = _command_of(phase, under_way.to)
    return moving if under_way.to == to else opposite(moving)


def opposite(command: Command) -> Command:
    """The command that gives up what ``command`` has begun."""
    return "cutover" if command == "rollback" else "rollback"


def _while_moving(command: Command, possible: PhaseMove | None, acting: Acting, under_way: UnderWay) -> Decision:
    entered = acting.phase == under_way.to  # but not every worker has acknowledged it yet
    leads_there = any((move.command, move.to) == (command, under_way.to) for move in MOVES)
    if (entered and leads_there) or (possible is not None and possible.to == under_way.to):
        return Resume()
    moving = _command_of(acting.phase, under_way.to)
    back = (command == "rollback") != (moving == "rollback")
    if back and under_way.step in WITHDRAWABLE:
        return Withdraw(_withdrawal_text(acting, under_way.to))
    return NotPossible(
        f"a move to {under_way.to} is under way (at {under_way.step})", f"finish it first: tablesplit {moving}"
    )


def _command_of(phase: Phase, to: Phase) -> Command:
    """The command that goes on with a move to ``to``; once the phase is entered, any command that leads there."""
    return next(move.command for move in MOVES if move.to == to and phase in (move.start, to))


def _withdrawal_text(acting: Acting, to: Phase) -> str:
    text = f"the move to {to} was given up: the phase stays {acting.phase}"
    if acting.rule == "entering":
        text += ". Forward stays with the ledger rule, which a later cutover needs anyway"
    return text


def _no_such_move(command: Command, phase: Phase) -> NotPossible:
    onward = next_move(phase)
    if phase == "complete":
        remedy = "the migration is complete: there is nothing to move"
    elif onward is None:
        remedy = "start the migration: tablesplit create-tables"
    else:
        remedy = f"from here: tablesplit {onward.command}"
    return NotPossible(f"{command} does not lead anywhere from phase {phase}", remedy)
