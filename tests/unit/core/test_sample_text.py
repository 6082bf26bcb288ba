"""Samples out of files: items in DynamoDB's JSON in its forms, and models of NoSQL Workbench."""

import json
from typing import Any

import pytest

from service.core.item.wire import Item
from service.core.mapping.sample_text import guessed_key, sample_from_text

ITEMS: list[Item] = [
    {"PK": {"S": f"USER#{number}"}, "SK": {"S": "A"}, "age": {"N": str(number)}} for number in range(3)
]


def workbench(*tables: tuple[str, list[Item]]) -> str:
    """As https://github.com/aws-samples/amazon-dynamodb-design-patterns has them."""

    def key(first: str, second: str) -> dict[str, Any]:
        return {
            "PartitionKey": {"AttributeName": first, "AttributeType": "S"},
            "SortKey": {"AttributeName": second, "AttributeType": "S"},
        }

    return json.dumps(
        {
            "ModelName": "Shop",
            "ModelMetadata": {"Author": "", "Version": "1.0"},
            "DataModel": [
                {
                    "TableName": name,
                    "KeyAttributes": key("PK", "SK"),
                    "NonKeyAttributes": [{"AttributeName": "age", "AttributeType": "N"}],
                    "GlobalSecondaryIndexes": [
                        {
                            "IndexName": "GSI1",
                            "KeyAttributes": key("GSI1-PK", "GSI1-SK"),
                            "Projection": {"ProjectionType": "ALL"},
                        }
                    ],
                    "TableData": items,
                    "DataAccess": {"MySql": {}},
                }
                for name, items in tables
            ],
        }
    )


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(ITEMS),
        "\n".join(map(json.dumps, ITEMS)),
        "".join(json.dumps({"Item": one}) + "\n" for one in ITEMS),
        json.dumps({"Items": ITEMS, "Count": 3}),
    ],
)
def test_items_in_each_form(text: str) -> None:
    found = sample_from_text(text)
    assert found.items == ITEMS
    assert (found.key_names, found.index_keys) == ((), None)


def test_a_model_has_items_key_indexes_and_name() -> None:
    found = sample_from_text(workbench(("Empty", []), ("Shop", ITEMS)))
    assert found.items == ITEMS
    assert (found.name, found.key_names, found.others) == ("Shop", ("PK", "SK"), ())
    assert found.index_keys == {"GSI1": ("GSI1-PK", "GSI1-SK")}


def test_of_several_tables_that_with_the_most_items_is_taken_and_the_others_are_named() -> None:
    found = sample_from_text(workbench(("Small", ITEMS[:1]), ("Big", ITEMS)))
    assert (found.name, found.others) == ("Big", ("Small",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "line 1"),
        ('{"PK": {"S": "a"}}\n{"PK": "b"}', "line 2: PK"),
        (workbench(("Empty", [])), "no table of the model has items"),
        ('{"DataModel": [{"TableName": "x"}]}', "KeyAttributes"),
        ('{"DataModel": [3]}', "KeyAttributes"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        sample_from_text(text)


def test_the_key_is_guessed_by_what_it_is_called() -> None:
    assert guessed_key(ITEMS) == ("PK", "SK")
    assert guessed_key([{"pk": {"S": "a"}}]) == ("pk",)
    assert guessed_key([{"id": {"S": "a"}}]) == ()
    assert guessed_key([]) == ()
