"""The gate: may the phase move? A list of conditions, each with its value, its threshold, and what to do about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.core.acting import Phase


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds. Seconds."""

    lag_seconds: float
    lag_low_seconds: float
    validation_age_seconds: float
    quiet_seconds: float
    headroom_seconds: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One direction as its owner reports it. low_for_seconds: since when lag has been below the limit; None: it is not."""

    running: bool = False
    caught_up: bool = False
    lag_seconds: float | None = None
    low_for_seconds: float | None = None
    headroom_seconds: float | None = None
    tombstones_overdue: int = 0
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """The latest full validation. age_seconds: since it ended; began_before: seconds since it began."""

    equal: bool
    inverse_failures: int
    age_seconds: float
    began_before_seconds: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a gate judges by. quiet_for: by side, seconds since the application last wrote there, None: not seen since.
    intruder_before: by side, seconds since the last write on the side that should be quiet, None: none.
    silent: workers that are not heard of, by id, with seconds. backfill: its state.
    """

    backfill: str
    forward: Lane
    reverse: Lane
    validation: Validation | None
    quarantine: int
    conflicts: int
    verification_differences: int
    quiet_for: Mapping[str, float | None] = field(default_factory=dict)
    intruder_before: Mapping[str, float | None] = field(default_factory=dict)
    gap: str | None = None
    reverse_gap: str | None = None
    hold: str | None = None
    move: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a gate. since: ISO 8601, when it came to be as it is; "" until somebody has noted that."""

    name: str
    value: str
    threshold: str
    met: bool
    remedy: str
    since: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions of one move."""

    to: Phase
    conditions: tuple[Condition, ...]

    @property
    def open(self) -> bool:
        """Every condition is met, or was overridden by name."""
        return all(condition.met or condition.forced for condition in self.conditions)

    @property
    def closed_by(self) -> tuple[Condition, ...]:
        """Those that keep it closed."""
        return tuple(condition for condition in self.conditions if not (condition.met or condition.forced))

    def to_json(self) -> dict[str, Any]:
        """The document of /v1/gate and of `status --json`."""
        rows = [{name: getattr(one, name) for name in Condition.__slots__} for one in self.conditions]
        return {"to": self.to, "open": self.open, "conditions": rows}

    def to_text(self) -> str:
        """A line a condition; the remedy below one that is not met."""
        lines = [f"gate to {self.to}: {'open' if self.open else 'CLOSED'}"]
        for one in self.conditions:
            state = "ok" if one.met else "FORCED" if one.forced else "CLOSED"
            since = f", since {one.since}" if one.since else ""
            lines.append(f"  {state:7}{one.name:18}{one.value} (wanted: {one.threshold}{since})")
            if not one.met:
                lines.append(f"  {'':25}{one.remedy}")
        return "\n".join(lines)


UNFORCEABLE = frozenset({"gap", "reverse_gap", "move"})
"""What was lost is lost, and two moves at once are none: no word of an operator changes that."""

Judge = Callable[[Facts, Limits], Condition]


def _backfill(facts: Facts, _: Limits) -> Condition:
    met = facts.backfill == "finished"
    return Condition("backfill", facts.backfill, "finished", met, "run `tablesplit migrate`")


def _lane_running(name: str) -> Judge:
    def judge(facts: Facts, _: Limits) -> Condition:
        lane: Lane = getattr(facts, name)
        value = lane.failure or ("running" if lane.running else "no worker reports")
        return Condition(f"{name}_running", value, "running", lane.running, "start `tablesplit sync`, or see its log")

    return judge


def _caught_up(name: str) -> Judge:
    def judge(facts: Facts, _: Limits) -> Condition:
        lane: Lane = getattr(facts, name)
        value = "caught up" if lane.caught_up else "not caught up"
        return Condition(f"{name}_caught_up", value, "caught up", lane.caught_up, "wait: `tablesplit status --watch`")

    return judge


def _lag(name: str) -> Judge:
    def judge(facts: Facts, limits: Limits) -> Condition:
        lane: Lane = getattr(facts, name)
        low = lane.low_for_seconds
        value = "not known" if lane.lag_seconds is None else f"{lane.lag_seconds:.0f} s"
        if low is not None:
            value += f", low for {low:.0f} s"
        wanted = f"below {limits.lag_seconds:g} s for {limits.lag_low_seconds:g} s"
        met = low is not None and low >= limits.lag_low_seconds
        return Condition(f"{name}_lag", value, wanted, met, "wait, or raise TABLESPLIT_SYNC_CONCURRENCY")

    return judge


def _validation(facts: Facts, limits: Limits) -> Condition:
    found = facts.validation
    value = "never run"
    if found is not None:
        value = f"{'equal' if found.equal else 'different'}, {found.age_seconds:.0f} s old"
    met = found is not None and found.equal and found.age_seconds <= limits.validation_age_seconds
    wanted = f"full, equal, at most {limits.validation_age_seconds:g} s old"
    return Condition("validation", value, wanted, met, "run `tablesplit validate` (with --repair when it differs)")


def _inverse(facts: Facts, _: Limits) -> Condition:
    found = facts.validation
    value = "not verified" if found is None else f"{found.inverse_failures} items that do not come back"
    met = found is not None and found.inverse_failures == 0
    return Condition("reverse_verified", value, "0", met, "run `tablesplit validate`; correct the mapping's inverse")


