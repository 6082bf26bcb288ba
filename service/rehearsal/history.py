"""A history: what each side's application read and wrote, field by field, and what its side had seen of the other by then.

It has what an application sees, or a test that watches the tables; nothing of rules, stamps or streams. ``judgement`` judges it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Literal

import orjson

from service.core.item.numbers import number_text, parse_number
from service.core.item.wire import AttributeValue, Item
from service.core.phases.acting import Side

Value = AttributeValue | None
"""Of a field; None: there is none."""

ITEM = ""
"""The name of the field that says whether there is an item at all. Its value is ``LIVE`` or None."""

LIVE: AttributeValue = {"BOOL": True}
OTHER: dict[Side, Side] = {"old": "v2", "v2": "old"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One field of one item as an operation found and left it on one side. One that only reads leaves what it finds."""

    side: Side
    item: str
    """The same text on both sides."""

    field: str
    """As the old table names it; ``ITEM`` for a creation or a deletion."""

    read: Value
    """What was there right before."""

    written: Value
    at: float
    """Any number that grows, also from side to side. Operations on one field of one side must be in the order of their effects."""

    by: Literal["application", "sync"] = "application"

    @property
    def writes(self) -> bool:
        """Whether the application has changed the field."""
        return self.by == "application" and self.read != self.written


@dataclass(frozen=True, slots=True)
class Logged:
    """A field of a change of the old side that the conflict log has as lost: its value after the change."""

    item: str
    field: str
    value: Value


@dataclass(frozen=True)
class History:
    """All operations of a run, and what is there once both directions have caught up."""

    operations: Sequence[Operation]
    logged: Sequence[Logged] = ()
    old: Mapping[str, Item] = field(default_factory=dict)
    """The final items of the old side, as the mapping makes them on v2, so that equal items compare equal."""

    v2: Mapping[str, Item] = field(default_factory=dict)
    """The final items of v2 in the same form."""

    quiet: Sequence[float] = ()
    """Moments at which every change had been carried."""

    counters: frozenset[str] = frozenset()
    """Fields that are only ever counted, by one side."""

    shared_counters: frozenset[str] = frozenset()
    """Fields that both sides count (``merge: add``)."""

    v2_only: frozenset[str] = frozenset()
    """Attributes and index keys that only v2's application writes."""

    @cached_property
    def courses(self) -> dict[tuple[str, str], "Course"]:
        """The operations on each field of each item."""
        found: dict[tuple[str, str], list[Operation]] = {}
        for operation in sorted(self.operations, key=lambda operation: operation.at):
            found.setdefault((operation.item, operation.field), []).append(operation)
        return {place: Course(operations) for place, operations in found.items()}

    @cached_property
    def _writers(self) -> dict[tuple[str, int], tuple[set[Side], set[Side]]]:
        """By item and period between two quiet moments: the sides that wrote it, and those that created or deleted it."""
        found: dict[tuple[str, int], tuple[set[Side], set[Side]]] = {}
        for operation in filter(lambda operation: operation.writes, self.operations):
            wrote, made = found.setdefault((operation.item, self._period(operation.at)), (set(), set()))
            (made if operation.field == ITEM else wrote).add(operation.side)
        return found

    def item_conflict(self, item: str, at: float) -> bool:
        """Whether one side created or deleted the item while the other wrote it: the excuse that `dual` needs.

        It lasts until every change is carried.
        """
        wrote, made = self._writers.get((item, self._period(at)), (set(), set()))
        return any(OTHER[side] in wrote | made for side in made)

    def excuses(self, item: str, operation: Operation) -> bool:
        """Whether this side's own writes may be gone: the other side created or deleted the item, or there is an item conflict."""
        _, made = self._writers.get((item, self._period(operation.at)), (set(), set()))
        return OTHER[operation.side] in made or self.item_conflict(item, operation.at)

    def fields(self) -> Iterator[tuple[str, str, "Course"]]:
        """Each item, each of its fields that is no shared counter, and what happened to it."""
        for (item, name), course in self.courses.items():
            if name not in self.shared_counters and name != ITEM:
                yield item, name, course

    @cached_property
    def lost(self) -> frozenset[tuple[str, str, str | None]]:
        """The item, field and content of everything in the conflict log."""
        return frozenset((lost.item, lost.field, content(lost.value)) for lost in self.logged)

    def _period(self, at: float) -> int:
        return sum(moment < at for moment in self.quiet)


