"""A whole migration as real processes, slow enough for Prometheus to see each of its steps."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.observability.prometheus import Prometheus

OPPORTUNITIES = 30
SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "60",
    "TABLESPLIT_HEARTBEAT_SECONDS": "1",
    "TABLESPLIT_POLL_INTERVAL_SECONDS": "1",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "15",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
}


def serving(ports: dict[str, int]) -> dict[str, str]:
    """The settings, with the ports where ``sync`` and ``backfill`` serve their metrics."""
    return SETTINGS | {
        "TABLESPLIT_HTTP_PORT": str(ports["sync"]),
        "TABLESPLIT_BACKFILL_HTTP_PORT": str(ports["backfill"]),
    }


@contextmanager
def syncing(cli: CommandLine) -> Iterator[subprocess.Popen[bytes]]:
    """A running sync, of a migration that has begun."""
    cli.make_old_table([lead("early"), *old_items(OPPORTUNITIES)])
    cli.run("create-tables")
    with ended(cli.start("sync")) as sync:
        yield sync


def copy(cli: CommandLine, watching: Prometheus, port: int) -> None:
    """Copy slowly enough for Prometheus to scrape it at ``port``, and validate."""
    with ended(cli.start("migrate", "--max-write-units", "80")) as backfill:
        seen = f'tablesplit_backfill_items_total{{job="backfill", instance="127.0.0.1:{port}"}}'
        until(
            lambda: watching.query(f"count_over_time({seen}[1m]) > 2"),
            within=60,
            otherwise=lambda: cli.stderr_of("migrate"),
        )
        assert backfill.wait(600) == 0, cli.stderr_of("migrate")
    cli.run("validate")


def cut_over(cli: CommandLine) -> None:
    """Enter `dual`, and write both sides."""
    cli.run("cutover", "--yes", "--wait", "60")
    cli.dynamodb.put_item(TableName=cli.table("OLD_TABLE_NAME"), Item=lead("later"))
    cli.dynamodb.update_item(
        TableName=cli.table("LEADS_TABLE"),
        Key={"PK": text("LEAD"), "SK": text("1970-01#early")},
        UpdateExpression="SET company = :c",
        ConditionExpression="attribute_exists(id)",
        ExpressionAttributeValues={":c": text("written in v2")},
    )


def write_bad_item(cli: CommandLine) -> None:
    """Write an item that cannot be mapped: it goes into quarantine, which leads to an alert."""
    cli.dynamodb.put_item(TableName=cli.table("OLD_TABLE_NAME"), Item={**lead("bad"), "id": text("other")})


def lead(identity: str) -> Item:
    """A lead of the old table."""
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity)}
