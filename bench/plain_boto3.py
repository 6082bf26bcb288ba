"""The same work in plain boto3, as a careful script does it: client level, pages, conditional puts, batched reads.

The mapping's rules are tablesplit's own, so that what differs is the client and the pipeline.
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
    """The table's items, page by page."""
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True, Limit=250):
        yield page["Items"]


def copy(dynamodb: Any, mapping: Mapping) -> int:
    """Copy the old table, never overwriting; how many items."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        for old in page:
            put = copy_write(mapping, old, 1)
            with suppress(dynamodb.exceptions.ConditionalCheckFailedException):  # it is there already
                dynamodb.put_item(TableName=put.table, Item=put.item, ConditionExpression="attribute_not_exists(PK)")
            items += 1
    return items


def apply(dynamodb: Any, mapping: Mapping, changes: list[Change]) -> int:
    """Apply changes one by one, each only over an older one; how many."""
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
    """Compare both sides, both ways; how many old items. Raises AssertionError at the first difference."""
    items = 0
    for page in scan(dynamodb, mapping.old.table):
        items += len(page)
        expected = [forward(mapping, old) for old in page]
        for table in mapping.tables:
            wanted = {_name(one.key): one.item for one in expected if one.table == table}
            found = _get(dynamodb, table, [one.key for one in expected if one.table == table])
            for item in found:
                bare = {name: value for name, value in item.items() if name != mapping.stamp}
                assert not differences(wanted.pop(_name({name: item[name] for name in ("PK", "SK")})), bare)
            assert not wanted
    for table in mapping.tables:
        for page in scan(dynamodb, table):
            keys = [{"pk": {"S": f"{item['PK']['S']}#{item['id']['S']}"}, "sk": {"S": "METADATA"}} for item in page]
            assert len({_name(old_key(mapping, old)) for old in _get(dynamodb, mapping.old.table, keys)}) == len(keys)
    return items


def _get(dynamodb: Any, table: str, keys: list[Item]) -> list[Item]:
    found: list[Item] = []
    for start in range(0, len(keys), BATCH):
        asked = {table: {"Keys": keys[start : start + BATCH], "ConsistentRead": True}}
        while asked:
            answer = dynamodb.batch_get_item(RequestItems=asked)
            found += answer["Responses"].get(table, [])
            asked = answer["UnprocessedKeys"]
    return found


def _name(key: Item) -> tuple[str, ...]:
    return tuple(value["S"] for value in key.values())
