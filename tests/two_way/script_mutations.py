"""Rules that only a script can switch off: whole rules of an earlier draft, and steps of the move into `dual`."""

from dataclasses import replace
from typing import Any

from service.core.item.change import Change
from service.core.rules import forward as ledger_forward
from service.core.rules.forward_plan import ConflictCause, ForwardPlan
from tests.two_way.mutations import Mutation
from tests.two_way.script import Script

REAL_CARRIED = ledger_forward._carried
REAL_TAKE = Script._take


def moves_to_the_log(*found: Any) -> ForwardPlan:
    """Forward moves no item: such a change is a conflict."""
    plan = REAL_CARRIED(*found)
    return plan if plan.move is None else ForwardPlan("conflict", places=(), conflict=ConflictCause("overlap", ()))


def buried_first(*found: Any) -> ForwardPlan:
    """The item leaves its place before it is at the new one."""
    plan = REAL_CARRIED(*found)
    return replace(plan, writes=plan.writes[::-1])


def left_out(_script: Script) -> None:
    """The step is not made."""


def guarded_again(script: Script) -> None:
    """Forward changes back to the guarded rule."""
    script.forward_guarded = True


def take_but_ours(script: Script, stream: Any, change: Change, *later: Change) -> None:
    """Under the guarded rule, forward skips what reverse wrote."""
    ours = change.new is not None and script.mapping.stamp in change.new
    if not (stream == "old" and script.forward_guarded and ours):
        REAL_TAKE(script, stream, change, *later)


def never(*_: Any) -> bool:
    """It is not so."""
    return False


def _step(name: str, step: str) -> Mutation:
    return Mutation(name, ((Script, step, left_out),), 0)


SCRIPT_MUTATIONS = (
    Mutation("changes are carried as one over what v2 has", ((ledger_forward, "_is_passed_through", never),), 0),
    Mutation("key moves go to the conflict log", ((ledger_forward, "_carried", moves_to_the_log),), 0),
    Mutation("a move begins with its tombstone", ((ledger_forward, "_carried", buried_first),), 0),
    Mutation("rolled back to guarded puts", ((Script, "roll_back", guarded_again),), 0),
    Mutation(
        "rolled back to guarded puts that skip ours",
        ((Script, "roll_back", guarded_again), (Script, "_take", take_but_ours)),
        0,
    ),
    _step("no horizon in the script", "horizon"),
    _step("no acknowledgement in the script", "acknowledge"),
    _step("no drain in the script", "drain"),
    _step("no saving in the script", "save"),
)
