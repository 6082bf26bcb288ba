"""How each condition of a phase move is judged from the facts. When it is met, its row of ``conditions.CONDITIONS`` says.

Conditions with a limit in seconds compare the clocks of several machines, which must agree within GATE_MAX_CLOCK_SKEW_SECONDS: a
time that seems to lie further in the future does not meet the condition. No item depends on these clocks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Protocol

from service.core.phases.acting import Side
from service.core.phases.facts import Facts, FullValidation, LaneFacts, WorkerFacts
from service.core.phases.gate import Value
from service.core.phases.moves import COMPLETE, CUTOVER_TO_DUAL, PhaseMove

GATE_MAX_CLOCK_SKEW_SECONDS = 10.0
SYNC = "start `tablesplit sync`, or see why it has stopped: tablesplit status"
VALIDATE = "tablesplit validate"
REMAP = "or have the mapping know or leave out such items, and run tablesplit remap"


class GateLimits(Protocol):
    """The settings that a gate depends on, all in seconds."""

    @property
    def gate_lag_seconds(self) -> float: ...

    @property
    def gate_lag_low_seconds(self) -> float: ...

    @property
    def gate_validation_age_seconds(self) -> float: ...

    @property
    def gate_verification_age_seconds(self) -> float: ...

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


def backfill(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    state = facts.backfill.state
    return Judgement(state, "finished", state == "finished", "tablesplit migrate")


def _caught_up(lane: LaneFacts) -> Judgement:
    value = "no worker owns this lane" if lane.owner is None else lane.caught_up
    return Judgement(value, True, lane.owner is not None and lane.caught_up, SYNC)


def forward_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.forward)


def reverse_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.reverse)


def lag(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    lanes = (facts.forward, facts.reverse)
    measured = all(lane.owner is not None and lane.lag_low_since is not None for lane in lanes)
    low_for = min(0.0 if lane.lag_low_since is None else facts.now - lane.lag_low_since for lane in lanes)
    shown = _duration(_rounded_down(max(low_for, 0.0)))
    highest = max(lane.lag_seconds or 0.0 for lane in lanes)
    value = f"{highest:.0f} s, low for {shown}" if measured else "not low"
    threshold = f"below {_duration(limits.gate_lag_seconds)} for {_duration(limits.gate_lag_low_seconds)}"
    return Judgement(value, threshold, measured and low_for >= limits.gate_lag_low_seconds, f"wait, or {SYNC}")


def validation(move: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    in_this_phase = move is COMPLETE  # it cannot be undone, so a comparison from before the last move does not count
    threshold = f"equal, at most {_duration(limits.gate_validation_age_seconds)} old"
    threshold += ", begun in this phase" if in_this_phase else ""
    last = facts.validation
    if last is None:
        return Judgement("never run in full", threshold, False, VALIDATE)
    age = facts.now - last.finished_at
    fresh = -GATE_MAX_CLOCK_SKEW_SECONDS <= age <= limits.gate_validation_age_seconds
    counts = not in_this_phase or last.started_at >= facts.phase_since
    value = f"{'equal' if last.equal else f'{last.differences} differences'}, {_duration(_rounded_up(age))} old"
    return Judgement(value, threshold, last.equal and fresh and counts, _remedy_of(last, _may_remap(move, facts)))


def _remedy_of(last: FullValidation, may_remap: bool) -> str:
    """What brings a validation to its end equal. No repair writes what is set aside, nor an index."""
    steps = []
    if last.set_aside:
        others = f" ({REMAP})" if may_remap else ""
        steps.append(f"mend or delete each item that it lists as quarantined or held{others}")
    if last.differences > last.set_aside or last.inverse_failures:
        steps.append(f"{VALIDATE} --repair")
    if not last.equal and not steps:
        steps.append("wait until v2's indexes have every item")
    return ", then ".join([*steps, VALIDATE])


def _may_remap(move: PhaseMove, facts: Facts) -> bool:
    """Whether the mapping may still be changed: before the first `dual`."""
    return move is CUTOVER_TO_DUAL and facts.rule == "guarded"


def quarantine(move: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "tablesplit quarantine list, then mend or delete each item on the side that it names: it leaves by itself"
    if _may_remap(move, facts):
        remedy += f"; {REMAP}"
    return Judgement(facts.quarantine, 0, facts.quarantine == 0, remedy)


def conflicts(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "tablesplit conflicts list, then resolve each; of an item that is held, delete one of the two on v2"
    return Judgement(facts.conflicts, 0, facts.conflicts == 0, remedy)


def verification(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    differ = 0 if facts.verification is None else facts.verification.differences
    return Judgement(
        f"{differ} touched keys differ", "0", differ == 0, "tablesplit verification list, then what it says of each key"
    )


def verified(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    """A verification compares every key that the ledger remembers, so a recent one knows what the old table lacks."""
    limit = limits.gate_verification_age_seconds
    threshold, remedy = f"at most {_duration(limit)} old", f"wait for the next verification, or {SYNC}"
    if facts.verification is None:
        return Judgement("never verified", threshold, False, remedy)
    age = facts.now - facts.verification.finished_at
    met = -GATE_MAX_CLOCK_SKEW_SECONDS <= age <= limit
    return Judgement(f"{_duration(_rounded_up(age))} old", threshold, met, remedy)


def rogue_writes(move: PhaseMove, facts: Facts, _: GateLimits) -> Judgement:
    """No write to the quiet side since the last full equal validation began: it has compared what was written before."""
    quiet: Side = "v2" if move.start == "forward" else "old"
    side, last = facts.sides[quiet], facts.validation
    compared_since = last.started_at if last is not None and last.equal else float("-inf")
    met = side.last_rogue_write_at is None or side.last_rogue_write_at < compared_since
    writes = ", ".join(f"{count} {entity}" for entity, count in sorted(side.rogue_writes_by_entity.items()))
    remedy = (
        f"stop the application's writes to {quiet} (the log has the keys), then {VALIDATE} --repair, then {VALIDATE}"
    )
    value = "none" if met else f"writes to {quiet}: {writes}"
    return Judgement(value, "none since the last full equal validation", met, remedy)


def headroom(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    lanes = (facts.forward, facts.reverse)
    least = min((lane.headroom_seconds for lane in lanes if lane.headroom_seconds is not None), default=None)
    threshold = f"at least {_duration(limits.gate_headroom_seconds)}"
    value = "not known" if least is None else _duration(_rounded_down(least))
    return Judgement(value, threshold, least is not None and least >= limits.gate_headroom_seconds, SYNC)


def reverse_verified(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    if facts.reverse.owner is None:
        return Judgement("reverse sync does not run", "running, 0 inverse failures", False, SYNC)
    failures = None if facts.validation is None else facts.validation.inverse_failures
    value = "never validated in full" if failures is None else f"running, {failures} inverse failures"
    remedy = f"{VALIDATE} --repair, then {VALIDATE}" if failures else VALIDATE
    return Judgement(value, "running, 0 inverse failures", failures == 0, remedy)


def tombstones(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    overdue = facts.forward.tombstones_overdue
    remedy = "wait for the purger; a repair that hangs holds it back"
    return Judgement(f"{overdue} overdue", "0 overdue", overdue == 0, remedy)


def quiet(move: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    assert move.closes is not None
    last = max(facts.sides[move.closes].last_change_at or 0.0, facts.phase_since)
    quiet_for = facts.now - last
    remedy = f"move every instance of the application off {move.closes}, then wait"
    value = f"{move.closes} quiet for {_duration(_rounded_down(max(quiet_for, 0.0)))}"
    return Judgement(value, _duration(limits.gate_quiet_seconds), quiet_for >= limits.gate_quiet_seconds, remedy)


def gap(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    last = facts.validation
    first = "tablesplit quarantine list, then mend or delete each item, then " if last and last.set_aside else ""
    return Judgement("; ".join(facts.gaps) or "none", "none", not facts.gaps, f"{first}{VALIDATE} --repair")


def hold(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(facts.hold or "none", "none", facts.hold is None, "tablesplit release")


def move(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "finish it, or give it up: the command that began it, or its opposite"
    return Judgement(facts.moving or "none", "none", facts.moving is None, remedy)


def workers(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    """Silent workers are named, but do not block the move: their leases have expired."""
    live = [worker for worker in facts.workers if worker.live]
    in_trouble = [_trouble_text(worker) for worker in facts.workers if worker.failure or not worker.live]
    met = bool(live) and not any(worker.failure for worker in live)
    value = "; ".join([f"{len(live)} running", *in_trouble])
    return Judgement(value, "at least 1 running, none stopped", met, SYNC)


def _trouble_text(worker: WorkerFacts) -> str:
    state = f"stopped ({worker.failure})" if worker.failure and worker.live else "silent"
    return f"{worker.name} {state}, last report {worker.last_report_seconds:.0f} s ago"


def _duration(seconds: float) -> str:
    """For people: in seconds, from two minutes on in minutes, from two hours on in hours."""
    for unit, length in (("h", 3600), ("min", 60)):
        if abs(seconds) >= 2 * length:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"


def _rounded_down(seconds: float) -> float:
    """A measured duration, without what ``_duration`` need not show. It does not seem to reach a least that it does not reach."""
    precision = _precision(seconds)
    return floor(seconds / precision) * precision


def _rounded_up(seconds: float) -> float:
    """The same for a duration that has a limit: it does not seem to keep a limit that it exceeds."""
    precision = _precision(seconds)
    return ceil(seconds / precision) * precision


def _precision(seconds: float) -> int:
    """A second, a tenth of a minute, or a tenth of an hour."""
    return 360 if abs(seconds) >= 7200 else 6 if abs(seconds) >= 120 else 1
