"""The conditions of the gate, in Markdown, from the table of conditions itself."""

from collections.abc import Iterator
from dataclasses import replace

from service.config import Settings
from service.core.phases.acting import Side
from service.core.phases.conditions import CONDITIONS, ConditionRow
from service.core.phases.facts import Facts, FullValidation, LaneFacts, SideFacts
from service.core.phases.left_behind import COUNTED, UNKNOWN
from service.core.phases.moves import MOVES, PhaseMove

SIDES: dict[Side, SideFacts] = {"old": SideFacts(), "v2": SideFacts()}
READ = LaneFacts(owner="worker")
DIFFERENT = FullValidation(equal=False, differences=1, inverse_failures=1, started_at=0.0, finished_at=0.0)
REJECTED = replace(DIFFERENT, inverse_failures=0, set_aside=1)
SITUATIONS = (
    Facts(0.0, 0.0, sides=SIDES),
    Facts(0.0, 0.0, forward=READ, reverse=READ, validation=DIFFERENT, sides=SIDES),
    Facts(0.0, 0.0, forward=READ, reverse=READ, validation=REJECTED, sides=SIDES),
)
"""Before anything runs, and after validations that found differences: together they bring out every remedy."""
LIMITS = Settings(control_table="control")


def gate_conditions() -> str:
    """An entry for each condition, in the order of the gate: when it is met, for which moves, whether --force may override it, and
    what to do."""
    return "\n".join(line for row in CONDITIONS for line in (*_entry(row), "")).rstrip()


def _entry(row: ConditionRow) -> Iterator[str]:
    yield f"`{row.name}`"
    yield f":   Met when {row.text}."
    yield f":   Required by: {_moves_text(row)}."
    yield f":   `--force {row.name}`: {_force_text(row)}."
    moves_by_remedy: dict[str, list[str]] = {}
    for move in MOVES:
        if move in row.moves:
            remedies = dict.fromkeys(row.judge(move, facts, LIMITS).remedy for facts in SITUATIONS)
            moves_by_remedy.setdefault("; or ".join(remedies), []).append(_move_text(move))
    for remedy, moves in moves_by_remedy.items():
        of = f" ({', '.join(moves)})" if len(moves_by_remedy) > 1 else ""
        yield f":   What to do{of}: {remedy}."


def _force_text(row: ConditionRow) -> str:
    if row.name in COUNTED:
        return "yes; of a `rollback` only `--leave-behind N` overrides it"
    if row.name == UNKNOWN:
        return "yes, together with `--leave-behind N`"
    return "yes" if row.forceable else "refused, because writes would be lost"


def _moves_text(row: ConditionRow) -> str:
    if set(row.moves) == set(MOVES):
        return "every move"
    return ", ".join(_move_text(move) for move in MOVES if move in row.moves)


def _move_text(move: PhaseMove) -> str:
    """The command; with the phase that it leads to, where one command makes two moves."""
    return f"`{move.command}` to `{move.to}`" if move.command == "rollback" else f"`{move.command}`"
