"""`migrate --max-cost` on DynamoDB Local: pauses with everything saved, and continues under a higher cap without loss."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import text
from tests.acceptance.command_line import QUICK, CommandLine
from tests.acceptance.in_process import World

pytestmark = pytest.mark.local

PRICES = "from: ours\nwrite_million: 1000000\nread_million: 0\nstream_100k: 0\nstorage_gb_month: 0\n"
LEADS = 300
COST = 3 * LEADS
"""At a dollar for a write unit: three units for each lead, for the base table and two indexes."""


@pytest.fixture
def dear(world: World) -> World:
    """Leads in the old table, at a dollar for a write unit; the v2 tables exist."""
    mine = world.folder / "mine.yaml"
    mine.write_text(PRICES)
    world.set(TABLESPLIT_PRICE_FILE=str(mine), TABLESPLIT_SEGMENTS="1", TABLESPLIT_PAGE_ITEMS="50")
    world.make("OLD_TABLE_NAME")
    for first in range(0, LEADS, 25):
        puts = [{"PutRequest": {"Item": lead(str(number))}} for number in range(first, first + 25)]
        world.dynamodb.batch_write_item(RequestItems={world.name("OLD_TABLE_NAME"): puts})
    assert world.run("create-tables").status == 0
    return world


def lead(identity: str) -> Item:
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity)}


def copied(world: World) -> set[str]:
    pages = world.dynamodb.get_paginator("scan").paginate(TableName=world.name("LEADS_TABLE"))
    return {item["id"]["S"] for page in pages for item in page["Items"]}


def backfill(world: World) -> Any:
    return json.loads(world.run("status", "--json").out)["backfill"]


def test_it_pauses_at_the_cap_and_continues_under_a_higher_one(dear: World) -> None:
    paused = dear.run("migrate", "--max-cost", "100", "--json")
    error = json.loads(paused.out)["error"]
    assert (paused.status, error["kind"]) == (3, "paused")
    assert error["message"].startswith("paused at --max-cost 100: about 300.00 USD are spent")
    assert error["remedy"] == "go on with a higher cap: tablesplit migrate --max-cost 600"
    status = backfill(dear)
    assert (status["state"], status["items"], status["cost_usd"]) == ("stopped", 100, 300.0)
    assert len(copied(dear)) == 100

    assert dear.run("migrate", "--max-cost", "100").status == 3
    assert backfill(dear)["cost_usd"] == 300.0

    done = json.loads(dear.run("migrate", "--max-cost", "10000", "--json").out)
    assert (done["result"], done["copied"], done["present"], done["resumed"]) == ("finished", LEADS, 0, True)
    assert copied(dear) == {str(number) for number in range(LEADS)}
    assert backfill(dear)["cost_usd"] == COST


@pytest.mark.slow
def test_full_migration_pauses_too_and_says_its_own_command(
    dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.yaml").write_text(PRICES)
    dear = {"TABLESPLIT_PRICE_FILE": str(tmp_path / "mine.yaml"), "TABLESPLIT_SEGMENTS": "1"}
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, {**QUICK, **dear})
    cli.make_old_table([lead(str(number)) for number in range(150)])
    error = cli.run("full-migration", "--max-cost", "100", status=3)["error"]
    assert error["remedy"] == "go on with a higher --max-cost: tablesplit full-migration --max-cost 100 --json"
