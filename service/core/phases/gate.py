"""The gate of a phase move: its conditions as values, and what an operator may override."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from service.errors import Misconfigured, Refused

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. since: for how long it has been as it is (met, or not), ISO 8601 in UTC; remedy: the command to run, or
    what else to do; empty where nothing is to be done."""

    name: str
    value: Value
    threshold: Value
    met: bool
    since: str | None
    remedy: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions of a move to phase ``to``."""

    to: str
    conditions: tuple[Condition, ...]

    @property
    def closed(self) -> tuple[Condition, ...]:
        """The conditions that are not met."""
        return tuple(condition for condition in self.conditions if not condition.met)

    @property
    def open(self) -> bool:
        """Whether all are met."""
        return not self.closed

    def open_despite(self, forced: Collection[str]) -> bool:
        """Whether all are met but those that are overridden."""
        return all(condition.name in forced for condition in self.closed)

    def to_json(self) -> dict[str, Any]:
        """The document that `cutover --dry-run --json`, /v1/gate and the status show."""
        return {"to": self.to, "open": self.open, "conditions": [asdict(one) for one in self.conditions]}

    def to_text(self) -> str:
        """A line a condition; below one that is not met, what to do."""
        lines = [f"gate to {self.to}: {'open' if self.open else 'closed'}"]
        for one in self.conditions:
            mark, since = ("ok " if one.met else "NO "), f", since {one.since}" if one.since else ""
            lines.append(f"  {mark} {one.name:17} {one.value} (wanted: {one.threshold}{since})")
            if not one.met:
                lines.append(f"      {'':17} {one.remedy}")
        return "\n".join(lines)


class GateClosed(Refused):
    """The gate is closed: ``gate`` says why."""

    def __init__(self, gate: Gate, forced: Collection[str] = ()) -> None:
        closed = [one for one in gate.closed if one.name not in forced]
        reasons = "; ".join(f"{one.name} is {one.value}, wanted {one.threshold}" for one in closed)
        super().__init__(f"the gate to {gate.to} is closed: {reasons}", remedy="; ".join(one.remedy for one in closed))
        self.gate = gate


@dataclass(frozen=True, slots=True)
class Since:
    """How a condition was when last looked at, and since when (epoch seconds)."""

    met: bool
    since: float


def standings(conditions: Iterable[Condition], was: Mapping[str, Since], now: float) -> dict[str, Since]:
    """How the conditions stand now: one that is as it ``was`` keeps its since. A since that lies ahead (a clock was put back)
    counts from now."""
    found = {}
    for one in conditions:
        before = was.get(one.name)
        kept = before is not None and before.met == one.met and before.since <= now
        found[one.name] = before if kept and before is not None else Since(one.met, now)
    return found


def require_forceable(forced: Collection[str], gate: Gate, never: Collection[str]) -> None:
    """Raises Misconfigured for a name that the gate does not have, Refused for a condition that cannot be overridden."""
    names = [condition.name for condition in gate.conditions]
    for name in forced:
        if name not in names:
            raise Misconfigured(
                f"--force {name}: the gate to {gate.to} has no such condition", remedy=f"one of: {', '.join(names)}"
            )
        if name in never:
            remedy = next(one.remedy for one in gate.conditions if one.name == name)
            raise Refused(f"{name} cannot be overridden: writes would be lost", remedy=remedy)
