"""Which conditions a phase move must meet, and how each is judged out of the facts.

A condition that the limits measure in time is judged by the clocks of the machines, which must agree within
CLOCK_TOLERANCE_SECONDS: what seems to lie further ahead than that is not met. No item depends on it.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from service.core.phases.acting import Side
from service.core.phases.gate import Condition, Gate, Value
from service.core.phases.moves import (
    BACK,
    COMPLETE,
    CUTOVER,
    FINISH,
    HOME,
    PhaseMove,
)

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
class LaneFacts:
    """One direction. owner: who reads it, None: nobody is heard of. The rest as that worker says (``workers.LaneBeat``)."""

    owner: str | None = None
    caught_up: bool = False
    lag_seconds: float = 0.0
    lag_low_since: float | None = None
    headroom_seconds: float | None = None
    tombstones_overdue: int = 0


@dataclass(frozen=True, slots=True)
class FullValidation:
    """The latest finished validation of everything. Times are epoch seconds."""

    equal: bool
    differences: int
    inverse_failures: int
    started_at: float
    finished_at: float


@dataclass(frozen=True, slots=True)
class SideFacts:
    """The application on one side. intruders: its writes while the side should have been quiet, by entity. Epoch seconds."""

    last_change_at: float | None = None
    intruders: Mapping[str, int] = field(default_factory=dict)
    last_intruder_at: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerFacts:
    """A sync process. silent_seconds: age of its last beat; heard: it counts as alive; failure: why a lane has stopped."""

    name: str
    silent_seconds: float
    heard: bool
    failure: str | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known at one look. now, phase_since: epoch seconds.

    backfill: its state as ``status`` shows it. conflicts: open ones and held items. unverified: keys touched under the ledger
    rule that differ when looked at again. gaps: whose stream records were lost, a repair being owed. hold, moving: as ``status``
    says them.
    """

    now: float
    phase_since: float
    backfill: str
    forward: LaneFacts
    reverse: LaneFacts
    validation: FullValidation | None
    quarantine: int
    conflicts: int
    unverified: int
    sides: Mapping[Side, SideFacts]
    gaps: tuple[str, ...]
    hold: str | None
    moving: str | None
    workers: tuple[WorkerFacts, ...]


@dataclass(frozen=True, slots=True)
class Judgement:
    """A condition as judged: what is, what should be, and what to do when it is not."""

    value: Value
    threshold: Value
    met: bool
    remedy: str


Judge = Callable[[PhaseMove, Facts, GateLimits], Judgement]


@dataclass(frozen=True, slots=True)
class Asked:
    """A row of the table: which moves ask for the condition. forceable: an operator may override it."""

    name: str
    moves: Collection[PhaseMove]
    judge: Judge
    forceable: bool = True


def gate_of(move: PhaseMove, facts: Facts, limits: GateLimits) -> Gate:
    """The gate of ``move``; its conditions do not say since when yet."""
    conditions = []
    for asked in CONDITIONS:
        if move in asked.moves:
            verdict = asked.judge(move, facts, limits)
            remedy = "" if verdict.met else verdict.remedy
            conditions.append(Condition(asked.name, verdict.value, verdict.threshold, verdict.met, None, remedy))
    return Gate(move.to, tuple(conditions))


def _backfill(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(facts.backfill, "finished", facts.backfill == "finished", "tablesplit migrate")


def _caught_up(lane: LaneFacts) -> Judgement:
    value = "nobody reads the stream" if lane.owner is None else lane.caught_up
    return Judgement(value, True, lane.owner is not None and lane.caught_up, SYNC)


def _forward_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.forward)


