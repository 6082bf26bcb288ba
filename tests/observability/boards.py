"""The committed dashboards, read from their files, and the metrics in their expressions."""

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from deploy.grafana.build import FOLDER
from service.migration.status.gauges import MigrationGauges
from service.telemetry.metrics import Metrics

METRIC = re.compile(r"\b(?:tablesplit|process|python|scrape)_\w+|\bALERTS\b|\bup\b")
OF_PROMETHEUS = {"up", "ALERTS", "scrape_duration_seconds"}
QUOTED = re.compile(r'"[^"]*"')


@cache
def boards() -> dict[str, Any]:
    """Each dashboard, by the name of its file."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(board: Any) -> list[Any]:
    """Its panels that have queries."""
    return [panel for panel in board["panels"] if panel["type"] not in ("row", "text")]


def queries() -> dict[str, str]:
    """Each query of each dashboard, by its place."""
    return {
        f"{name} / {panel['title']} / {target['refId']}": target["expr"]
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    }


def bounded(query: str, migration: str) -> str:
    """The query as Grafana sends it when this migration alone is chosen, its rates taken over the whole of a test's run."""
    return query.replace("$__rate_interval", "30m").replace("$migration", migration)


def named(expressions: Iterable[str]) -> set[str]:
    """The metrics that PromQL expressions name."""
    return {name for expression in expressions for name in METRIC.findall(QUOTED.sub("", expression))}


def exposed() -> set[str]:
    """Every metric that a process exposes, by its name in Prometheus, the gate's conditions included."""
    metrics = Metrics()
    metrics.set_build("", "")
    metrics.show(MigrationGauges(None))
    samples = {sample.name for family in metrics.registry.collect() for sample in family.samples}
    return samples | {"tablesplit_gate_condition_met"}  # its series exist only with a gate
