"""Rules that only a script can switch off: whole rules of an earlier draft, and steps of the move into `dual`."""

from typing import Any

from service.core.item.change import Change
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import v2_place
from service.core.rules import forward as ledger_forward
from service.core.rules import reverse as ledger_reverse
from service.core.rules.forward import ConflictCause, ForwardPlan
from service.core.rules.ledger import Entry
from service.sync.sinks import reverse as reverse_ledger
from tests.two_way.mutations import Mutation, base_of_all, forgetting, image_of_record, without_tracks_done
from tests.two_way.script import Script

REAL_DECIDED = ledger_forward._decided
REAL_TAKE = Script._take


def moves_to_the_log(mapping: Mapping, change: Change, reading: Any, entry: Entry) -> ForwardPlan:
    """Forward moves no item: such a change is a conflict."""
    if change.old and change.new and v2_place(mapping, change.old) != v2_place(mapping, change.new):
        return ledger_forward._conflict(mapping, reading, entry, ConflictCause("overlap"))
    return REAL_DECIDED(mapping, change, reading, entry)


def left_out(_script: Script) -> None:
    """The step is not made."""


def guarded_again(script: Script) -> None:
    """Forward changes back to the guarded rule."""
    script.forward_guarded = True


def take_but_ours(script: Script, stream: Any, change: Change) -> None:
    """Under the guarded rule, forward skips what reverse wrote."""
    ours = change.new is not None and script.mapping.stamp in change.new
    if not (stream == "old" and script.forward_guarded and ours):
        REAL_TAKE(script, stream, change)


def _step(name: str, step: str) -> Mutation:
    return Mutation(name, ((Script, step, left_out),), 0)


SCRIPT_MUTATIONS = (
    Mutation("key moves go to the conflict log", ((ledger_forward, "_decided", moves_to_the_log),), 0),
    Mutation(
        "reverse goes by guarded puts",
        (
            forgetting(without_tracks_done),
            (reverse_ledger, "reverse_plan", image_of_record),
            (ledger_reverse, "authorship_on_v2", base_of_all),
        ),
        0,
    ),
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
