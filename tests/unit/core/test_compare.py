"""Equality as DynamoDB defines it."""

import pytest

from service.core.item.compare import differences, equal, in_one_form, same_value
from service.core.item.wire import AttributeValue


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"N": "1.0"}, {"N": "1"}, True),
        ({"N": "1E+2"}, {"N": "100"}, True),
        ({"N": "1" + "0" * 37}, {"N": "1" + "0" * 36 + "1"}, False),
        ({"N": "1"}, {"S": "1"}, False),
        ({"S": "a"}, {"S": "a "}, False),
        ({"B": "AAE="}, {"B": "AAE="}, True),
        ({"NULL": True}, {"NULL": True}, True),
        ({"BOOL": True}, {"BOOL": False}, False),
        ({"SS": ["a", "b"]}, {"SS": ["b", "a"]}, True),
        ({"SS": ["a"]}, {"SS": ["a", "b"]}, False),
        ({"BS": ["AA==", "AQ=="]}, {"BS": ["AQ==", "AA=="]}, True),
        ({"NS": ["1", "2.0"]}, {"NS": ["2", "1"]}, True),
        ({"L": [{"N": "1"}, {"N": "2"}]}, {"L": [{"N": "2"}, {"N": "1"}]}, False),
        ({"L": [{"N": "1.0"}]}, {"L": [{"N": "1"}]}, True),
        ({"L": []}, {"L": [{"S": ""}]}, False),
        ({"M": {"a": {"N": "1.0"}}}, {"M": {"a": {"N": "1"}}}, True),
        ({"M": {"a": {"S": ""}}}, {"M": {"b": {"S": ""}}}, False),
    ],
)
def test_values(first: AttributeValue, second: AttributeValue, same: bool) -> None:
    assert same_value(first, second) is same
    assert same_value(second, first) is same
    assert (in_one_form(first) == in_one_form(second)) is same


def test_differences_are_the_sorted_names_missing_ones_included() -> None:
    expected = {"z": {"S": "1"}, "b": {"N": "1.0"}, "a": {"S": "x"}}
    actual = {"b": {"N": "1"}, "a": {"S": "y"}, "c": {"NULL": True}}
    assert differences(expected, actual) == ["a", "c", "z"]
    assert not equal(expected, actual)
    assert equal({"b": {"N": "1.0"}}, {"b": {"N": "1"}})