def _quarantine(facts: Facts, _: Limits) -> Condition:
    met = facts.quarantine == 0
    return Condition("quarantine", f"{facts.quarantine} keys", "0", met, "see `tablesplit quarantine list`")


def _conflicts(facts: Facts, _: Limits) -> Condition:
    met = facts.conflicts == 0
    return Condition("conflicts", f"{facts.conflicts} open", "0", met, "see `tablesplit conflicts list`")


def _verification(facts: Facts, _: Limits) -> Condition:
    found = facts.verification_differences
    remedy = "run `tablesplit validate`, then `tablesplit validate --repair`"
    return Condition("verification", f"{found} keys differ", "0", found == 0, remedy)


def _intruders(side: str) -> Judge:
    name = "rogue_writes" if side == "v2" else "stragglers"

    def judge(facts: Facts, _: Limits) -> Condition:
        ago = facts.intruder_before.get(side)
        checked = facts.validation is not None and facts.validation.equal
        settled = ago is None or (
            checked and facts.validation is not None and facts.validation.began_before_seconds < ago
        )
        value = "none" if ago is None else f"last {ago:.0f} s ago{', validated since' if settled else ''}"
        remedy = f"stop the writer of {side}, then `tablesplit validate --repair`"
        return Condition(name, value, "none since the last equal validation began", settled, remedy)

    return judge


def _headroom(facts: Facts, limits: Limits) -> Condition:
    known = [lane.headroom_seconds for lane in (facts.forward, facts.reverse) if lane.headroom_seconds is not None]
    value = f"{min(known) / 3600:.1f} h" if known else "not known"
    met = bool(known) and min(known) >= limits.headroom_seconds
    wanted = f"at least {limits.headroom_seconds / 3600:g} h"
    return Condition("headroom", value, wanted, met, "let sync catch up before unread changes are trimmed")


def _tombstones(facts: Facts, _: Limits) -> Condition:
    found = facts.forward.tombstones_overdue
    return Condition("tombstones", f"{found} overdue", "0", found == 0, "see what holds the purger back: its log")


def _quiet(side: str) -> Judge:
    def judge(facts: Facts, limits: Limits) -> Condition:
        ago = facts.quiet_for.get(side)
        value = "no write seen" if ago is None else f"last write {ago:.0f} s ago"
        met = ago is None or ago >= limits.quiet_seconds
        wanted = f"no write of the application for {limits.quiet_seconds:g} s"
        return Condition(f"{side}_quiet", value, wanted, met, f"move the instances that still write {side}, then wait")

    return judge


def _absent(name: str, wanted: str, remedy: str) -> Judge:
    def judge(facts: Facts, _: Limits) -> Condition:
        value: str | None = getattr(facts, name)
        return Condition(name, value or "none", wanted, value is None, remedy)

    return judge


_GAP = _absent("gap", "no stream record lost", "run `tablesplit validate --repair` until it ends equal")
_REVERSE_GAP = _absent(
    "reverse_gap", "no v2 stream record lost", "run `tablesplit validate --repair` until it ends equal"
)
_HOLD = _absent("hold", "no hold", "`tablesplit release` lifts it")
_MOVE = _absent("move", "no other move under way", "run its command again to go on, or `tablesplit rollback`")
_ALWAYS: tuple[Judge, ...] = (_GAP, _REVERSE_GAP, _HOLD, _MOVE)
_BOTH_LANES = tuple(judge(name) for name in ("forward", "reverse") for judge in (_lane_running, _caught_up))
_SETTLED: tuple[Judge, ...] = (_quarantine, _conflicts)

CONDITIONS: dict[tuple[Phase, Phase], tuple[Judge, ...]] = {
    ("forward", "dual"): (
        _backfill,
        *_BOTH_LANES,
        _lag("forward"),
        _validation,
        _inverse,
        *_SETTLED,
        _verification,
        _intruders("v2"),
        _headroom,
        _tombstones,
        *_ALWAYS,
    ),
    ("dual", "reverse"): (
        *_BOTH_LANES,
        _lag("forward"),
        _lag("reverse"),
        *_SETTLED,
        _verification,
        _quiet("old"),
        _headroom,
        *_ALWAYS,
    ),
    ("reverse", "dual"): (_lane_running("forward"), _lane_running("reverse"), *_ALWAYS),
    ("dual", "forward"): (*_BOTH_LANES, _lag("reverse"), *_SETTLED, _quiet("v2"), *_ALWAYS),
    ("reverse", "complete"): (
        *_BOTH_LANES,
        _lag("reverse"),
        *_SETTLED,
        _verification,
        _intruders("old"),
        _quiet("old"),
        *_ALWAYS,
    ),
}
"""What each move asks. Back from `reverse` little is asked: it is the way out of trouble."""


def judge(source: Phase, goal: Phase, facts: Facts, limits: Limits, forced: frozenset[str] = frozenset()) -> Gate:
    """The gate of a move. ``forced``: names of conditions to override; those in UNFORCEABLE stay closed."""
    found = [condition(facts, limits) for condition in CONDITIONS[source, goal]]
    allowed = forced - UNFORCEABLE
    return Gate(goal, tuple(_forced(one) if one.name in allowed and not one.met else one for one in found))


def _forced(one: Condition) -> Condition:
    return Condition(one.name, one.value, one.threshold, one.met, one.remedy, one.since, forced=True)
