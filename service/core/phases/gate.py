"""The gate of a phase move as a value: its conditions, since when each is met or not, and what an operator may override."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from service.errors import Misconfigured, Refused
from service.escape import lines_of

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition."""

    name: str
    value: Value
    """What it is now."""
    threshold: Value
    """What it must be."""
    met: bool
    since: str | None
    """When ``met`` last changed, ISO 8601 in UTC."""
    remedy: str
    """The command to run, or what else to do; empty where nothing is to be done."""


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions of a phase move."""

    to: str
    """The phase that the move leads to."""
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
        """Whether every condition that is not met is overridden by ``forced``."""
        return all(condition.name in forced for condition in self.closed)

    def to_json(self) -> dict[str, Any]:
        """The document that `cutover --dry-run --json`, /v1/gate and the status show."""
        return {"to": self.to, "open": self.open, "conditions": [asdict(condition) for condition in self.conditions]}

    def to_text(self) -> str:
        """One line for each condition; below one that is not met, what to do."""
        lines = [f"gate to {self.to}: {'open' if self.open else 'closed'}"]
        for condition in self.conditions:
            mark, since = ("ok " if condition.met else "NO "), f", since {condition.since}" if condition.since else ""
            value, wanted = value_text(condition.value), value_text(condition.threshold)
            lines.append(f"  {mark} {condition.name:17} {value} (wanted: {wanted}{since})")
            if not condition.met:
                lines.append(f"      {'':17} {condition.remedy}")
        return lines_of(lines)


def value_text(value: Value) -> str:
    """A value for people: none, yes and no are words."""
    return "none" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


class GateClosed(Refused):
    """``gate`` is closed by conditions that are not overridden; the message names them."""

    def __init__(self, gate: Gate, forced: Collection[str] = ()) -> None:
        closed = [condition for condition in gate.closed if condition.name not in forced]
        reasons = "; ".join(
            f"{condition.name} is {value_text(condition.value)}, wanted {value_text(condition.threshold)}"
            for condition in closed
        )
        remedy = "; ".join(condition.remedy for condition in closed)
        super().__init__(f"the gate to {gate.to} is closed: {reasons}", remedy=remedy)
        self.gate = gate


@dataclass(frozen=True, slots=True)
class Since:
    """Whether a condition was met when it was last judged, and since when (epoch seconds). Stored in the control table."""

    met: bool
    since: float


def since_when(conditions: Iterable[Condition], before: Mapping[str, Since], now: float) -> dict[str, Since]:
    """Since when each condition is met or not, by its name: the stored time, unless ``met`` has changed since ``before``.

    A stored time that lies in the future (a clock was set back) is replaced by ``now``, epoch seconds.
    """
    return {condition.name: _since(condition.met, before.get(condition.name), now) for condition in conditions}


def _since(met: bool, before: Since | None, now: float) -> Since:
    if before is not None and before.met == met and before.since <= now:
        return before
    return Since(met, now)


def require_forceable(forced: Collection[str], gate: Gate, never: Collection[str]) -> None:
    """Raises Misconfigured for a name that the gate does not have, Refused for a condition that cannot be overridden."""
    remedies = {condition.name: condition.remedy for condition in gate.conditions}
    for name in forced:
        if name not in remedies:
            raise Misconfigured(
                f"--force {name}: the gate to {gate.to} has no such condition", remedy=f"one of: {', '.join(remedies)}"
            )
        if name in never:
            raise Refused(f"{name} cannot be overridden: writes would be lost", remedy=remedies[name])
