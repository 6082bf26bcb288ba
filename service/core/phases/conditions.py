"""The conditions of a phase move: which moves must meet each, and which of them an operator may override."""

from collections.abc import Collection
from dataclasses import dataclass

from service.core.phases import judgements
from service.core.phases.facts import Facts
from service.core.phases.gate import Condition, Gate
from service.core.phases.judgements import GateLimits, Judge, Judgement
from service.core.phases.moves import (
    COMPLETE,
    CUTOVER_TO_DUAL,
    CUTOVER_TO_REVERSE,
    ROLLBACK_TO_DUAL,
    ROLLBACK_TO_FORWARD,
    PhaseMove,
)


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A row of the table of conditions."""

    name: str
    moves: Collection[PhaseMove]
    """The moves that must meet the condition."""
    text: str
    """When the condition is met, after "met when", in Markdown."""
    judge: Judge
    forceable: bool = True
    """An operator may override it."""


def gate_of(move: PhaseMove, facts: Facts, limits: GateLimits) -> Gate:
    """The gate of ``move``. The ``since`` of its conditions is None: the facts of one moment do not show it."""
    rows = [row for row in CONDITIONS if move in row.moves]
    return Gate(move.to, tuple(_condition(row.name, row.judge(move, facts, limits)) for row in rows))


def _condition(name: str, judgement: Judgement) -> Condition:
    remedy = "" if judgement.met else judgement.remedy
    return Condition(name, judgement.value, judgement.threshold, judgement.met, None, remedy)


ALL = (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD, COMPLETE)
ONWARD = (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, COMPLETE)
BACK = (ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD)
CONDITIONS = (
    ConditionRow("backfill", (CUTOVER_TO_DUAL,), "the backfill has finished", judgements.backfill, forceable=False),
    ConditionRow(
        "forward_caught_up",
        ALL,
        "a worker owns the forward lane, and has applied every change that was in the old table's stream",
        judgements.forward_caught_up,
    ),
    ConditionRow(
        "reverse_caught_up",
        ALL,
        "a worker owns the reverse lane, and has applied every change that was in the v2 tables' streams",
        judgements.reverse_caught_up,
    ),
    ConditionRow(
        "lag",
        ONWARD,
        "the lag of both lanes has been below `TABLESPLIT_GATE_LAG_SECONDS` for `TABLESPLIT_GATE_LAG_LOW_SECONDS`",
        judgements.lag,
    ),
    ConditionRow(
        "validation",
        ONWARD,
        "the last full validation found both sides equal, is at most `TABLESPLIT_GATE_VALIDATION_AGE_SECONDS` old "
        "and, for `complete`, began in this phase",
        judgements.validation,
    ),
    ConditionRow(
        "reverse_verified",
        (CUTOVER_TO_DUAL,),
        "a worker owns the reverse lane, and in the last full validation every item's inverse was the old item",
        judgements.reverse_verified,
    ),
    ConditionRow("quarantine", ALL, "no key is in quarantine, of either side", judgements.quarantine),
    ConditionRow("conflicts", ALL, "no conflict is open, and no item is held", judgements.conflicts),
    ConditionRow(
        "verification", ALL, "the last verification found no touched key that differs", judgements.verification
    ),
    ConditionRow(
        "verified",
        BACK,
        "the last verification of touched keys is at most `TABLESPLIT_GATE_VERIFICATION_AGE_SECONDS` old",
        judgements.verified,
    ),
    ConditionRow(
        "intruders",
        (CUTOVER_TO_DUAL, COMPLETE),
        "there was no rogue write, or the last full validation found both sides equal and began after "
        "the last rogue write",
        judgements.rogue_writes,
    ),
    ConditionRow(
        "headroom",
        (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE),
        "in both lanes at least `TABLESPLIT_GATE_HEADROOM_SECONDS` are left until unread changes may be trimmed",
        judgements.headroom,
    ),
    ConditionRow(
        "tombstones", (CUTOVER_TO_DUAL,), "no tombstone on v2 should have been purged by now", judgements.tombstones
    ),
    ConditionRow(
        "quiet",
        (CUTOVER_TO_REVERSE, ROLLBACK_TO_FORWARD, COMPLETE),
        "the application has not written the side that the move closes for `TABLESPLIT_GATE_QUIET_SECONDS`, "
        "and the phase began as long ago",
        judgements.quiet,
    ),
    ConditionRow("gap", ALL, "no repair is owed for stream records that were lost", judgements.gap, forceable=False),
    ConditionRow("hold", ALL, "no operator holds the gate closed", judgements.hold),
    ConditionRow("move", ALL, "no phase move is under way", judgements.move, forceable=False),
    ConditionRow(
        "workers",
        ALL,
        "at least one worker is running, and no running worker has a lane that has stopped",
        judgements.workers,
    ),
)
"""Every condition, in the order in which it is shown. A rollback has fewer conditions, because it must be possible when things
are bad; what it would leave behind an operator leaves behind knowingly (``left_behind``). An unfinished backfill cannot be
overridden, because under the ledger rule an item that v2 lacks counts as deleted."""

NEVER_FORCED = frozenset(row.name for row in CONDITIONS if not row.forceable)
