"""The units that a forecast counts are those that DynamoDB Local reports for an insert, at the base table and in each index."""

import asyncio
from collections import Counter

import boto3
import pytest

from service.core.item.wire import Item
from service.core.rules.guarded import copy_write
from service.migration.preflight.sample import map_sample
from tests.builders.crm_items import ENTITIES, crm_item
from tests.worlds.server_world import opened

pytestmark = pytest.mark.local


def sized(entity: str, number: int) -> Item:
    """An item of less than one to several kilobytes."""
    return {**crm_item(entity, number), "notes": {"S": "x" * (700 * number)}}


async def test_a_forecast_counts_the_units_that_the_server_takes(dynamodb_local: str, table_prefix: str) -> None:
    items = [sized(entity, number) for entity in ENTITIES for number in range(6)]
    async with opened(dynamodb_local, table_prefix) as server:
        await server.fill(items)
        mapped_sample = await map_sample(server.plane, server.mapping, 1000, asyncio.Event())
        puts = [copy_write(server.mapping, item, 1) for item in items]
        taken = await asyncio.to_thread(inserted, dynamodb_local, [(put.table, put.item) for put in puts])
    counted: Counter[tuple[str, str]] = Counter()
    for (table, index, _), units in mapped_sample.write_units.items():
        counted[table, index] += units
    assert counted == taken
    assert max(counted.values()) > 6, "some item takes more than one unit"


def inserted(url: str, items: list[tuple[str, Item]]) -> Counter[tuple[str, str]]:
    """The units that the server reports for inserting ``items``, by table and index."""
    client = boto3.client("dynamodb", endpoint_url=url, region_name="ap-southeast-2")
    taken: Counter[tuple[str, str]] = Counter()
    for table, item in items:
        consumed = client.put_item(TableName=table, Item=item, ReturnConsumedCapacity="INDEXES")["ConsumedCapacity"]
        taken[table, ""] += int(consumed["Table"]["CapacityUnits"])
        for index, units in consumed.get("GlobalSecondaryIndexes", {}).items():
            taken[table, index] += int(units["CapacityUnits"])
    return taken
