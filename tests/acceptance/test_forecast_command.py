"""`tablesplit forecast` on DynamoDB Local: its estimate for a table, its exit status, and that it creates nothing."""

import json
from typing import Any

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import text
from tests.acceptance.in_process import World

pytestmark = pytest.mark.local

DAY = "86400"


def lead(identity: str) -> Item:
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity)}


@pytest.fixture
def old(world: World) -> World:
    """Ten leads in the old table; nothing else exists."""
    world.make("OLD_TABLE_NAME")
    for number in range(10):
        world.dynamodb.put_item(TableName=world.name("OLD_TABLE_NAME"), Item=lead(str(number)))
    return world


def document(world: World, *arguments: str, status: int) -> Any:
    result = world.run("forecast", *arguments, "--json")
    assert result.status == status, result.err
    return json.loads(result.out)


def test_it_estimates_what_a_table_takes_and_creates_nothing(old: World) -> None:
    estimate = document(old, "--max-write-units", "3", status=0)
    assert estimate["result"] == "go"
    assert estimate["sample"] == {"items": 10, "mapped": 10, "whole": True, "rejected": {}}
    table = estimate["table"]
    assert (table["items"], table["base_write_units"], table["index_write_units"]) == (10, 10, 20)
    assert table["hottest_partition_key"]["key"] == "LEAD"
    assert estimate["duration"] == {
        "at_least_seconds": 10.0,
        "bound_by": "max_write_units",
        "bounds_seconds": {"hottest_partition_key": 0.01, "max_write_units": 10.0},
    }
    assert estimate["cost_usd"]["backfill"] == pytest.approx(30 * 0.625e-6 + table["read_units"] * 0.125e-6)
    assert tables(old) == [old.name("OLD_TABLE_NAME")]


def test_it_counts_what_a_stream_that_is_on_already_would_replay(old: World) -> None:
    table = old.name("OLD_TABLE_NAME")
    old.dynamodb.update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    for number in range(20):
        old.dynamodb.put_item(TableName=table, Item=lead(str(number)))
    replay = document(old, status=0)["replay"]
    assert (replay["open_shards"] > 0, replay["replayed_shards"]) == (True, 0)


def tables(world: World) -> list[str]:
    """The tables of this test."""
    pages = world.dynamodb.get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(world.prefix)]


def test_a_no_go_is_status_1_with_what_to_do_and_preflight_says_the_same(old: World) -> None:
    old.set(TABLESPLIT_GATE_HEADROOM_SECONDS=DAY, TABLESPLIT_MAX_WRITE_UNITS="1")
    estimate = document(old, status=1)
    assert (estimate["result"], estimate["retention"]["margin_seconds"]) == ("no-go", 86_400 - 30)
    assert estimate["retention"]["remedy"].startswith("raise --max-write-units; or keep two `tablesplit sync` running")
    result = old.run("forecast")
    assert (result.status, result.out.splitlines()[-1]) == (1, "forecast: NO-GO")
    checked = json.loads(old.run("preflight", "--json").out)
    (retention,) = [check for check in checked["checks"] if check["name"] == "retention"]
    assert (retention["verdict"], retention["remedy"]) == ("note", estimate["retention"]["remedy"])


def test_prices_are_those_of_the_file_that_is_named(old: World) -> None:
    mine = old.folder / "mine.yaml"
    mine.write_text("from: ours\nwrite_million: 1000000\nread_million: 0\nstream_100k: 0\nstorage_gb_month: 0\n")
    estimate = document(old, "--prices", str(mine), status=0)
    assert (estimate["cost_usd"]["backfill"], estimate["prices"]["from"]) == (30.0, "ours")
    assert estimate["cost_usd"]["v2_recovery_month"] is None
    old.set(TABLESPLIT_PRICE_FILE=str(mine))
    assert "about 30.00 USD for the copy: 10.00 writes, 20.00 writes to indexes" in old.run("forecast").out
    mine.with_name("bad.yaml").write_text("from: ours\nwrite_milion: 1\n")
    refused = old.run("forecast", "--prices", str(mine.with_name("bad.yaml")))
    assert refused.status == 2
    assert "bad.yaml:2: unknown key 'write_milion'" in refused.line


def test_an_empty_table_is_unknown(world: World) -> None:
    world.make("OLD_TABLE_NAME")
    estimate = document(world, status=0)
    assert (estimate["result"], estimate["table"], estimate["cost_usd"]) == ("unknown", None, None)
    assert world.run("forecast").out.splitlines()[-1] == "forecast: unknown"
