"""Phases and the moves between them: who may write where, and the steps of each move, in order (DESIGN section 6)."""

from dataclasses import dataclass

from service.core.acting import Phase, Rule

PHASES: tuple[Phase, ...] = ("prepare", "forward", "dual", "reverse", "complete")

WRITERS: dict[Phase, str] = {
    "prepare": "the application writes the old table",
    "forward": "the application writes the old table",
    "dual": "the application writes either side, instance by instance",
    "reverse": "the application writes v2",
    "complete": "the application writes v2; nothing is carried back any more",
}

SETTLE, SWITCH, HORIZON, DRAIN = "settle", "switch", "horizon", "drain"
OBSERVE, ARM, FENCE, ENTER = "observe", "arm", "fence", "enter"

FIRST_DUAL = (SETTLE, SWITCH, HORIZON, DRAIN, OBSERVE, ARM, FENCE, ENTER)
"""settle: repairs end, both lanes catch up. switch: forward goes over to the ledger rule. horizon: nobody superseded can write
by the guarded rule any more. drain: forward catches up by the new rule. observe: reverse passes all that the guarded rule
wrote. arm: reverse goes over too. fence: nobody superseded can save a position of the observer any more. enter: `dual`."""

LATER = (ENTER,)
"""Later moves change only who may write, the gates and the alerts: the phase is written, and every worker acknowledges."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A move: the command that makes it, what it says to the application, and whether it can be undone."""

    command: str
    next: str
    undo: str | None


MOVES: dict[tuple[Phase, Phase], Kind] = {
    ("forward", "dual"): Kind(
        "cutover",
        "move the application to v2, instance by instance; then `tablesplit cutover --finish`",
        "tablesplit rollback",
    ),
    ("dual", "reverse"): Kind(
        "cutover --finish", "the application writes v2 only; the old table follows it", "tablesplit rollback"
    ),
    ("reverse", "dual"): Kind(
        "rollback",
        "move the application back to the old table, instance by instance; then `tablesplit rollback`",
        "tablesplit cutover --finish",
    ),
    ("dual", "forward"): Kind("rollback", "the application writes the old table only", "tablesplit cutover"),
    ("reverse", "complete"): Kind("complete", "the old table is left as it is, for you to drop", None),
}


def steps(source: Phase, goal: Phase, rule: Rule) -> tuple[str, ...]:
    """The steps of a move, in order. The first move into `dual` changes the rule of the data plane, once and for all."""
    return FIRST_DUAL if (source, goal) == ("forward", "dual") and rule != "ledger" else LATER


def goal_of(command: str, phase: Phase) -> Phase | None:
    """Where a command leads from a phase; None: nowhere. ``command``: cutover, cutover --finish, rollback or complete."""
    return next((goal for (source, goal), kind in MOVES.items() if source == phase and kind.command == command), None)
