"""Sizes and depths as DynamoDB counts them (the totals were compared with DynamoDB Local at its 400 KB limit)."""

import orjson
import pytest
from hypothesis import given

from service.core.item.size import containers, item_bytes, value_bytes
from service.core.item.wire import AttributeValue
from tests.builders.strategies import VALUES


@pytest.mark.parametrize(
    ("value", "size", "depth"),
    [
        ({"S": ""}, 0, 0),
        ({"S": "aé日"}, 6, 0),
        ({"N": "0"}, 2, 0),
        ({"N": "1" * 38}, 21, 0),
        ({"N": "1" + "0" * 125}, 21, 0),
        ({"B": "AAE="}, 2, 0),
        ({"B": "AA=="}, 1, 0),
        ({"B": ""}, 0, 0),
        ({"BOOL": False}, 1, 0),
        ({"NULL": True}, 1, 0),
        ({"SS": ["a", "bc"]}, 3, 0),
        ({"NS": ["1", "2"]}, 4, 0),
        ({"BS": ["AAE="]}, 2, 0),
        ({"L": []}, 3, 1),
        ({"L": [{"S": "a"}, {"L": []}]}, 9, 2),
        ({"M": {}}, 3, 1),
        ({"M": {"ab": {"M": {"c": {"S": "d"}}}}}, 12, 2),
    ],
)
def test_values(value: AttributeValue, size: int, depth: int) -> None:
    assert (value_bytes(value), containers(value)) == (size, depth)
    assert item_bytes({"é": value}) == size + 2


@given(VALUES)
def test_the_json_of_an_item_is_never_shorter_than_its_size(value: AttributeValue) -> None:
    assert len(orjson.dumps({"n": value})) >= item_bytes({"n": value})
