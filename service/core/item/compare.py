"""Equality as DynamoDB defines it: numbers by value, sets in any order, everything else byte for byte."""

from decimal import Decimal

from service.core.item.numbers import number_text
from service.core.item.wire import AttributeValue, Item


def differences(expected: Item, actual: Item) -> list[str]:
    """The names of the attributes that differ between the two items, sorted."""
    if expected == actual:
        return []
    names = expected.keys() | actual.keys()
    return sorted(name for name in names if not same_or_absent(expected.get(name), actual.get(name)))


def equal(first: Item, second: Item) -> bool:
    """Whether both items hold the same attributes."""
    return first == second or not differences(first, second)


def equal_or_absent(first: Item | None, second: Item | None) -> bool:
    """Whether both are equal items, or both are None."""
    if first is None or second is None:
        return first is second
    return equal(first, second)


def same_value(first: AttributeValue, second: AttributeValue) -> bool:
    """Whether both attribute values have the same type and content."""
    if first == second:
        return True
    (kind, left), (other_kind, right) = *first.items(), *second.items()
    if kind != other_kind:
        return False
    if kind == "N":
        return Decimal(left) == Decimal(right)
    if kind == "NS":
        return {Decimal(number) for number in left} == {Decimal(number) for number in right}
    if kind in ("SS", "BS"):
        return set(left) == set(right)
    if kind == "L":
        return len(left) == len(right) and all(map(same_value, left, right))
    return kind == "M" and equal(left, right)


def same_or_absent(first: AttributeValue | None, second: AttributeValue | None) -> bool:
    """Whether both are the same value, or both are None."""
    if first is None or second is None:
        return first is second
    return same_value(first, second)


def in_one_form(value: AttributeValue) -> AttributeValue:
    """The form that all values have which are the same as ``value``: numbers in normal form, sets in order."""
    ((kind, content),) = value.items()
    if kind == "N":
        return {kind: number_text(Decimal(content))}
    if kind == "NS":
        return {kind: sorted(number_text(Decimal(number)) for number in content)}
    if kind in ("SS", "BS"):
        return {kind: sorted(content)}
    if kind == "L":
        return {kind: [in_one_form(element) for element in content]}
    return {kind: item_in_one_form(content)} if kind == "M" else value


def item_in_one_form(item: Item) -> Item:
    """The form that all items have which are ``equal`` to an item."""
    return {name: in_one_form(value) for name, value in item.items()}