@dataclass(frozen=True, slots=True)
class Step:
    """An operation in its course."""

    operation: Operation
    seen: int
    """How many writes of the other side's application this side had seen before it."""

    made: int
    """How many writes the other side's application had made by then."""

    taken: "Step | None"
    """The own-side write that was there last and now is not, though no application of this side has replaced it."""

    @property
    def came(self) -> Value:
        """What was there before an application's operation, and after the sync's."""
        return self.operation.written if self.operation.by == "sync" else self.operation.read


class Course:
    """What happened to one field of one item on both sides, in its order."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self.writes: dict[Side, list[Step]] = {"old": [], "v2": []}
        """Of each side's application."""
        self.steps: list[Step] = []
        self.values: Counter[str | None] = Counter()
        """How often each value was written by an application; the one at the start, and one that the mapping makes, count too."""
        self._seen: dict[Side, int] = {"old": 0, "v2": 0}
        self._mine: dict[Side, Step | None] = {"old": None, "v2": None}
        self._now: dict[Side, Value] = {}
        for operation in operations:
            self._add(operation)

    @property
    def sides(self) -> set[Side]:
        """The sides whose application wrote the field."""
        return {side for side, writes in self.writes.items() if writes}

    @cached_property
    def on_v2(self) -> set[str | None]:
        """All values that v2 has had of the field."""
        return {content(step.operation.written) for step in self.steps if step.operation.side == "v2"}

    @property
    def ambiguous(self) -> bool:
        """Whether both sides write the field and a value comes twice: then values do not tell who has seen what."""
        return len(self.sides) > 1 and max(self.values.values()) > 1

    def ended(self, side: Side) -> Value:
        """What a side has at the end, as far as its operations tell."""
        return self._now.get(side)

    def unseen(self, step: Step) -> bool:
        """Whether the other side had written the field by now without the taken write of this step having seen it.

        The answer to a write may come after its value has been seen on this side: so a value that came may be of a later write.
        """
        if step.taken is None or step.made > step.taken.seen:
            return step.taken is not None
        later = self.writes[OTHER[step.operation.side]][step.made :]
        return any(content(write.operation.written) == content(step.came) for write in later)

    def concurrent(self, write: Step) -> bool:
        """Whether the other side's application wrote the field without having seen this write, and unseen by it."""
        side, own = write.operation.side, self.writes[write.operation.side].index(write)
        return any(other.seen <= own for other in self.writes[OTHER[side]][write.seen :])

    def _add(self, operation: Operation) -> None:
        side = operation.side
        came = operation.written if operation.by == "sync" else operation.read
        foreign = operation.by == "sync" or side not in self._now or self._now[side] != operation.read
        mine, taken = self._mine[side], None
        self._note_values(operation, came)
        if foreign:
            self._note_seen(side, came)
            taken = mine if mine is not None and mine.operation.written != came else None
            self._mine[side] = None if taken is not None else mine
        step = Step(operation, self._seen[side], len(self.writes[OTHER[side]]), taken)
        self.steps.append(step)
        self._now[side] = operation.written
        if operation.writes:
            self.writes[side].append(step)
            self._mine[side] = step

    def _note_values(self, operation: Operation, came: Value) -> None:
        made = operation.by == "sync" or not self.steps
        if made and content(came) not in self.values:
            self.values[content(came)] += 1
        if operation.writes:
            self.values[content(operation.written)] += 1

    def _note_seen(self, side: Side, came: Value) -> None:
        """A value that did not come from this side: the first of the other side's unseen writes that made it is seen now."""
        for number, write in enumerate(self.writes[OTHER[side]][self._seen[side] :], self._seen[side]):
            if content(write.operation.written) == content(came):
                self._seen[side] = number + 1
                return


def content(value: Value) -> str | None:
    """A value as text, the same for a number and for a text that looks like it. None for no value."""
    if value is None:
        return None
    ((kind, inner),) = value.items()
    parsed = parse_number(inner) if kind in ("N", "S") else None
    if parsed is not None:
        return number_text(parsed)
    return inner if kind == "S" else orjson.dumps(inner, option=orjson.OPT_SORT_KEYS).decode()


def number(value: Value) -> Decimal:
    """A number, also one that is a text; 0 for no value and for anything else."""
    return parse_number(content(value) or "") or Decimal(0)
