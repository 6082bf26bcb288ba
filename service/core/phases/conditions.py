"""The conditions of a phase move, and how each is judged from the facts.

Conditions with a limit in seconds compare the clocks of several machines, which must agree within CLOCK_TOLERANCE_SECONDS: a
time that seems to lie further in the future does not meet the condition. No item depends on these clocks.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from service.core.phases.acting import Side
from service.core.phases.facts import Facts, LaneFacts, WorkerFacts
from service.core.phases.gate import Condition, Gate, Value
from service.core.phases.moves import BACK, COMPLETE, CUTOVER, FINISH, HOME, PhaseMove

CLOCK_TOLERANCE_SECONDS = 10.0
SYNC = "start `tablesplit sync`, or see why it has stopped: tablesplit status"
VALIDATE = "tablesplit validate"


class GateLimits(Protocol):
    """The settings that a gate depends on, all in seconds."""

    @property
    def gate_lag_seconds(self) -> float: ...

    @property
    def gate_lag_low_seconds(self) -> float: ...

    @property
    def gate_validation_age_seconds(self) -> float: ...

    @property
    def gate_quiet_seconds(self) -> float: ...

    @property
    def gate_headroom_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judged condition: the value now, the value wanted, whether that is met, and what to do if it is not."""

    value: Value
    threshold: Value
    met: bool
    remedy: str


