"""Judgements of a history: what the application of each side may expect of phase `dual`, one function for a sentence.

Each returns a line for each thing that breaks its sentence; none when it holds. The random search of the tests, the acceptance
tests and the rehearsals use the same functions.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

from service.core.item.wire import AttributeValue
from service.core.phases.acting import Side
from service.rehearsal.history import ITEM, OTHER, Course, History, Logged, Step, content, number


def judge(history: History) -> list[str]:
    """Everything that breaks one of the sentences, each line with the sentence's name."""
    sentences: dict[str, Callable[[History], list[str]]] = {
        "own side": own_side,
        "compare-and-set": compare_and_set,
        "increments": increments,
        "conflict log": conflict_log,
        "no write lost": no_write_lost,
        "both sides": both_sides,
        "v2's own": v2_own,
        "earlier value": earlier_value,
    }
    return [f"{name}: {line}" for name, sentence in sentences.items() for line in sentence(history)]


def own_side(history: History) -> list[str]:
    """(a) At every moment a field reads what this side wrote last, until the other side's application writes that field.

    A field that both sides write is judged as long as every value of it is written once.
    """
    return [
        _taken(step)
        for item, name, course in history.fields()
        for step in course.steps
        if step.taken is not None and not course.unseen(step)
        if not course.ambiguous and not history.excuses(item, step.operation)
    ]


def compare_and_set(history: History) -> list[str]:
    """(b) On one side, a value is replaced as often as it was written: a compare-and-set that succeeded stays true."""
    found = []
    for item, name, course in history.fields():
        written = course.values
        replaced = Counter(
            (step.operation.side, content(step.operation.read))
            for step in _by_time(course)
            if not history.item_conflict(item, step.operation.at)
        )
        if course.ambiguous:
            continue
        found += [
            f"{item} {name}: {count} writes on {side} replaced {value}"
            for (side, value), count in replaced.items()
            if value is not None and 0 < written[value] < count and name not in history.counters
        ]
    return found


def increments(history: History) -> list[str]:
    """(c) A counter is its start and all acknowledged increments: of both sides where they share it, else of its one side.

    An item that was created or deleted meanwhile is not judged.
    """
    return [
        f"{item} {name}: {wanted} acknowledged, {found} on {side}"
        for item, name, wanted in counted(history)
        for side, items in (("old", history.old), ("v2", history.v2))
        if item in items and (found := number(items[item].get(name))) != wanted
    ]


def counted(history: History) -> list[tuple[str, str, Decimal]]:
    """The item and name of each counter that was written, and what it must be at the end."""
    return [
        (item, name, number(operations[0].read) + sum(number(o.written) - number(o.read) for o in operations))
        for (item, name), course in history.courses.items()
        if (name in history.shared_counters or (name in history.counters and len(course.sides) == 1))
        and not any(step.operation.writes for step in _steps(history, item, ITEM))
        and (operations := [step.operation for step in _by_time(course)])
    ]


def conflict_log(history: History) -> list[str]:
    """(d) What the conflict log calls lost, v2's application wrote too, neither having seen the other; and v2 never had it."""
    found = []
    for lost in history.logged:
        writes = _writes_of(history, lost)
        if not writes:
            found.append(f"{lost.item} {lost.field}: {content(lost.value)} is logged, and was never written on old")
        elif not any(_conflicts(history, lost, write) for write in writes):
            found.append(f"{lost.item} {lost.field}: {content(lost.value)} is logged, and v2 had not written it unseen")
        if lost.field != ITEM and _carried(history, lost):
            found.append(f"{lost.item} {lost.field}: {content(lost.value)} is both carried and in the conflict log")
    return found


def no_write_lost(history: History) -> list[str]:
    """(d) A write is there at the end, or an application that saw it has replaced it; one of the old side may be in the log.

    Judged for values that were written once.
    """
    found = []
    for item, name, course in history.fields():
        written, replaced = course.values, {content(step.operation.read) for step in _by_time(course)}
        there = content(history.v2.get(item, {}).get(name))
        for write in _by_time(course):
            value, side = content(write.operation.written), write.operation.side
            kept = (
                value in replaced
                or value in (there, _ended(course, side))
                or (side == "old" and (item, name, value) in history.lost)
            )
            # v2's application may have deleted the value with a place that it moved the item from, unseen, or seen in no form.
            kept = kept or (side == "old" and history.excuses(item, write.operation))
            kept = kept or (value not in course.on_v2 and _made_since(history, write))
            if value is not None and written[value] == 1 and not kept and name not in history.v2_only:
                found.append(f"{item} {name}: {value} of {side} is lost, {there} is there")
    return found


