"""Conditions as ConditionExpressions, updates as UpdateExpressions."""

from typing import Any

import pytest

from service.core.item.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Less, Update
from service.dynamodb.expressions import condition_fields, update_fields

ONE = {"S": "1"}

ROWS: list[tuple[Condition, str, dict[str, str], dict[str, Any]]] = [
    (Absent(("PK",)), "attribute_not_exists(#0)", {"#0": "PK"}, {}),
    (Exists(("a.b",)), "attribute_exists(#0)", {"#0": "a.b"}, {}),
    (Equals(("a",), ONE), "#0 = :0", {"#0": "a"}, {":0": ONE}),
    (
        AnyOf((Absent(("_sync",)), Less(("_sync", "v"), ONE))),
        "attribute_not_exists(#0) OR #0.#1 < :0",
        {"#0": "_sync", "#1": "v"},
        {":0": ONE},
    ),
    (
        AllOf((Exists(("a",)), AnyOf((Equals(("b",), ONE), Equals(("b",), {"N": "2"}))))),
        "attribute_exists(#0) AND (#1 = :0 OR #1 = :1)",
        {"#0": "a", "#1": "b"},
        {":0": ONE, ":1": {"N": "2"}},
    ),
    (
        AnyOf((AllOf((AnyOf((Exists(("a",)),)),)), Exists(("b",)))),
        "attribute_exists(#0) OR attribute_exists(#1)",
        {"#0": "a", "#1": "b"},
        {},
    ),
]


@pytest.mark.parametrize(("condition", "expression", "names", "values"), ROWS)
def test_condition_is_rendered(
    condition: Condition, expression: str, names: dict[str, str], values: dict[str, Any]
) -> None:
    fields = condition_fields(condition)
    assert fields.pop("ConditionExpression") == expression
    assert fields.pop("ExpressionAttributeNames") == names
    assert fields.pop("ExpressionAttributeValues", {}) == values
    assert fields == {}


def test_no_condition_renders_as_nothing() -> None:
    assert condition_fields(None) == {}


@pytest.mark.parametrize("empty", [AllOf(()), AnyOf(()), AllOf((AnyOf(()),))])
def test_a_junction_without_members_is_refused(empty: Condition) -> None:
    with pytest.raises(ValueError, match="needs at least one condition"):
        condition_fields(empty)


KEY = {"PK": {"S": "p"}}
TWO = {"N": "2"}

UPDATES: list[tuple[Update, dict[str, Any]]] = [
    (
        Update("t", KEY, {"a.b": ONE, "name": TWO}),
        {
            "UpdateExpression": "SET #0 = :0, #1 = :1",
            "ExpressionAttributeNames": {"#0": "a.b", "#1": "name"},
            "ExpressionAttributeValues": {":0": ONE, ":1": TWO},
        },
    ),
    (
        Update("t", KEY, {}, ("a", "b")),
        {"UpdateExpression": "REMOVE #0, #1", "ExpressionAttributeNames": {"#0": "a", "#1": "b"}},
    ),
    (
        Update("t", KEY, {"a": ONE}, ("b",), AllOf((Equals(("a",), TWO), Exists(("b",)), Absent(("c",))))),
        {
            "UpdateExpression": "SET #0 = :0 REMOVE #1",
            "ConditionExpression": "#0 = :1 AND attribute_exists(#1) AND attribute_not_exists(#2)",
            "ExpressionAttributeNames": {"#0": "a", "#1": "b", "#2": "c"},
            "ExpressionAttributeValues": {":0": ONE, ":1": TWO},
        },
    ),
]


@pytest.mark.parametrize(("update", "fields"), UPDATES)
def test_update_is_rendered(update: Update, fields: dict[str, Any]) -> None:
    assert update_fields(update) == fields


@pytest.mark.parametrize(
    ("changed", "removed"), [({}, ()), ({"a": ONE}, ("a",)), ({}, ("a", "a")), ({"PK": ONE}, ()), ({"a": ONE}, ("PK",))]
)
def test_an_update_of_nothing_or_of_one_attribute_twice_is_refused(
    changed: dict[str, Any], removed: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=r"^update of t must change something, and name each attribute once: \['PK'"):
        Update("t", KEY, changed, removed)
