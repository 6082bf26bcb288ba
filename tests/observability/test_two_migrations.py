"""Two migrations on one real Prometheus: a query shows the chosen one alone, and an alert is said of the one that it is about."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from deploy.grafana.variables import ENTERED, of_chosen
from service.rehearsal.servers.local_servers import free_port
from tests.acceptance.command_line import CommandLine, until
from tests.observability.boards import bounded, queries
from tests.observability.prometheus import Prometheus, prometheus
from tests.observability.rules import alert_series
from tests.observability.whole_run import copy, cut_over, serving, syncing, write_bad_item

pytestmark = [pytest.mark.local, pytest.mark.kill, pytest.mark.slow]

NAMES = ("crm", "shop")
OF_ALL = {"migration.json / Alerts / A", "service-health.json / Alerts / A"}
"""They count the alerts of all that are chosen, so they give one number, of no migration."""


def test_nothing_of_one_migration_is_shown_or_said_as_the_others(
    own_dynamodb_local: str, table_prefix: str, tmp_path: Path
) -> None:
    ports = {name: {"sync": free_port(), "backfill": free_port()} for name in NAMES}
    clis = {name: migration(own_dynamodb_local, table_prefix, tmp_path / name, ports[name]) for name in NAMES}
    with ExitStack() as running, ThreadPoolExecutor() as both:
        syncs = {name: running.enter_context(syncing(cli)) for name, cli in clis.items()}
        watching = running.enter_context(prometheus(tmp_path, {**ports}))
        list(both.map(lambda name: copy(clis[name], watching, ports[name]["backfill"]), NAMES))
        assert [series for series in alert_series() if migrations(watching, series) != {*NAMES}] == []
        list(both.map(cut_over, clis.values()))
        write_bad_item(clis["crm"])
        is_judged(watching, "TablesplitQuarantineNotEmpty", {"crm"})

        assert watching.names("tablesplit_status_readable", "migration") == [*NAMES]
        for name in NAMES:
            shown = {place: migrations(watching, bounded(query, name)) for place, query in queries().items()}
            assert shown == {place: {"" if place in OF_ALL else name} for place in queries()}
            moves = watching.history(of_chosen(ENTERED).replace("$migration", name))
            assert {"migration": name, "phase": "dual"} in moves
            assert {mark["migration"] for mark in moves} == {name}

        syncs["crm"].kill()
        is_judged(watching, "TablesplitDown", {"crm"})


def migration(endpoint: str, prefix: str, folder: Path, ports: dict[str, int]) -> CommandLine:
    folder.mkdir()
    return CommandLine(endpoint, f"{prefix}{folder.name}-", folder, serving(ports))


def migrations(watching: Prometheus, expression: str) -> set[str]:
    """The migrations of which the expression gives series."""
    return {series["metric"].get("migration", "") for series in watching.query(expression)}


def is_judged(watching: Prometheus, alert: str, of: set[str]) -> None:
    """Wait until the alert is pending or firing, for those migrations and no other."""
    until(lambda: watching.judged(alert), within=60, otherwise=lambda: str(watching.rules()[alert]))
    assert watching.judged(alert) == of
