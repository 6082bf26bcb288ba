"""The verdict on each unit of a change of the old table: carried to v2, lost against v2, or nothing to do; and which can be
written."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from service.core.item.stamp import V2Item
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.unit_writes import with_units
from service.core.rules.units import (
    ABSENT,
    ELEMENT,
    Form,
    UnitChange,
    Value,
    counter,
    difference,
    merge_of,
    number_of,
    same,
)
from service.errors import Poison


class Judged(NamedTuple):
    """The units of a change: those to carry, and those that v2 has written unseen."""

    carried: list[UnitChange]
    lost: list[str]


def judge_units(mapping: Mapping, changes: Sequence[UnitChange], before: Form, now: Form, image: Item) -> Judged:
    """Which of the ``changes``, from the form ``before``, are carried to v2, whose form is ``now``, and which are lost.
    ``image``: the old item afterwards.

    | v2 has of the unit         | decision                                                             |
    |----------------------------|----------------------------------------------------------------------|
    | what the change replaced   | carried                                                              |
    | what the change wrote      | nothing to do; but lost if it is a number that both sides changed    |
    | anything else              | lost, unless only the form of the old value changed                  |

    ``merge: add`` carries the difference of two numbers whatever v2 has. ``merge: agree`` never loses an equal value. The
    change token is never lost: the larger one stays. A union of which one side has made another kind of value is lost against
    any write of it.
    """
    entity = mapping.entity_of(image)
    token = entity.change_token if entity is not None else None
    judged = Judged([], [])
    for change in changes:
        merge = merge_of(entity, change.unit)
        verdict = _verdict(change, now.get(change.unit, ABSENT), merge, change.unit == token)
        if merge == "union" and verdict == "carried" and not _is_same_kind(change.unit, before, now):
            verdict = "lost"
        if verdict == "carried":
            judged.carried.append(change)
        elif verdict == "lost":
            judged.lost.append(change.unit)
    # Where a whole union is lost, the elements that it replaced are no changes of their own.
    kept = [change for change in judged.carried if change.unit.partition(ELEMENT)[0] not in judged.lost]
    return Judged(kept, judged.lost)


def _is_same_kind(unit: str, before: Form, now: Form) -> bool:
    """Whether v2 has of a union what a change of it can be applied to: for an element a container, for the whole value the
    elements that the change replaced."""
    name, element, _ = unit.partition(ELEMENT)
    if element:
        return name not in now
    elements = {other for other in (before.keys() | now.keys()) if other.startswith(name + ELEMENT)}
    return all((other in before) == (other in now) for other in elements)


def _verdict(change: UnitChange, now: Value, merge: str, is_token: bool) -> Literal["carried", "lost", "done"]:
    if merge == "add" and difference(change) is not None and counter(now) is not None:
        return "carried"
    if same(now, change.before):
        return "carried"
    if same(change.before, change.after):  # also a default that moved with another field: nobody wrote it
        return "done"
    if is_token:
        return "carried" if _is_larger(change.after, now) else "done"
    if same(now, change.after):
        return "lost" if merge != "agree" and number_of(now) is not None else "done"
    return "lost"


def _is_larger(first: Value, second: Value) -> bool:
    """Whether a change token is larger than another of the same type. Tokens that cannot be compared are not."""
    if second.normal is None:
        return False
    one, other = (value.normal[0] if value.normal else None for value in (first, second))
    if one is None or other is None:
        return other is None and one is not None
    return one.keys() == other.keys() and _order(one) > _order(other)


def _order(token: AttributeValue) -> tuple[Decimal, str]:
    ((kind, content),) = token.items()
    return (Decimal(content), "") if kind == "N" else (Decimal(0), str(content))


class Writable(NamedTuple):
    """The changes with which the old form of a v2 item can be mapped, and those with which it cannot."""

    changes: list[UnitChange]
    waiting: list[UnitChange]
    poison: Poison | None
    """Why not."""
    made: V2Item | None
    """What the transform makes of the old form with ``changes``; None without any."""


def writable_units(mapping: Mapping, old_now: Item, now: Form, changes: list[UnitChange]) -> Writable:
    """Which of ``changes`` can be written on the v2 item whose old form is ``old_now``."""
    if not changes:
        return Writable([], [], None, None)
    try:
        return Writable(changes, [], None, _made(mapping, old_now, now, changes))
    except Poison as poison:
        return _writable_one_by_one(mapping, old_now, now, changes, poison)


def _writable_one_by_one(
    mapping: Mapping, old_now: Item, now: Form, changes: list[UnitChange], reason: Poison
) -> Writable:
    kept: list[UnitChange] = []
    made: V2Item | None = None
    for change in changes:
        try:
            made = _made(mapping, old_now, now, [*kept, change])
        except Poison as poison:
            reason = poison
        else:
            kept.append(change)
    return Writable(kept, [change for change in changes if change not in kept], reason, made)


def _made(mapping: Mapping, old_now: Item, now: Form, changes: list[UnitChange]) -> V2Item:
    return forward(mapping, with_units(mapping.entity_of(old_now), old_now, now, changes))
