"""kill -9 at random moments, under live writers: afterwards nothing is missing, extra or stale."""

import asyncio
import json
import random
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.core.item.wire import Item
from service.rehearsal.demo.items import deal, old_items
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.acceptance.outside_view import expected_from_outside, v2_from_outside
from tests.builders.planes import open_plane
from tests.fakes.live_writer import LiveWriter

pytestmark = [pytest.mark.local, pytest.mark.kill]

OPPORTUNITIES = 600
KILLS = 10
WRITE_UNITS = "120"
"""Slow enough (about 40 items a second, with two indexes) for the copy to last until the last kill."""


@pytest.mark.slow
async def test_twenty_kills_of_migrate_and_sync_under_live_writers_lose_nothing(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, QUICK)
    items = list(old_items(OPPORTUNITIES))
    await asyncio.to_thread(cli.make_old_table, items)
    await asyncio.to_thread(cli.run, "create-tables")

    writes = await _kill_under_writes(cli, items)
    await asyncio.to_thread(cli.run, "migrate")
    with ended(cli.start("sync", "--no-http", TABLESPLIT_LEASE_SECONDS="6")):
        await asyncio.to_thread(cli.catches_up)
        report = await asyncio.to_thread(cli.run, "validate")

    assert writes.total() > 100
    assert report["result"] == "equal"
    assert sum(counts["old"] for counts in report["counts"].values()) == len(cli.scan("OLD_TABLE_NAME"))
    assert v2_from_outside(cli) == expected_from_outside(cli)


async def _kill_under_writes(cli: CommandLine, items: list[Item]) -> Counter[str]:
    """Kill both commands KILLS times each while two writers write; returns the acknowledged writes by kind."""
    quiet = asyncio.Event()
    async with open_plane(cli.endpoint, clock=SystemClock()) as store, asyncio.TaskGroup() as tasks:
        writers = [LiveWriter(store, cli.table("OLD_TABLE_NAME"), items[n::5], seed=n) for n in range(2)]
        for writer in writers:
            tasks.create_task(writer.run(quiet, SystemClock(), 0.05))
        copying = asyncio.to_thread(_kill_again_and_again, cli, 1, "migrate", "--max-write-units", WRITE_UNITS)
        syncing = asyncio.to_thread(_kill_again_and_again, cli, 2, "sync", "--no-http")
        await asyncio.gather(copying, syncing)
        quiet.set()
    return sum((writer.counts for writer in writers), Counter[str]())


def _kill_again_and_again(cli: CommandLine, seed: int, *command: str) -> None:
    moments = random.Random(seed)
    for _ in range(KILLS):
        with ended(cli.start(*command)) as process:
            try:
                ended_by_itself = process.wait(moments.uniform(2.0, 4.2))
            except subprocess.TimeoutExpired:
                continue  # still running: killed here
            # on a busy machine it may have lost its lease, which serves as well as a kill
            printed = cli.stderr_of(command[0])
            assert "start the command again" in printed.splitlines()[-1], (
                f"{command[0]} ended with {ended_by_itself}: {printed}"
            )


def test_a_standby_takes_over_within_ten_seconds_of_the_owner_being_killed(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, {})
    cli.make_old_table([])
    cli.run("create-tables")
    with ended(cli.start("sync", "--no-http")) as owner:
        first = _until_lease_differs(cli, None, within=20)
        with ended(cli.start("sync", "--no-http")):
            _until_printed_twice(cli, "status")
            owner.kill()
            second = _until_lease_differs(cli, first, within=10)
            _until_applied(cli, deal(1, _opportunity("after-the-kill")))
    assert second != first


def _until_lease_differs(cli: CommandLine, owner: str | None, within: float) -> str:
    until(lambda: _holder(cli) not in (None, owner), within=within, otherwise=lambda: cli.stderr_of("sync"))
    holder = _holder(cli)
    assert holder is not None
    return holder


def _holder(cli: CommandLine) -> str | None:
    record = cli.dynamodb.get_item(
        TableName=cli.table("TABLESPLIT_CONTROL_TABLE"),
        Key={"pk": {"S": "lease"}, "sk": {"S": "sync"}},
        ConsistentRead=True,
    )
    return json.loads(record["Item"]["document"]["S"])["owner"] if "Item" in record else None


def _until_printed_twice(cli: CommandLine, word: str) -> None:
    until(lambda: cli.stderr_of("sync").count(word) >= 2, within=30, otherwise=lambda: cli.stderr_of("sync"))


def _until_applied(cli: CommandLine, item: Item) -> None:
    cli.dynamodb.put_item(TableName=cli.table("OLD_TABLE_NAME"), Item=item)
    until(
        lambda: any(v2["id"] == item["id"] for v2 in cli.scan("DEALS_TABLE")),
        within=30,
        otherwise=lambda: cli.stderr_of("sync"),
    )


def _opportunity(identity: str) -> dict[str, str]:
    names = ("account", "product", "deal_stage", "sales_agent", "engage_date", "close_date", "close_value")
    return dict.fromkeys(names, "") | {"opportunity_id": identity}
