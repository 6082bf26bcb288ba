"""Conditions as ConditionExpressions."""

from typing import Any

import pytest

from service.core.write import Absent, AllOf, AnyOf, Condition, Equals, Exists, Less
from service.dynamodb.expressions import condition_fields

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
    with pytest.raises(ValueError, match="without a condition says nothing"):
        condition_fields(empty)