def both_sides(history: History) -> list[str]:
    """(e) At the end both sides have the same items, copies too, and the same values in them."""
    found = []
    for item in sorted(history.old.keys() | history.v2.keys()):
        old, v2 = history.old.get(item), history.v2.get(item)
        if old is None or v2 is None:
            found.append(f"{item}: only on {'v2' if old is None else 'old'}")
        else:
            found += [
                f"{item} {name}: {content(old.get(name))} on old, {content(v2.get(name))} on v2"
                for name in sorted(old.keys() | v2.keys())
                if old.get(name) != v2.get(name)
            ]
    return found


def v2_own(history: History) -> list[str]:
    """(f) What only v2's application writes, nothing else changes as long as the item lives."""
    return [
        _taken(step)
        for (item, name), course in history.courses.items()
        if name in history.v2_only
        for step in course.steps
        if step.taken is not None and step.operation.side == "v2" and not history.excuses(item, step.operation)
    ]


def earlier_value(history: History) -> list[str]:
    """(g) A field that one side alone writes ends as what that side wrote last, in the form that it wrote, or as absent: no earlier
    value comes back.

    A side that has deleted the item last is not judged: the other may have written it unseen, and then gives it back. Nor is one
    whose item the other has deleted or created since: that has the values that the other side knows. Nor is what
    the conflict log has as lost.
    """
    found = []
    for item, name, course in history.fields():
        side = next(iter(course.sides)) if len(course.sides) == 1 else None
        if side is None or not _lives(history, item, side) or _made_since(history, course.writes[side][-1]):
            continue
        ended, last = course.ended(side), _last_since_creation(history, item, course.writes[side])
        if ended is not None and ended != last and (item, name, content(last)) not in history.lost:
            found.append(f"{item} {name} on {side}: {content(last)} was written last, {content(ended)} is there")
    return found


def compare_and_sets_held(history: History) -> int:
    """How many values were replaced by exactly one write of their side."""
    reads = Counter(
        (item, name, step.operation.side, content(step.operation.read))
        for item, name, course in history.fields()
        for step in _by_time(course)
        if name not in history.counters
    )
    return sum(count == 1 for count in reads.values())


def _by_time(course: Course) -> list[Step]:
    """The writes of both applications."""
    return [step for step in course.steps if step.operation.writes]


def _steps(history: History, item: str, name: str) -> list[Step]:
    course = history.courses.get((item, name))
    return course.steps if course is not None else []


def _made_since(history: History, write: Step) -> bool:
    """Whether the other side's application has deleted or created the item since a write."""
    others = _item_writes(history, write.operation.item, OTHER[write.operation.side])
    return any(step.operation.at > write.operation.at for step in others)


def _ended(course: Course, side: Side) -> str | None:
    """What a side has at the end of a field that it alone writes: v2 may have no form of that."""
    return content(course.ended(side)) if course.sides == {side} else None


def _lives(history: History, item: str, side: Side) -> bool:
    """Whether the last that a side's application did with the item as a whole was not to delete it."""
    writes = _item_writes(history, item, side)
    return not writes or writes[-1].operation.written is not None


def _last_since_creation(history: History, item: str, writes: Sequence[Step]) -> AttributeValue | None:
    """The value of a side's last write of a field; None if the side has created the item anew since, without the field."""
    last = writes[-1].operation
    made = [step.operation.at for step in _item_writes(history, item, last.side) if step.operation.written is not None]
    return last.written if not made or last.at >= made[-1] else None


def _item_writes(history: History, item: str, side: Side) -> list[Step]:
    course = history.courses.get((item, ITEM))
    return course.writes[side] if course is not None else []


def _writes_of(history: History, lost: Logged) -> list[Step]:
    """The old side's writes that made the lost value."""
    writes = [step for step in _steps(history, lost.item, lost.field) if step.operation.writes]
    return [w for w in writes if w.operation.side == "old" and content(w.operation.written) == content(lost.value)]


def _conflicts(history: History, lost: Logged, write: Step) -> bool:
    course = history.courses[lost.item, lost.field]
    return course.ambiguous or course.concurrent(write) or history.item_conflict(lost.item, write.operation.at)


def _carried(history: History, lost: Logged) -> bool:
    """Whether v2 has had the lost value, which was written only once."""
    course = history.courses.get((lost.item, lost.field))
    if course is None or lost.value is None or course.values[content(lost.value)] != 1:
        return False
    return any(
        content(step.operation.written) == content(lost.value) and step.operation.side == "v2" for step in course.steps
    )


def _taken(step: Step) -> str:
    operation, taken = step.operation, step.taken
    assert taken is not None
    mine = content(taken.operation.written)
    return f"{operation.item} {operation.field} on {operation.side}: {mine} became {content(step.came)} at {operation.at:g}"
