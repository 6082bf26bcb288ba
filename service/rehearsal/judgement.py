"""What became of every acknowledged write, judged from outside: by the writers' log, both sides as they are, and the conflict
log. Of the service it uses only the mapping's transforms.

Each value was written once, so a value tells its write. A write *stands* when its values are there at the end; it was
*replaced* when a later or concurrent acknowledged write took its place; it is *in conflict* when the conflict log has it whole.
Anything else is lost.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from typing import Any, Literal

from service.core.item.compare import equal, same_value
from service.core.item.wire import Item
from service.rehearsal.write_log import Attempt

Verdict = Literal["present", "replaced", "in conflict", "lost"]


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change in the conflict log: old key as text, and the item before and after it."""

    key: str
    old: Item | None
    new: Item | None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many writes were acknowledged, and what became of them. merged: of those that stand or were replaced, how many were
    made without knowing of the other side's write to the same item. different: old keys whose two sides differ."""

    acknowledged: int
    present: int
    replaced: int
    in_conflict: int
    lost: tuple[str, ...]
    merged: int
    different: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Nothing is lost, and both sides are the same."""
        return not self.lost and not self.different

    def to_json(self) -> dict[str, Any]:
        """Counts, and every loss and difference."""
        return {
            "acknowledged": self.acknowledged,
            "present": self.present,
            "replaced": self.replaced,
            "merged": self.merged,
            "in_conflict": self.in_conflict,
            "lost": len(self.lost),
            "losses": list(self.lost),
            "different": list(self.different),
        }

    def to_text(self) -> str:
        """The counts in one line, then a line for each loss and difference."""
        counts = {
            "present": self.present,
            "replaced by later ones": self.replaced,
            "in conflict": self.in_conflict,
            "lost": len(self.lost),
        }
        total = " + ".join(f"{count} {name}" for name, count in counts.items())
        lines = [f"ledger: {self.acknowledged} acknowledged = {total}; {self.merged} merged with the other side's"]
        lines += [f"LOST: {write}" for write in self.lost]
        return "\n".join([*lines, *(f"DIFFERENT: {key}" for key in self.different)])


@dataclass(slots=True)
class _Case:
    """One item: all attempts at it, its end, and what the conflict log has of it."""

    attempts: Sequence[Attempt]
    final: Item | None
    conflicts: Sequence[LoggedChange] = field(default_factory=list)

    def verdict(self, write: Attempt) -> Verdict:
        if self._stands(write):
            return "present"
        if self._logged(write):
            return "in conflict"
        return "replaced" if self._replaced(write) else "lost"

    def _stands(self, write: Attempt) -> bool:
        if write.values is None:
            return self.final is None
        return self.final is not None and not self._missing(write)

    def _missing(self, write: Attempt) -> list[str]:
        """The names whose values are not there any more."""
        there, values = self.final or {}, write.values or {}
        return [name for name, value in values.items() if name not in there or not same_value(there[name], value)]

    def _replaced(self, write: Attempt) -> bool:
        rivals = [
            one for one in self.attempts if one is not write and one.ended > write.begun and not self._logged(one)
        ]
        if write.values is None:
            return any(one.kind == "create" for one in rivals)
        removed = any(one.values is None or one.kind == "create" for one in rivals)
        return removed or all(any(name in (one.values or {}) for one in rivals) for name in self._missing(write))

    def _logged(self, write: Attempt) -> bool:
        """Whether the conflict log has the change that the write made on the old table."""
        return write.side == "old" and any(_made(write, change) for change in self.conflicts)

    def merged(self, write: Attempt) -> bool:
        """Whether the write and one of the other side to other fields, of which it did not know, both took effect."""
        if write.values is None or write.before is None:
            return False
        return any(self._beside(other, write) and self._unknown(other, write) for other in self.attempts)

    def _beside(self, other: Attempt, write: Attempt) -> bool:
        if other.side == write.side or not other.acknowledged or other.ended > write.ended or self._logged(other):
            return False
        return other.values is not None and not (other.values.keys() & (write.values or {}).keys())

    def _unknown(self, other: Attempt, write: Attempt) -> bool:
        seen = [self._author(name, (write.before or {}).get(name)) for name in other.values or {}]
        return all(one is None or one.ended <= other.begun for one in seen)

    def _author(self, name: str, value: Any) -> Attempt | None:
        made = (one for one in self.attempts if one.values is not None and one.values.get(name) == value)
        return next(made, None)


def judge(
    attempts: Sequence[Attempt], old: Lookup[str, Item], v2: Lookup[str, Item], conflicts: Iterable[LoggedChange]
) -> Tally:
    """The ledger of all acknowledged writes. old, v2: the items of both sides at the end by old key, in old form, stamps off."""
    cases = _cases(attempts, old, conflicts)
    found: list[tuple[Attempt, Verdict]] = [
        (write, case.verdict(write)) for case in cases.values() for write in case.attempts if write.acknowledged
    ]
    verdicts = [verdict for _, verdict in found]
    return Tally(
        acknowledged=len(found),
        present=verdicts.count("present"),
        replaced=verdicts.count("replaced"),
        in_conflict=verdicts.count("in conflict"),
        lost=tuple(_told(write) for write, verdict in found if verdict == "lost"),
        merged=sum(verdict in ("present", "replaced") and cases[write.key].merged(write) for write, verdict in found),
        different=tuple(key for key in sorted(old.keys() | v2.keys()) if not _same(old.get(key), v2.get(key))),
    )


def _cases(
    attempts: Sequence[Attempt], final: Lookup[str, Item], conflicts: Iterable[LoggedChange]
) -> dict[str, _Case]:
    by_key: dict[str, list[Attempt]] = defaultdict(list)
    logged: dict[str, list[LoggedChange]] = defaultdict(list)
    for attempt in attempts:
        by_key[attempt.key].append(attempt)
    for change in conflicts:
        logged[change.key].append(change)
    return {key: _Case(made, final.get(key), logged[key]) for key, made in by_key.items()}


def _made(write: Attempt, change: LoggedChange) -> bool:
    """Whether the change is the one that this write made: it brings all its values, and some of them are new."""
    if write.values is None or change.new is None:
        return write.values is None and change.new is None
    before, after = change.old or {}, change.new
    return all(after.get(name) == value for name, value in write.values.items()) and any(
        before.get(name) != value for name, value in write.values.items()
    )


def _same(first: Item | None, second: Item | None) -> bool:
    return first is not None and second is not None and equal(first, second)


def _told(write: Attempt) -> str:
    return f"{write.kind} of {write.key} on {write.side} by writer {write.writer}: {write.values}"
