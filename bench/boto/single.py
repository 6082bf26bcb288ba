"""Plain boto3 as a careful script is first written: pages, one conditional put for each item, reads by BatchGetItem."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from bench.boto.stream import pages, save_position
from service.core.item.compare import differences
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key
from service.core.rules.guarded import change_writes, copy_write

KEYS_A_REQUEST = 100
GUARD = "attribute_not_exists(#s) OR #s.#v < :v"


def copy(dynamodb: Any, mapping: Mapping) -> int:
    """Copy the old table without overwriting anything; returns how many items were read."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        for old in page:
            put_if_free(dynamodb, copy_write(mapping, old, 1))
        items += len(page)
    return items


def apply(dynamodb: Any, mapping: Mapping, items: int) -> int:
    """Apply the changes of the old table's stream one by one, each only over an older version; returns how many there were.

    Ends when it has seen so many changes as there are ``items``.
    """
    done = 0
    for changes in pages(dynamodb, mapping, items):
        for change in changes:
            for put in change_writes(mapping, [change], 1):
                put_if_newer(dynamodb, mapping, put)
        save_position(dynamodb, changes[-1])
        done += len(changes)
    return done


def validate(dynamodb: Any, mapping: Mapping) -> int:
    """Compare both sides, in both directions; returns the number of old items. Raises AssertionError at the first difference."""
    return validate_with(dynamodb, mapping, {})


def validate_with(dynamodb: Any, mapping: Mapping, of_old_items: dict[str, Any]) -> int:
    """The same. ``of_old_items``: what of the old items is read to know that they exist, as fields of BatchGetItem."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        items += len(page)
        expected = [forward(mapping, old) for old in page]
        for table in mapping.tables:
            wanted = {_key_values(v2.key): v2.item for v2 in expected if v2.table == table}
            for item in _get(dynamodb, table, [v2.key for v2 in expected if v2.table == table]):
                bare = {name: value for name, value in item.items() if name != mapping.stamp}
                assert not differences(wanted.pop(_key_values({name: item[name] for name in ("PK", "SK")})), bare)
            assert not wanted
    for table in mapping.tables:
        for page in scan(dynamodb, table):
            keys = [{"pk": {"S": f"{item['PK']['S']}#{item['id']['S']}"}, "sk": {"S": "METADATA"}} for item in page]
            old_items = _get(dynamodb, mapping.old.table, keys, of_old_items)
            assert len({_key_values(old_key(mapping, old)) for old in old_items}) == len(keys)
    return items


def scan(dynamodb: Any, table: str) -> Iterator[list[Item]]:
    """The items of a table, page by page."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, Limit=250):
        yield page["Items"]


def put_if_free(dynamodb: Any, put: Put) -> None:
    """Write an item, unless there is one at its key."""
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):  # it is there already
        dynamodb.put_item(TableName=put.table, Item=put.item, ConditionExpression="attribute_not_exists(PK)")


def put_if_newer(dynamodb: Any, mapping: Mapping, put: Put) -> None:
    """Write an item over an older version of it."""
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):  # what is there is as new
        dynamodb.put_item(
            TableName=put.table,
            Item=put.item,
            ConditionExpression=GUARD,
            ExpressionAttributeNames={"#s": mapping.stamp, "#v": "v"},
            ExpressionAttributeValues={":v": put.item[mapping.stamp]["M"]["v"]},
        )


def _get(dynamodb: Any, table: str, keys: list[Item], fields: dict[str, Any] | None = None) -> list[Item]:
    items: list[Item] = []
    for start in range(0, len(keys), KEYS_A_REQUEST):
        unread = {table: {"Keys": keys[start : start + KEYS_A_REQUEST], "ConsistentRead": True, **(fields or {})}}
        while unread:
            answer = dynamodb.batch_get_item(RequestItems=unread)
            items += answer["Responses"].get(table, [])
            unread = answer["UnprocessedKeys"]
    return items


def _key_values(key: Item) -> tuple[str, ...]:
    return tuple(value["S"] for value in key.values())
