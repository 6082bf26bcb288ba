"""`ttl` of a mapping on DynamoDB Local: the setting is not there before v2 is in use alone, and then it is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import boto3
import pytest

from service.app import App, open_app
from service.core.item.wire import Item
from service.core.mapping.mapping import load_mapping
from service.dynamodb.like_old import LikeOld
from service.errors import Misconfigured
from service.migration.completion import finish_v2
from tests.worlds.server_world import Server, opened

pytestmark = pytest.mark.local

TEXT = """
version: 1
name: expiring
old: {table: {variable: OLD, default: old}, partition_key: pk, entity: kind}
entities:
  SESSION:
    table: {variable: SESSIONS, default: sessions}
    old_key: {pk: "SESSION#{id}"}
    key: {SK: "{id}"}
    ttl: ends
    fields:
      id: {type: string, required: true}
      ends: {type: epoch, from: expires}
  NOTE:
    table: {variable: NOTES, default: notes}
    old_key: {pk: "NOTE#{id}"}
    key: {SK: "{id}"}
    fields: {id: {type: string, required: true}}
"""
OLD: Item = {"pk": {"S": "SESSION#7"}, "kind": {"S": "SESSION"}, "id": {"S": "7"}, "expires": {"N": "4102444800"}}


def unfenced() -> None:
    """Good for ever."""


@dataclass
class World:
    """A started migration, whose old table expires by no attribute yet."""

    app: App
    server: Server
    client: Any

    def expire(self, table: str, attribute: str) -> None:
        wanted = {"Enabled": True, "AttributeName": attribute}
        self.client.update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)

    def expiring(self) -> list[str | None]:
        """By which attribute the items of each v2 table expire, the sessions' first."""
        described = [self.client.describe_time_to_live(TableName=name) for name in self.app.mapping.tables]
        return [one["TimeToLiveDescription"].get("AttributeName") for one in described]


@pytest.fixture
async def world(dynamodb_local: str, table_prefix: str) -> AsyncIterator[World]:
    client = boto3.client("dynamodb", endpoint_url=dynamodb_local, region_name="ap-southeast-2")
    async with opened(dynamodb_local, table_prefix, TEXT) as server, open_app(server.settings, server.mapping) as app:
        yield World(app, server, client)


async def test_it_is_turned_on_when_v2_is_in_use_alone(world: World) -> None:
    await world.server.fill([OLD])
    await world.server.backfill()
    assert world.expiring() == [None, None]
    await finish_v2(world.app, unfenced)
    assert world.expiring() == ["ends", None]
    (table, _) = world.app.mapping.tables
    assert await world.server.all_items(table) == [{"SK": {"S": "7"}, "id": {"S": "7"}, "ends": {"N": "4102444800"}}]
    await finish_v2(world.app, unfenced)
    assert world.expiring() == ["ends", None]


async def test_of_a_table_that_expires_otherwise_it_says_what_to_do(world: World) -> None:
    table = next(iter(world.app.mapping.tables))
    world.expire(table, "other")
    with pytest.raises(Misconfigured, match="expire by 'other' already, and the mapping says ttl: ends") as refused:
        await finish_v2(world.app, unfenced)
    assert (
        f"--table-name {table} --time-to-live-specification Enabled=false,AttributeName=other" in refused.value.remedy
    )


@pytest.mark.parametrize(("attribute", "early"), [("expires", "ends"), ("gone", None)])
async def test_new_tables_have_it_from_the_first_only_where_old_items_expire_by_it(
    world: World, attribute: str, early: str | None
) -> None:
    names = {
        "sessions": f"{world.server.settings.control_table}-s",
        "notes": f"{world.server.settings.control_table}-n",
    }
    mapping = load_mapping(TEXT, source="m.yaml", names=lambda _, name: names.get(name, world.app.mapping.old.table))
    world.expire(mapping.old.table, attribute)
    tables = replace(world.app.tables, mapping=mapping)
    await tables.make_missing(LikeOld())
    described = world.client.describe_time_to_live(TableName=names["sessions"])["TimeToLiveDescription"]
    assert described.get("AttributeName") == early
    await tables.delete(list(names.values()))
