"""Conditions and updates as DynamoDB expressions, with placeholders for every name and value.

Grammar: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html. Names are always
placeholders, because any word may be reserved and a name may contain any character.
"""

from typing import Any

from service.core.item.wire import AttributeValue
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Path, Update


def condition_fields(condition: Condition | None) -> dict[str, Any]:
    """The request fields for ``condition``; none for None. Raises ValueError for AllOf or AnyOf without members."""
    if condition is None:
        return {}
    placeholders = Placeholders()
    return {"ConditionExpression": _expression(condition, placeholders), **_attribute_maps(placeholders)}


def update_fields(update: Update) -> dict[str, Any]:
    """The request fields for ``update``: what it sets and removes, and its condition."""
    placeholders = Placeholders()
    fields: dict[str, Any] = {"UpdateExpression": _changes(update, placeholders)}
    if update.condition is not None:
        fields["ConditionExpression"] = _expression(update.condition, placeholders)
    return fields | _attribute_maps(placeholders)


def _changes(update: Update, placeholders: "Placeholders") -> str:
    sets = [f"{placeholders.path((name,))} = {placeholders.value(value)}" for name, value in update.set.items()]
    removals = [placeholders.path((name,)) for name in update.remove]
    clauses = [("SET", sets), ("REMOVE", removals)]
    return " ".join(f"{word} {', '.join(terms)}" for word, terms in clauses if terms)


def _attribute_maps(placeholders: "Placeholders") -> dict[str, Any]:
    """The names and values that the expressions of one request use; DynamoDB refuses an empty map of either."""
    fields = {"ExpressionAttributeNames": placeholders.names(), "ExpressionAttributeValues": placeholders.values}
    return {name: content for name, content in fields.items() if content}


class Placeholders:
    """The placeholders of one request. A name gets one placeholder however often it is used: an expression may take 4 KB."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.values: dict[str, AttributeValue] = {}

    def path(self, path: Path) -> str:
        """The document path with every step as a placeholder."""
        return ".".join([self._names.setdefault(step, f"#{len(self._names)}") for step in path])

    def value(self, value: AttributeValue) -> str:
        """A new placeholder for ``value``."""
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
        raise ValueError(f"{type(junction).__name__} needs at least one condition")
    if len(members) == 1:
        return _expression(members[0], placeholders)
    word = " AND " if isinstance(junction, AllOf) else " OR "
    return word.join([_member(member, placeholders) for member in members])


def _member(member: Condition, placeholders: Placeholders) -> str:
    # DynamoDB refuses redundant parentheses, so AllOf or AnyOf of one member is rendered as that member.
    while isinstance(member, AllOf | AnyOf) and len(member.conditions) == 1:
        member = member.conditions[0]
    text = _expression(member, placeholders)
    return f"({text})" if isinstance(member, AllOf | AnyOf) else text
