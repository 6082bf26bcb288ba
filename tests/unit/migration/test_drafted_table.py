"""What a draft reads of the old table: its key, its indexes, a sample."""

import asyncio
from types import SimpleNamespace
from typing import Any

from service.core.item.write import Put
from service.dynamodb.table_description import TableDescription, table_description
from service.migration.drafted_table import key_and_indexes, sample_items
from service.migration.first_pages import PAGE_ITEMS
from tests.fakes.memory import MemoryDynamoDB

SCHEMA = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
ANSWER: dict[str, Any] = {
    "TableName": "old",
    "TableArn": "arn",
    "TableStatus": "ACTIVE",
    "KeySchema": SCHEMA,
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gs1pk", "gs1sk", "date")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "gs1",
            "KeySchema": [
                {"AttributeName": "gs1pk", "KeyType": "HASH"},
                {"AttributeName": "gs1sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}


def app(items: int = 0) -> Any:
    db = MemoryDynamoDB()
    db.create_table("old", ("pk", "sk"))
    for number in range(items):
        db.apply(Put("old", {"pk": {"S": f"A#{number}"}, "sk": {"S": "A"}}))

    async def describe(name: str) -> TableDescription | None:
        return table_description(ANSWER) if name == "old" else None

    return SimpleNamespace(tables=SimpleNamespace(describe=describe), store=db)


async def test_key_and_indexes_are_those_of_the_table_with_one_for_each_local_index() -> None:
    key, indexes = await key_and_indexes(app(), "old")
    assert key == ("pk", "sk")
    assert indexes == {"gs1": ("gs1pk", "gs1sk"), "by-date": ("pk", "date")}


async def test_the_sample_is_as_large_as_asked_for_or_the_whole_table() -> None:
    world = app(PAGE_ITEMS + 20)
    assert len(await sample_items(world, "old", PAGE_ITEMS + 7, asyncio.Event())) == PAGE_ITEMS + 7
    assert len(await sample_items(world, "old", 10_000, asyncio.Event())) == PAGE_ITEMS + 20


async def test_a_sample_ends_when_the_command_is_stopped() -> None:
    stop = asyncio.Event()
    stop.set()
    assert await sample_items(app(5), "old", 5, stop) == []
