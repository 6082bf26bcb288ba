"""A real migration as a real Prometheus sees it: every query of every dashboard, and every series of the alerts, has data."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.core.item.wire import Item
from service.rehearsal.demo.items import old_items, text
from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import QUICK, CommandLine, ended, until
from tests.observability.boards import queries
from tests.observability.prometheus import Prometheus, prometheus
from tests.observability.rules import alerts

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

SERIES = re.compile(r"\b(?:tablesplit_\w+|up)\b(?:\{[^}]*\})?")
OPPORTUNITIES = 30
FINAL_VALUES = {
    'max(tablesplit_phase{phase="dual"})': 1,
    'max(tablesplit_backfill_state{state="finished"})': 1,
    'max(tablesplit_backfill_segments{state="open"})': 0,
    "max(tablesplit_validation_equal)": 1,
    "max(tablesplit_quarantine_keys)": 1,
    "min(tablesplit_gate_open)": 0,
    'min(tablesplit_gate_condition_met{condition="quarantine"})': 0,
    'sum(tablesplit_writes_total{direction="reverse", outcome="applied"})': 1,
}
"""Their values at the end of a migration whose every step is known."""

SETTINGS = QUICK | {
    "TABLESPLIT_LEASE_SECONDS": "10",
    "TABLESPLIT_HEARTBEAT_SECONDS": "1",
    "TABLESPLIT_REQUEST_TIMEOUT_SECONDS": "2",
    "TABLESPLIT_CLOCK_MARGIN_SECONDS": "0.5",
    "TABLESPLIT_GATE_LAG_LOW_SECONDS": "0",
}


def test_every_query_and_every_alert_has_data_of_a_real_run(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    ports = {"sync": free_port(), "backfill": free_port()}
    serving = {
        "TABLESPLIT_HTTP_PORT": str(ports["sync"]),
        "TABLESPLIT_BACKFILL_HTTP_PORT": str(ports["backfill"]),
    }
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, SETTINGS | serving)
    with syncing(cli) as sync, prometheus(tmp_path, ports) as watching:
        copy(cli, watching)
        assert without_data(watching, alert_series()) == []
        cut_over(cli)
        put_into_quarantine(cli, watching)
        assert (
            without_data(watching, [bounded(query, cli.table("OLD_TABLE_NAME")) for query in queries().values()]) == []
        )
        until(lambda: final_values(watching) == FINAL_VALUES, within=60, otherwise=lambda: str(final_values(watching)))
        assert {rule["health"] for rule in watching.rules().values()} == {"ok"}
        assert set(watching.rules()) == set(alerts())

        sync.kill()
        until(lambda: pending(watching, "TablesplitDown"), within=60, otherwise=lambda: str(watching.rules()))


@contextmanager
def syncing(cli: CommandLine) -> Iterator[subprocess.Popen[bytes]]:
    """A running sync, of a migration that has begun."""
    cli.make_old_table([lead("early"), *old_items(OPPORTUNITIES)])
    cli.run("create-tables")
    with ended(cli.start("sync")) as sync:
        yield sync


def copy(cli: CommandLine, watching: Prometheus) -> None:
    """Copy slowly enough for Prometheus to scrape it, and validate."""
    with ended(cli.start("migrate", "--max-write-units", "80")) as backfill:
        seen = 'tablesplit_backfill_items_total{job="backfill"}'
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


def put_into_quarantine(cli: CommandLine, watching: Prometheus) -> None:
    """Write an item that cannot be mapped, which leads to an alert."""
    cli.dynamodb.put_item(TableName=cli.table("OLD_TABLE_NAME"), Item={**lead("bad"), "id": text("other")})
    until(lambda: pending(watching, "TablesplitQuarantineNotEmpty"), within=60, otherwise=lambda: str(watching.rules()))


def lead(identity: str) -> Item:
    key = {"pk": text(f"LEAD#{identity}"), "sk": text("METADATA"), "entity_type": text("LEAD")}
    return {**key, "id": text(identity)}


def pending(watching: Prometheus, alert: str) -> bool:
    """Whether the alert's condition holds; the alert fires when it lasts."""
    return watching.rules()[alert]["state"] != "inactive"


def final_values(watching: Prometheus) -> dict[str, float]:
    """The values of the expressions in FINAL_VALUES."""
    found = {asked: watching.query(asked) for asked in FINAL_VALUES}
    return {asked: float(series["value"][1]) for asked, (series,) in found.items()}


def bounded(query: str, migration: str) -> str:
    """The query as Grafana sends it when this migration alone is chosen."""
    return query.replace("$__rate_interval", "1m").replace("$migration", migration)


def alert_series() -> list[str]:
    """The series of the alerts without their comparisons, which give no series while all is well."""
    return sorted({series for rule in alerts().values() for series in SERIES.findall(rule["expr"])})


def without_data(watching: Prometheus, expressions: list[str]) -> list[str]:
    """The expressions that give no series."""
    return [expression for expression in expressions if not watching.query(expression)]
