"""The tally of writes: where each acknowledged write is at the end, checked from outside.

It uses the writers' own log, both sides as they are, and the conflict log; of the service, only the mapping's transforms. Each
value was written once, so a value identifies its write. A write is *present* when its values are there at the end; *in
conflict* when the conflict log has some of those that are not; *replaced* when later or concurrent writes took the place of all
that are not. Otherwise it is *lost*.

A change that is in the conflict log has lost there only in the fields that both sides changed: its other fields were carried,
and may have replaced values of v2.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from collections.abc import Mapping as Lookup
from dataclasses import dataclass, field
from typing import Any, Literal

from service.core.item.compare import same_value
from service.core.item.wire import Item
from service.escape import lines_of
from service.rehearsal.write_log import Attempt

Verdict = Literal["present", "replaced", "in conflict", "lost"]


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """A change in the conflict log: old key as text, and the item before and after it."""

    key: str
    old: Item | None
    new: Item | None
    lost: frozenset[str] = frozenset()
    """The old attributes in which it lost. A delete is lost as a whole."""


@dataclass(frozen=True, slots=True)
class Tally:
    """How many writes were acknowledged, and how many of them got which verdict."""

    acknowledged: int
    present: int
    replaced: int
    in_conflict: int
    lost: tuple[str, ...]
    """One line for each."""

    merged: int
    """Of the present and the replaced ones: those made without knowledge of the other side's write to the same item, where both
    took effect."""

    different: tuple[str, ...]
    """The old keys whose two sides differ."""

    @property
    def ok(self) -> bool:
        """No write is lost, and both sides are equal."""
        return not self.lost and not self.different

    def to_json(self) -> dict[str, Any]:
        """The counts, and every loss and difference."""
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
        lines = [
            f"tally of writes: {self.acknowledged} acknowledged = {total}; {self.merged} merged with the other side's"
        ]
        lines += [f"LOST: {write}" for write in self.lost]
        return lines_of([*lines, *(f"DIFFERENT: {key}" for key in self.different)])


def tally_writes(
    attempts: Sequence[Attempt],
    old: Lookup[str, Item],
    conflicts: Iterable[LoggedChange],
    *,
    different: Iterable[str] = (),
) -> Tally:
    """Tally all acknowledged writes. old: the old items at the end, by key, without stamps. different: the keys whose two sides
    differ."""
    histories = _histories(attempts, old, conflicts)
    judged: list[tuple[Attempt, Verdict]] = [
        (write, history.verdict(write))
        for history in histories.values()
        for write in history.attempts
        if write.acknowledged
    ]
    verdicts = [verdict for _, verdict in judged]
    effective = [write for write, verdict in judged if verdict in ("present", "replaced")]
    return Tally(
        acknowledged=len(judged),
        present=verdicts.count("present"),
        replaced=verdicts.count("replaced"),
        in_conflict=verdicts.count("in conflict"),
        lost=tuple(_line(write) for write, verdict in judged if verdict == "lost"),
        merged=sum(histories[write.key].merged(write) for write in effective),
        different=tuple(different),
    )


@dataclass(slots=True)
class _History:
    """One item: all attempts at it, the item at the end, and its changes in the conflict log."""

    attempts: Sequence[Attempt]
    final: Item | None
    conflicts: Sequence[LoggedChange] = field(default_factory=list)

    def verdict(self, write: Attempt) -> Verdict:
        if self._present(write):
            return "present"
        if write.values is None:
            recreated = any(rival.kind == "create" for rival in self._rivals(write))
            return "in conflict" if self._delete_logged(write) else "replaced" if recreated else "lost"
        missing = self._missing(write)
        unlogged = [name for name in missing if not self._logged(write, name)]
        if unlogged and not self._replaced(write, unlogged):
            return "lost"
        return "replaced" if len(unlogged) == len(missing) else "in conflict"

    def _present(self, write: Attempt) -> bool:
        if write.values is None:
            return self.final is None
        return self.final is not None and not self._missing(write)

    def _missing(self, write: Attempt) -> list[str]:
        """The names whose values from this write are no longer there."""
        final, values = self.final or {}, write.values or {}
        return [name for name, value in values.items() if name not in final or not same_value(final[name], value)]

    def _rivals(self, write: Attempt) -> list[Attempt]:
        return [rival for rival in self.attempts if rival is not write and rival.ended > write.begun]

    def _replaced(self, write: Attempt, names: Iterable[str]) -> bool:
        """Whether others have replaced these values of the write, or the item."""
        rivals = self._rivals(write)
        if any(self._replaced_item(rival, write.side) for rival in rivals):
            return True
        return all(any(self._wrote(rival, name, write.side) for rival in rivals) for name in names)

    def _replaced_item(self, rival: Attempt, side: str) -> bool:
        """Whether a write has created or deleted the item on ``side``: on its own side it did at once, also if it lost later."""
        if rival.values is None:
            return rival.side == side or not self._delete_logged(rival)
        return rival.kind == "create" and (rival.side == side or not self._logged_at_all(rival))

    def _wrote(self, rival: Attempt, name: str, side: str) -> bool:
        """Whether a write has set the attribute on ``side``: on its own side it did at once, also if it lost later."""
        return name in (rival.values or {}) and (rival.side == side or not self._logged(rival, name))

    def _logged(self, write: Attempt, name: str) -> bool:
        """Whether the conflict log has this value of a write on the old table as lost: alone, or in one change with later ones."""
        value = (write.values or {})[name]
        return write.side == "old" and any(
            name in change.lost and (change.new or {}).get(name) == value and (change.old or {}).get(name) != value
            for change in self.conflicts
        )

    def _logged_at_all(self, write: Attempt) -> bool:
        return any(self._logged(write, name) for name in write.values or {})

    def _delete_logged(self, write: Attempt) -> bool:
        return write.side == "old" and any(change.new is None for change in self.conflicts)

    def merged(self, write: Attempt) -> bool:
        """Whether this write, and one of the other side to other fields that it did not know of, both took effect."""
        if write.values is None or write.before is None:
            return False
        return any(self._beside(other, write) and self._unknown(other, write) for other in self.attempts)

    def _beside(self, other: Attempt, write: Attempt) -> bool:
        """Whether ``other`` changed other fields, on the other side, and ended first."""
        if other.side == write.side or not other.acknowledged or other.ended > write.ended:
            return False
        if self._logged_at_all(other):
            return False
        return other.values is not None and not (other.values.keys() & (write.values or {}).keys())

    def _unknown(self, other: Attempt, write: Attempt) -> bool:
        """Whether the item that ``write`` started from held nothing of ``other`` or of later writes to its fields."""
        authors = [self._author(name, (write.before or {}).get(name)) for name in other.values or {}]
        return all(author is None or author.ended <= other.begun for author in authors)

    def _author(self, name: str, value: Any) -> Attempt | None:
        writes = (write for write in self.attempts if write.values is not None and write.values.get(name) == value)
        return next(writes, None)


def _histories(
    attempts: Sequence[Attempt], final: Lookup[str, Item], conflicts: Iterable[LoggedChange]
) -> dict[str, _History]:
    attempts_by_key: dict[str, list[Attempt]] = defaultdict(list)
    changes_by_key: dict[str, list[LoggedChange]] = defaultdict(list)
    for attempt in attempts:
        attempts_by_key[attempt.key].append(attempt)
    for change in conflicts:
        changes_by_key[change.key].append(change)
    return {key: _History(tried, final.get(key), changes_by_key[key]) for key, tried in attempts_by_key.items()}


def _line(write: Attempt) -> str:
    return f"{write.kind} of {write.key} on {write.side} by writer {write.writer}: {write.values}"
