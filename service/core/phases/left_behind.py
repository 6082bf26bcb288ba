"""What a rollback leaves behind: the keys at which the old table does not have everything that was written. Pure.

Three conditions of a gate are about such keys. On the way back they are overridden by the number of the keys, and by nothing else:
an operator who gives it has seen them. DESIGN section 6.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from service.core.item.wire import Item, plain_key, shown_key
from service.core.phases.gate import Gate, GateClosed
from service.core.phases.moves import ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD, PhaseMove
from service.escape import lines_of

Cause = Literal["quarantine", "conflict", "held", "verification"]

WAYS_BACK = (ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD)
COUNTED = frozenset({"quarantine", "conflicts", "verification"})
"""The conditions that the number of the keys opens on the way back."""

UNKNOWN = "verified"
"""The condition without which the number may be too low: an operator overrides it with --force, and gives the number too."""


@dataclass(frozen=True, slots=True)
class Lack:
    """One reason why the old table does not have everything of a key."""

    table: str
    """The table of ``key``: the old one, or a v2 table."""
    key: Item
    cause: Cause
    text: str
    """For people."""


@dataclass(frozen=True, slots=True)
class KeyBehind:
    """A key that is left behind, with every reason."""

    table: str
    key: Item
    lacks: tuple[Lack, ...]

    def to_json(self) -> dict[str, Any]:
        """One row of the list."""
        causes = [{"cause": lack.cause, "text": lack.text} for lack in self.lacks]
        return {"table": self.table, "key": plain_key(self.key), "lacks": causes}

    def to_text(self) -> str:
        """One line."""
        key = shown_key(self.key)
        return f"{self.table} {key}  {'; '.join(f'{lack.cause}: {lack.text}' for lack in self.lacks)}"


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """Everything that a rollback would leave behind now."""

    keys: tuple[KeyBehind, ...] = ()
    unlisted: int = 0
    """Keys that the verification has counted, but does not list."""
    verified: str | None = None
    """When the last verification finished, ISO 8601 in UTC; None: there was none."""

    @property
    def count(self) -> int:
        """The number that an operator has to give. A key of the old table and one of a v2 table are two."""
        return len(self.keys) + self.unlisted

    def causes(self) -> dict[str, int]:
        """How many keys have which reason, for the audit log."""
        counted = Counter(cause for key in self.keys for cause in {lack.cause for lack in key.lacks})
        counted["verification"] += self.unlisted
        return {cause: number for cause, number in sorted(counted.items()) if number}

    def to_json(self) -> dict[str, Any]:
        """The document that `rollback --json` and the API show."""
        keys = [key.to_json() for key in self.keys]
        return {"count": self.count, "keys": keys, "unlisted": self.unlisted, "verified": self.verified}

    def to_text(self) -> str:
        """One line for each key; the first and only one says so when there is none."""
        if not self.count:
            return f"no key is left behind, as far as quarantine, conflict log and {self._verification} show"
        lines = [f"{_keys(self.count)} left behind: the old table does not have everything that was written there"]
        lines += [f"  {key.to_text()}" for key in self.keys]
        if self.unlisted:
            lines.append(f"  and {self.unlisted} more that the verification counted and does not list")
        return lines_of(lines)

    @property
    def _verification(self) -> str:
        return "no verification" if self.verified is None else f"the verification of {self.verified}"


def left_behind(lacks: Iterable[Lack], unlisted: int, verified: str | None) -> LeftBehind:
    """All reasons, gathered by key, in the order in which the keys first appear."""
    by_key: dict[str, list[Lack]] = {}
    for lack in lacks:
        by_key.setdefault(f"{lack.table} {sorted(plain_key(lack.key).items())}", []).append(lack)
    keys = (KeyBehind(found[0].table, found[0].key, tuple(found)) for found in by_key.values())
    return LeftBehind(tuple(keys), unlisted, verified)


class KeysLeftBehind(GateClosed):
    """A rollback would leave keys behind, and the operator has not given their number; ``behind`` has them."""

    def __init__(self, gate: Gate, forced: Collection[str], behind: LeftBehind, told: int | None) -> None:
        super().__init__(gate, forced)
        self.behind = behind
        mend, others = self.remedy, [name for name in forced if name not in COUNTED]
        wrong = "" if told is None else f", not {told} as --leave-behind says"
        closes = any(condition.name not in forced for condition in gate.closed)
        reasons = self.message if closes else f"nothing else closes the gate to {gate.to}"
        self.message = f"{reasons}; {_keys(behind.count)} left behind{wrong}"
        override = "".join(f" --force {name} --force-again {name}" for name in others) + (" --yes" if others else "")
        command = f"tablesplit rollback --leave-behind {behind.count}{override}"
        self.remedy = f"{mend}; or leave them behind: {command}" if mend else f"go on with: {command}"
        self.args = (self.message,)


def refusal(
    move: PhaseMove, gate: Gate, forced: Collection[str], told: int | None, behind: LeftBehind
) -> GateClosed | None:
    """Why ``move`` must not begin; None: it may.

    ``forced``: conditions that an operator overrides. ``told``: the number of keys that the operator leaves behind; None: none was
    given. ``behind``: what the move would leave behind; nothing on the way there.
    """
    if move not in WAYS_BACK:
        return None if gate.open_despite(forced) else GateClosed(gate, forced)
    closed = {condition.name for condition in gate.closed}
    others = [name for name in forced if name not in COUNTED]
    needed = closed & COUNTED or (UNKNOWN in closed and UNKNOWN in forced)
    if told != behind.count and (needed or told is not None):
        return KeysLeftBehind(gate, others, behind, told)
    overridden = {*others, *COUNTED} if told is not None else others
    return None if gate.open_despite(overridden) else GateClosed(gate, overridden)


def _keys(count: int) -> str:
    return "1 key is" if count == 1 else f"{count} keys are"