def _reverse_caught_up(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return _caught_up(facts.reverse)


def _lag(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    lanes = (facts.forward, facts.reverse)
    low_for = min(0.0 if lane.lag_low_since is None else facts.now - lane.lag_low_since for lane in lanes)
    measured = all(lane.owner is not None and lane.lag_low_since is not None for lane in lanes)
    value = (
        f"{max(lane.lag_seconds for lane in lanes):.0f} s, low for {max(low_for, 0.0):.0f} s" if measured else "not low"
    )
    threshold = f"below {limits.gate_lag_seconds:g} s for {limits.gate_lag_low_seconds:g} s"
    return Judgement(value, threshold, measured and low_for >= limits.gate_lag_low_seconds, f"wait, or {SYNC}")


def _validation(move: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    since_phase = move is COMPLETE  # there is no way back: what was compared before the last move does not count
    threshold = f"equal, at most {limits.gate_validation_age_seconds:g} s old"
    threshold += ", begun in this phase" if since_phase else ""
    last = facts.validation
    if last is None:
        return Judgement("never run in full", threshold, False, VALIDATE)
    age = facts.now - last.finished_at
    fresh = -CLOCK_TOLERANCE_SECONDS <= age <= limits.gate_validation_age_seconds
    counts = not since_phase or last.started_at >= facts.phase_since
    value = f"{'equal' if last.equal else f'{last.differences} differences'}, {age:.0f} s old"
    remedy = VALIDATE if last.equal else f"{VALIDATE} --repair, then {VALIDATE}"
    return Judgement(value, threshold, last.equal and fresh and counts, remedy)


def _quarantine(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    remedy = "tablesplit quarantine list, then mend and retry each"
    return Judgement(facts.quarantine, 0, facts.quarantine == 0, remedy)


def _conflicts(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(facts.conflicts, 0, facts.conflicts == 0, "tablesplit conflicts list, then resolve each")


def _verification(_: PhaseMove, facts: Facts, __: GateLimits) -> Judgement:
    return Judgement(f"{facts.unverified} touched keys differ", "0", facts.unverified == 0, f"{VALIDATE} --repair")


def _intruders(move: PhaseMove, facts: Facts, _: GateLimits) -> Judgement:
    """None since the last full equal validation began: what was there before, it has compared."""
    quiet: Side = "v2" if move.start == "forward" else "old"
    side, last = facts.sides[quiet], facts.validation
    compared_since = last.started_at if last is not None and last.equal else float("-inf")
    met = side.last_intruder_at is None or side.last_intruder_at < compared_since
    told = ", ".join(f"{count} {entity}" for entity, count in sorted(side.intruders.items()))
    remedy = (
        f"stop the application's writes to {quiet} (the log has the keys), then {VALIDATE} --repair, then {VALIDATE}"
    )
    value = "none" if met else f"writes to {quiet}: {told}"
    return Judgement(value, "none since the last full equal validation", met, remedy)


def _headroom(_: PhaseMove, facts: Facts, limits: GateLimits) -> Judgement:
    told = [lane.headroom_seconds for lane in (facts.forward, facts.reverse) if lane.headroom_seconds is not None]
    least = min(told, default=None)
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
    """Silent ones are named, but hold nothing back: their leases have run out."""
    heard = [worker for worker in facts.workers if worker.heard]
    told = [_told(worker) for worker in facts.workers if worker.failure or not worker.heard]
    met = bool(heard) and not any(worker.failure for worker in heard)
    value = "; ".join([f"{len(heard)} at work", *told])
    return Judgement(value, "at least 1 at work, none stopped", met, SYNC)


def _told(worker: WorkerFacts) -> str:
    state = f"stopped ({worker.failure})" if worker.failure and worker.heard else "silent"
    return f"{worker.name} {state}, heard of {worker.silent_seconds:.0f} s ago"


ALL = (CUTOVER, FINISH, BACK, HOME, COMPLETE)
ONWARD = (CUTOVER, FINISH, COMPLETE)
CONDITIONS = (
    Asked("backfill", (CUTOVER,), _backfill, forceable=False),
    Asked("forward_caught_up", ALL, _forward_caught_up),
    Asked("reverse_caught_up", ALL, _reverse_caught_up),
    Asked("lag", ONWARD, _lag),
    Asked("validation", ONWARD, _validation),
    Asked("reverse_verified", (CUTOVER,), _reverse_verified),
    Asked("quarantine", ONWARD, _quarantine),
    Asked("conflicts", (*ONWARD, HOME), _conflicts),
    Asked("verification", ONWARD, _verification),
    Asked("intruders", (CUTOVER, COMPLETE), _intruders),
    Asked("headroom", (CUTOVER, FINISH), _headroom),
    Asked("tombstones", (CUTOVER,), _tombstones),
    Asked("quiet", (FINISH, HOME, COMPLETE), _quiet),
    Asked("gap", ALL, _gap, forceable=False),
    Asked("hold", ALL, _hold),
    Asked("move", ALL, _move, forceable=False),
    Asked("workers", ALL, _workers),
)
"""The table. The way back asks for little: it must be open when things are bad. An unfinished backfill cannot be overridden
because under the ledger rule an item that v2 lacks counts as deleted."""

NEVER_FORCED = frozenset(asked.name for asked in CONDITIONS if not asked.forceable)
