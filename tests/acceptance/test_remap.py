"""Another mapping for a migration that has begun: every item is transformed again, and the same command undoes it."""

import json

import pytest

from service.rehearsal.demo.items import text
from tests.acceptance.in_process import World

pytestmark = [pytest.mark.local, pytest.mark.slow]

BY_STAGE, BY_OWNER = 'GSI1PK: "STAGE#{stage}"', 'GSI1PK: "IN#{stage}"'


def migrated(world: World) -> None:
    world.set(
        TABLESPLIT_SETTLE_SECONDS="0.5",
        TABLESPLIT_POLL_INTERVAL_SECONDS="0.25",
        TABLESPLIT_SHARD_DISCOVERY_SECONDS="0.5",
    )
    world.make("OLD_TABLE_NAME")
    key = {"pk": text("DEAL#1"), "sk": text("METADATA"), "entity_type": text("DEAL")}
    item = {**key, "id": text("1"), "stage": text("won"), "created_at": text("2024-05-06")}
    world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=item)
    assert world.run("full-migration").status == 0


def index_key(world: World) -> str:
    deals = world.dynamodb.scan(TableName=world.name("DEALS_TABLE"))["Items"]
    assert len(deals) == 1
    return str(deals[0]["GSI1PK"]["S"])


def test_a_mapping_is_changed_and_changed_back(world: World) -> None:
    migrated(world)
    assert index_key(world) == "STAGE#won"
    world.mapping(BY_STAGE, BY_OWNER)
    refused = world.run("status")
    assert refused.status == 3
    assert "go over to the new one: `tablesplit remap`" in refused.err
    done = world.run("remap", "--json")
    assert done.status == 0, done.err
    assert json.loads(done.out)["result"] == "equal"
    assert index_key(world) == "IN#won"
    world.monkeypatch.delenv("TABLESPLIT_MAPPING")
    assert world.run("remap").status == 0
    assert index_key(world) == "STAGE#won"
    assert world.run("validate").status == 0


def test_a_mapping_without_a_table_in_use_is_refused(world: World) -> None:
    migrated(world)
    world.mapping("default: CRM-Pipelines-v2", "default: CRM-Deals-v2")
    world.set(PIPELINES_TABLE=world.name("DEALS_TABLE"))
    refused = world.run("remap")
    assert refused.status in (1, 2)
    assert refused.out == ""
    assert index_key(world) == "STAGE#won"


def test_before_the_migration_has_started_there_is_nothing_to_remap(world: World) -> None:
    world.make("OLD_TABLE_NAME")
    assert world.run("remap").status != 0
