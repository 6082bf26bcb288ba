"""Commands that run at the same time, and in any order."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from tests.acceptance.command_line import QUICK, CommandLine, ended, until

pytestmark = [pytest.mark.local, pytest.mark.slow]

SLOW = ("--max-write-units", "40")
DEALS = 40
PATIENT = {"TABLESPLIT_LEASE_SECONDS": "20"}
"""A lease long enough for a busy machine: the test is about who is refused, not about who takes over."""


@pytest.fixture
def cli(dynamodb_local: str, table_prefix: str, tmp_path: Path) -> CommandLine:
    cli = CommandLine(dynamodb_local, table_prefix, tmp_path, dict(QUICK))
    cli.make_old_table(old_items(DEALS))
    cli.run("create-tables")
    return cli


def error_of(document: Any) -> tuple[str, str]:
    """Message and remedy of an error document."""
    return document["error"]["message"], document["error"]["remedy"]


def done(cli: CommandLine) -> dict[str, str]:
    """The stored records of the backfill's finished segments."""
    rows = {row["sk"]["S"]: row["document"]["S"] for row in cli.scan("TABLESPLIT_CONTROL_TABLE")}
    return {name: row for name, row in rows.items() if name.startswith("segment#") and '"done":true' in row}


def test_a_second_backfill_and_dropping_are_refused_while_one_runs(cli: CommandLine) -> None:
    cli.settings.update(PATIENT)
    with ended(cli.start("migrate", "--max-write-units", "5")) as first:
        until(
            lambda: "backfill: 0 items" in cli.stderr_of("migrate"),
            within=30,
            otherwise=lambda: cli.stderr_of("migrate"),
        )
        refused, remedy = error_of(cli.run("migrate", status=1))
        assert re.fullmatch(r"another backfill is running \(owner \S+, renewed \d s ago\)", refused)
        assert remedy == "wait for it, watch it with `tablesplit status --watch`, or stop it first"
        undropped, _ = error_of(cli.run("drop-tables", "--yes", status=1))
        assert undropped == "a backfill is running"
        assert first.poll() is None


def test_dropping_is_refused_while_a_sync_works(cli: CommandLine) -> None:
    with ended(cli.start("sync", "--no-http")):
        until(lambda: "status" in cli.stderr_of("sync"), within=30, otherwise=lambda: cli.stderr_of("sync"))
        refused, remedy = error_of(cli.run("drop-tables", "--yes", status=1))
    assert re.fullmatch(r"sync worker \S+ is running", refused)
    assert remedy == "stop it first"


def test_a_segment_that_is_done_is_not_read_again_after_a_kill(cli: CommandLine) -> None:
    with ended(cli.start("migrate", *SLOW)) as process:
        until(lambda: done(cli) or process.poll() is not None, within=60, otherwise=lambda: cli.stderr_of("migrate"))
    before = done(cli)
    assert 0 < len(before) < 4
    assert cli.run("migrate")["resumed"]
    assert before.items() <= done(cli).items()  # a segment read again would count its items as present


@pytest.mark.parametrize("order", [("migrate", "sync"), ("sync", "migrate")], ids=" then ".join)
def test_the_order_of_migrate_and_sync_does_not_matter(cli: CommandLine, order: tuple[str, str]) -> None:
    running: list[subprocess.Popen[bytes]] = []
    try:
        for command in order:
            write(cli, command)
            if command == "sync":
                running.append(cli.start("sync", "--no-http"))
            else:
                cli.run("migrate")
        cli.catches_up()
        assert cli.run("validate")["result"] == "equal"
    finally:
        for process in running:
            process.kill()
            process.wait()
    leads = {item["id"]["S"]: item for item in cli.scan("LEADS_TABLE") if "id" in item}
    assert "agent-001" not in leads
    assert leads["account-001"]["name"] == text("written before sync")
    assert leads["account-002"]["name"] == text("written before migrate")


def write(cli: CommandLine, command: str) -> None:
    """The application writes before each of the two commands."""
    index = 1 if command == "sync" else 2
    table = cli.table("OLD_TABLE_NAME")
    key: Item = {"pk": text(f"LEAD#account-{index:03d}"), "sk": text("METADATA")}
    cli.dynamodb.update_item(
        TableName=table,
        Key=key,
        UpdateExpression="SET #n = :n",
        ExpressionAttributeNames={"#n": "name"},
        ExpressionAttributeValues={":n": text(f"written before {command}")},
    )
    cli.dynamodb.delete_item(TableName=table, Key={"pk": text("LEAD#agent-001"), "sk": text("METADATA")})
