"""The same work in plain boto3, as a careful script would do it: client level, pages, conditional puts, batched reads.

It maps items by tablesplit's own rules, so that only the client and the pipeline differ.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import boto3

from service.core.item.change import Change
from service.core.item.compare import differences
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key
from service.core.rules.guarded import change_writes, copy_write

BATCH = 100
GUARD = "attribute_not_exists(#s) OR #s.#v < :v"


def client(url: str) -> Any:
    """A boto3 client of the server at ``url``."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    return boto3.client("dynamodb", endpoint_url=url, region_name="ap-southeast-2", **credentials)


def scan(dynamodb: Any, table: str) -> Iterator[list[Item]]:
    """The items of a table, page by page."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, Limit=250):
        yield page["Items"]


def copy(dynamodb: Any, mapping: Mapping) -> int:
    """Copy the old table without overwriting anything; returns how many items were read."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        for old in page:
            put = copy_write(mapping, old, 1)
            with suppress(dynamodb.exceptions.ConditionalCheckFailedException):  # it is there already
                dynamodb.put_item(TableName=put.table, Item=put.item, ConditionExpression="attribute_not_exists(PK)")
            items += 1
    return items


def apply(dynamodb: Any, mapping: Mapping, changes: list[Change]) -> int:
    """Apply the changes one by one, each only over an older version; returns how many there were."""
    for change in changes:
        for put in change_writes(mapping, [change], 1):
            dynamodb.put_item(
                TableName=put.table,
                Item=put.item,
                ConditionExpression=GUARD,
                ExpressionAttributeNames={"#s": mapping.stamp, "#v": "v"},
                ExpressionAttributeValues={":v": put.item[mapping.stamp]["M"]["v"]},
            )
    return len(changes)


def validate(dynamodb: Any, mapping: Mapping) -> int:
    """Compare both sides, in both directions; returns the number of old items. Raises AssertionError at the first difference."""
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
            old_items = _get(dynamodb, mapping.old.table, keys)
            assert len({_key_values(old_key(mapping, old)) for old in old_items}) == len(keys)
    return items


def _get(dynamodb: Any, table: str, keys: list[Item]) -> list[Item]:
    items: list[Item] = []
    for start in range(0, len(keys), BATCH):
        unread = {table: {"Keys": keys[start : start + BATCH], "ConsistentRead": True}}
        while unread:
            answer = dynamodb.batch_get_item(RequestItems=unread)
            items += answer["Responses"].get(table, [])
            unread = answer["UnprocessedKeys"]
    return items


def _key_values(key: Item) -> tuple[str, ...]:
    return tuple(value["S"] for value in key.values())
