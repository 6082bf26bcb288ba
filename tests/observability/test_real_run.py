"""A real migration as a real Prometheus sees it: every query of every dashboard, and every series of the alerts, has data."""

from pathlib import Path

import pytest

from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import CommandLine, until
from tests.observability.boards import bounded, queries
from tests.observability.prometheus import Prometheus, prometheus
from tests.observability.rules import alert_series, alerts
from tests.observability.whole_run import copy, cut_over, serving, syncing, write_bad_item

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

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


def test_every_query_and_every_alert_has_data_of_a_real_run(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    ports = {"sync": free_port(), "backfill": free_port()}
    cli = CommandLine(own_dynamodb_local, table_prefix, tmp_path, serving(ports))
    with syncing(cli) as sync, prometheus(tmp_path, {None: ports}) as watching:
        copy(cli, watching, ports["backfill"])
        assert without_data(watching, alert_series()) == []
        cut_over(cli)
        write_bad_item(cli)
        until(
            lambda: pending(watching, "TablesplitQuarantineNotEmpty"),
            within=60,
            otherwise=lambda: str(watching.rules()),
        )
        assert (
            without_data(watching, [bounded(query, cli.table("OLD_TABLE_NAME")) for query in queries().values()]) == []
        )
        until(lambda: final_values(watching) == FINAL_VALUES, within=60, otherwise=lambda: str(final_values(watching)))
        assert {rule["health"] for rule in watching.rules().values()} == {"ok"}
        assert set(watching.rules()) == set(alerts())

        sync.kill()
        until(lambda: pending(watching, "TablesplitDown"), within=60, otherwise=lambda: str(watching.rules()))


def pending(watching: Prometheus, alert: str) -> bool:
    """Whether the alert's condition holds; the alert fires when it lasts."""
    return watching.rules()[alert]["state"] != "inactive"


def final_values(watching: Prometheus) -> dict[str, float]:
    """The values of the expressions in FINAL_VALUES."""
    found = {asked: watching.query(asked) for asked in FINAL_VALUES}
    return {asked: float(series["value"][1]) for asked, (series,) in found.items()}


def without_data(watching: Prometheus, expressions: list[str]) -> list[str]:
    """The expressions that give no series."""
    return [expression for expression in expressions if not watching.query(expression)]
