"""Conditions as DynamoDB's ConditionExpression, with placeholders for every name and value.

The grammar:
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html. Names
are always placeholders, because any word may be reserved and any character may occur in a name.
"""

from typing import Any

from service.core.wire import AttributeValue
from service.core.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Path


def condition_fields(condition: Condition | None) -> dict[str, Any]:
    """The request fields that express ``condition``; none for None. Raises ValueError for a junction without
    members."""
    if condition is None:
        return {}
    placeholders = Placeholders()
    fields: dict[str, Any] = {"ConditionExpression": _expression(condition, placeholders)}
    fields["ExpressionAttributeNames"] = placeholders.names()
    if placeholders.values:
        fields["ExpressionAttributeValues"] = placeholders.values
    return fields


class Placeholders:
    """The names and values of one request, each name given out once (an expression may take 4 KB)."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.values: dict[str, AttributeValue] = {}

    def path(self, path: Path) -> str:
        """The document path with every step as a placeholder."""
        return ".".join([self._names.setdefault(step, f"#{len(self._names)}") for step in path])

    def value(self, value: AttributeValue) -> str:
        """A placeholder that stands for ``value``."""
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = value
        return placeholder

    def names(self) -> dict[str, str]:
        """ExpressionAttributeNames: placeholder to name."""
        return {placeholder: name for name, placeholder in self._names.items()}


def _expression(condition: Condition, placeholders: Placeholders) -> str:
    if isinstance(condition, AllOf | AnyOf):
        return _junction(condition, placeholders)
    path = placeholders.path(condition.path)
    if isinstance(condition, Absent):
        return f"attribute_not_exists({path})"
    if isinstance(condition, Exists):
        return f"attribute_exists({path})"
    operator = "=" if isinstance(condition, Equals) else "<"
    return f"{path} {operator} {placeholders.value(condition.value)}"


def _junction(junction: AllOf | AnyOf, placeholders: Placeholders) -> str:
    members = junction.conditions
    if not members:
        raise ValueError(f"{type(junction).__name__} without a condition says nothing")
    if len(members) == 1:
        return _expression(members[0], placeholders)
    word = " AND " if isinstance(junction, AllOf) else " OR "
    return word.join([_member(member, placeholders) for member in members])


def _member(member: Condition, placeholders: Placeholders) -> str:
    # DynamoDB refuses redundant parentheses, so a junction of one is rendered as its member.
    while isinstance(member, AllOf | AnyOf) and len(member.conditions) == 1:
        member = member.conditions[0]
    text = _expression(member, placeholders)
    return f"({text})" if isinstance(member, AllOf | AnyOf) else text
