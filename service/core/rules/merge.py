"""The three-way merge of two versions of one old item that come from the same base."""

from decimal import Decimal
from typing import NamedTuple

from service.core.item.compare import differences
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping


class Merge(NamedTuple):
    """The result of a merge."""

    item: Item | None
    """The merged old item; None when the changes overlap."""
    overlap: tuple[str, ...] = ()
    """The fields that both sides have changed, to different values."""


def three_way(mapping: Mapping, base: Item, theirs: Item, mine: Item) -> Merge:
    """``base`` with the changes of both ``theirs`` and ``mine``, all three old items without stamps.

    The changes overlap when both sides have changed a field to different values. Attributes that are aliases of one field count as
    that field. The change token never overlaps: the larger value wins. Attributes derived from others (index keys) are not part of
    an old item; ``forward`` makes them again.
    """
    entity = mapping.entities.get(mine.get(mapping.old.entity, {}).get("S", ""))
    token = entity.change_token if entity is not None else None
    their_changes, my_changes = differences(base, theirs), differences(base, mine)
    both = _units(entity, their_changes) & _units(entity, my_changes) - {token}
    overlapping = {name for name in differences(theirs, mine) if _unit(entity, name) in both}
    if overlapping:
        return Merge(None, tuple(sorted({_unit(entity, name) for name in overlapping})))
    merged = dict(theirs)
    for name in my_changes:
        _set(merged, name, mine.get(name))
    if token is not None and token in their_changes and token in my_changes:
        _set(merged, token, _larger(theirs.get(token), mine.get(token)))
    return Merge(merged)


def _units(entity: Entity | None, names: list[str]) -> set[str]:
    return {_unit(entity, name) for name in names}


def _unit(entity: Entity | None, name: str) -> str:
    """The unit of comparison for an old attribute: the field that is made from it, or the attribute itself."""
    rule = entity.group_of.get(name) if entity is not None else None
    return rule.name if rule is not None else name


def _set(item: Item, name: str, value: AttributeValue | None) -> None:
    if value is None:
        item.pop(name, None)
    else:
        item[name] = value


def _larger(first: AttributeValue | None, second: AttributeValue | None) -> AttributeValue | None:
    """The larger of two tokens of one type; the first when they cannot be compared."""
    if first is None or second is None:
        return first or second
    if "S" in first and "S" in second:
        return max(first, second, key=lambda value: str(value["S"]))
    if "N" in first and "N" in second:
        return max(first, second, key=lambda value: Decimal(value["N"]))
    return first
