"""What became of the counting writers' increments, compare-and-sets and copies: the part of a rehearsal's report about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.core.item.wire import Item
from service.rehearsal.counting import COUNTER, SHARED_COUNTER, TURN, CountLog
from service.rehearsal.history import History, number
from service.rehearsal.judgement import (
    compare_and_set,
    compare_and_sets_held,
    increments,
    own_side,
)

COUNTERS = frozenset({*COUNTER.values(), SHARED_COUNTER})


@dataclass(frozen=True, slots=True)
class Counted:
    """What was acknowledged, what is there, and what breaks a sentence of ``judgement``."""

    increments: int = 0
    """Acknowledged, of all counters."""

    found_on_old: int = 0
    found_on_v2: int = 0
    compare_and_sets: int = 0
    """Acknowledged, of the turns."""

    held: int = 0
    """Of these: those that no other write of the same side has replaced unseen."""

    copies: int = 0
    copies_found: int = 0
    """Of the copies: those that are on both sides."""

    broken: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing breaks a sentence, and all copies are on both sides."""
        return not self.broken and self.copies == self.copies_found

    def to_json(self) -> dict[str, Any]:
        """The counts, and what breaks a sentence."""
        return {
            "increments": {"acknowledged": self.increments, "old": self.found_on_old, "v2": self.found_on_v2},
            "compare_and_sets": {"acknowledged": self.compare_and_sets, "held": self.held},
            "copies": {"made": self.copies, "on_both_sides": self.copies_found},
            "broken": list(self.broken),
        }

    def to_text(self) -> str:
        """The counts in one line, then a line for each thing that breaks a sentence."""
        line = (
            f"increments: {self.increments} acknowledged, {self.found_on_old} found on old, {self.found_on_v2} on v2; "
            f"compare-and-sets: {self.held} of {self.compare_and_sets} held"
        )
        if self.copies:
            line += f"; copies with their stamp: {self.copies_found} of {self.copies} on both sides"
        return "\n".join([line, *(f"BROKEN: {broken}" for broken in self.broken)])


def judge_counting(log: CountLog, old: Mapping[str, Item], v2: Mapping[str, Item]) -> Counted:
    """Judge the log by both sides as they are at the end, in old form, by old key."""
    own = frozenset({*COUNTER.values(), *TURN.values()})
    history = History(
        log.operations,
        old=old,
        v2=v2,
        counters=frozenset(COUNTER.values()),
        shared_counters=frozenset({SHARED_COUNTER}),
    )
    turns = [operation for operation in log.operations if operation.field in TURN.values()]
    items = {operation.item for operation in log.operations}
    return Counted(
        increments=len(log.operations) - len(turns),
        found_on_old=_found(old, items),
        found_on_v2=_found(v2, items),
        compare_and_sets=len(turns),
        held=compare_and_sets_held(History(turns)),
        copies=len(log.copies),
        copies_found=sum(copy in old and copy in v2 for copy in log.copies),
        broken=tuple(own_side(_only(history, own)) + compare_and_set(history) + increments(history)),
    )


def _found(side: Mapping[str, Item], items: set[str]) -> int:
    return sum(int(number(side.get(item, {}).get(name))) for item in items for name in COUNTERS)


def _only(history: History, fields: frozenset[str]) -> History:
    return History([operation for operation in history.operations if operation.field in fields])
