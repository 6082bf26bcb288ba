"""How the in-memory table compares values and judges conditions, as DynamoDB does.

Source: the comparison operators and functions of condition expressions,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
``tests/contract/test_memory_agrees.py`` shows that DynamoDB Local gives the same verdicts.
"""

import base64
from decimal import Context
from typing import Any

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Path

NUMBERS = Context(prec=38)


def holds(condition: Condition | None, item: Item | None) -> bool:
    """Whether ``condition`` is met by ``item`` (None: there is no item). Raises ValueError for an empty junction."""
    if condition is None:
        return True
    if isinstance(condition, AllOf | AnyOf):
        if not condition.conditions:
            raise ValueError(f"{type(condition).__name__} needs at least one condition")
        verdicts = [holds(member, item) for member in condition.conditions]
        return all(verdicts) if isinstance(condition, AllOf) else any(verdicts)
    value = value_at(item, condition.path)
    if isinstance(condition, Absent):
        return value is None
    if isinstance(condition, Exists):
        return value is not None
    if isinstance(condition, Equals):
        return value is not None and canonical(value) == canonical(condition.value)
    return value is not None and _is_less(value, condition.value)


def value_at(item: Item | None, path: Path) -> AttributeValue | None:
    """The value that ``path`` leads to, through maps only, or None."""
    steps = item
    value: AttributeValue | None = None
    for name in path:
        value = steps.get(name) if steps is not None else None
        steps = value.get("M") if value is not None else None
    return value


def canonical(value: AttributeValue) -> Any:
    """A hashable form, equal for two values that DynamoDB treats as equal: numbers by value, sets in any order."""
    ((tag, content),) = value.items()
    if tag == "N":
        return tag, NUMBERS.create_decimal(content)
    if tag == "NS":
        return tag, frozenset(map(NUMBERS.create_decimal, content))
    if tag in ("SS", "BS"):
        return tag, frozenset(content)
    if tag == "L":
        return tag, tuple(canonical(element) for element in content)
    if tag == "M":
        return tag, frozenset((name, canonical(element)) for name, element in content.items())
    return tag, content


def _is_less(left: AttributeValue, right: AttributeValue) -> bool:
    tag = next(iter(left))
    return tag in ("S", "N", "B") and tag in right and bool(sort_key(left) < sort_key(right))


def sort_key(value: AttributeValue) -> Any:
    """The sort key of values of one type: strings by UTF-8 bytes, numbers by value, binaries by unsigned bytes."""
    ((tag, content),) = value.items()
    if tag == "N":
        return NUMBERS.create_decimal(content)
    return content.encode() if tag == "S" else base64.b64decode(content)