Judge = Callable[[PhaseMove, Facts, GateLimits], Judgement]


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A row of the table of conditions."""

    name: str
    moves: Collection[PhaseMove]
    """The moves that must meet the condition."""
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


def _backfill(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    state = facts.backfill.state
    return Judgement(state, "finished", state == "finished", "tablesplit migrate")


def _caught_up(lane: LaneFacts) -> Judgement:
    value = "nobody reads the stream" if lane.owner is None else lane.caught_up
    return Judgement(value, True, lane.owner is not None and lane.caught_up, SYNC)


def _forward_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.forward)


def _reverse_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.reverse)


def _lag(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    lanes = (facts.forward, facts.reverse)
    measured = all(lane.owner is not None and lane.lag_low_since is not None for lane in lanes)
    low_for = min(0.0 if lane.lag_low_since is None else facts.now - lane.lag_low_since for lane in lanes)
    highest = max(lane.lag_seconds or 0.0 for lane in lanes)
    value = f"{highest:.0f} s, low for {max(low_for, 0.0):.0f} s" if measured else "not low"
    threshold = f"below {limits.gate_lag_seconds:g} s for {limits.gate_lag_low_seconds:g} s"
    return Judgement(value, threshold, measured and low_for >= limits.gate_lag_low_seconds, f"wait, or {SYNC}")


def _validation(move: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    in_this_phase = move is COMPLETE  # it cannot be undone, so a comparison from before the last move does not count
    threshold = f"equal, at most {limits.gate_validation_age_seconds:g} s old"
    threshold += ", begun in this phase" if in_this_phase else ""
    last = facts.validation
    if last is None:
        return Judgement("never run in full", threshold, False, VALIDATE)
    age = facts.now - last.finished_at
    fresh = -CLOCK_TOLERANCE_SECONDS <= age <= limits.gate_validation_age_seconds
    counts = not in_this_phase or last.started_at >= facts.phase_since
    value = f"{'equal' if last.equal else f'{last.differences} differences'}, {age:.0f} s old"
    remedy = VALIDATE if last.equal else f"{VALIDATE} --repair, then {VALIDATE}"
    return Judgement(value, threshold, last.equal and fresh and counts, remedy)


def _quarantine(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "tablesplit quarantine list, then mend and retry each"
    return Judgement(facts.quarantine, 0, facts.quarantine == 0, remedy)


def _conflicts(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(facts.conflicts, 0, facts.conflicts == 0, "tablesplit conflicts list, then resolve each")


def _verification(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    differ = 0 if facts.verification is None else facts.verification.differences
    return Judgement(f"{differ} touched keys differ", "0", differ == 0, f"{VALIDATE} --repair")


def _intruders(move: PhaseMove, facts: Facts, _: GateLimits) -> Judgement:
    """No write to the quiet side since the last full equal validation began: it has compared what was written before."""
    quiet: Side = "v2" if move.start == "forward" else "old"
    side, last = facts.sides[quiet], facts.validation
    compared_since = last.started_at if last is not None and last.equal else float("-inf")
    met = side.last_intruder_at is None or side.last_intruder_at < compared_since
    writes = ", ".join(f"{count} {entity}" for entity, count in sorted(side.intruders.items()))
    remedy = (
        f"stop the application's writes to {quiet} (the log has the keys), then {VALIDATE} --repair, then {VALIDATE}"
    )
    value = "none" if met else f"writes to {quiet}: {writes}"
    return Judgement(value, "none since the last full equal validation", met, remedy)


def _headroom(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    lanes = (facts.forward, facts.reverse)
    least = min((lane.headroom_seconds for lane in lanes if lane.headroom_seconds is not None), default=None)
    threshold = f"at least {limits.gate_headroom_seconds:g} s"
    value = None if least is None else round(least)
    return Judgement(value, threshold, least is not None and least >= limits.gate_headroom_seconds, SYNC)


def _reverse_verified(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    if facts.reverse.owner is None:
        return Judgement("reverse sync does not run", "running, 0 inverse failures", False, SYNC)
    failures = None if facts.validation is None else facts.validation.inverse_failures
    value = "never validated in full" if failures is None else f"running, {failures} inverse failures"
    return Judgement(value, "running, 0 inverse failures", failures == 0, VALIDATE)


def _tombstones(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    overdue = facts.forward.tombstones_overdue
    remedy = "wait for the purger; a repair that hangs holds it back"
    return Judgement(f"{overdue} overdue", "0 overdue", overdue == 0, remedy)


def _quiet(move: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    assert move.closes is not None
    last = max(facts.sides[move.closes].last_change_at or 0.0, facts.phase_since)
    quiet_for = facts.now - last
    remedy = f"move every instance of the application off {move.closes}, then wait"
    value = f"{move.closes} quiet for {max(quiet_for, 0.0):.0f} s"
    return Judgement(value, f"{limits.gate_quiet_seconds:g} s", quiet_for >= limits.gate_quiet_seconds, remedy)


def _gap(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement("; ".join(facts.gaps) or "none", "none", not facts.gaps, f"{VALIDATE} --repair")


def _hold(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(facts.hold or "none", "none", facts.hold is None, "tablesplit release")


def _move(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "finish it, or give it up: the command that began it, or its opposite"
    return Judgement(facts.moving or "none", "none", facts.moving is None, remedy)


def _workers(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    """Silent workers are named, but do not block the move: their leases have expired."""
    alive = [worker for worker in facts.workers if worker.live]
    in_trouble = [_trouble_text(worker) for worker in facts.workers if worker.failure or not worker.live]
    met = bool(alive) and not any(worker.failure for worker in alive)
    value = "; ".join([f"{len(alive)} running", *in_trouble])
    return Judgement(value, "at least 1 running, none stopped", met, SYNC)


def _trouble_text(worker: WorkerFacts) -> str:
    state = f"stopped ({worker.failure})" if worker.failure and worker.live else "silent"
    return f"{worker.name} {state}, last report {worker.silent_seconds:.0f} s ago"


ALL = (CUTOVER, FINISH, BACK, HOME, COMPLETE)
ONWARD = (CUTOVER, FINISH, COMPLETE)
CONDITIONS = (
    ConditionRow("backfill", (CUTOVER,), _backfill, forceable=False),
    ConditionRow("forward_caught_up", ALL, _forward_caught_up),
    ConditionRow("reverse_caught_up", ALL, _reverse_caught_up),
    ConditionRow("lag", ONWARD, _lag),
    ConditionRow("validation", ONWARD, _validation),
    ConditionRow("reverse_verified", (CUTOVER,), _reverse_verified),
    ConditionRow("quarantine", ONWARD, _quarantine),
    ConditionRow("conflicts", (*ONWARD, HOME), _conflicts),
    ConditionRow("verification", ONWARD, _verification),
    ConditionRow("intruders", (CUTOVER, COMPLETE), _intruders),
    ConditionRow("headroom", (CUTOVER, FINISH), _headroom),
    ConditionRow("tombstones", (CUTOVER,), _tombstones),
    ConditionRow("quiet", (FINISH, HOME, COMPLETE), _quiet),
    ConditionRow("gap", ALL, _gap, forceable=False),
    ConditionRow("hold", ALL, _hold),
    ConditionRow("move", ALL, _move, forceable=False),
    ConditionRow("workers", ALL, _workers),
)
"""Every condition, in the order in which it is shown. A rollback has few conditions, because it must be possible when things
are bad. An unfinished backfill cannot be overridden, because under the ledger rule an item that v2 lacks counts as deleted."""

NEVER_FORCED = frozenset(row.name for row in CONDITIONS if not row.forceable)
