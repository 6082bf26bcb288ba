"""The reference of every metric in Markdown, made from the registry of a process."""

from collections.abc import Iterator
from dataclasses import replace

from prometheus_client import Metric

from service.core.phases.gate import Condition, Gate
from service.metrics import GATE_CONDITIONS, Metrics
from service.migration.status.gauges import NOTHING, MigrationGauges

PREFIX = "tablesplit_"
SUFFIXES = {"counter": "_total", "info": "_info"}
DEPLOYED = {"table": "each table of the mapping, the control table, `other`", "version": "any", "mapping": "any"}
"""Label values that depend on the deployment."""


def metrics_table() -> str:
    """A row for each metric: its name, type, labels and their values, unit, the processes that have it, its meaning."""
    both = {metric.name for metric in _families(_example())}
    rows = ["| metric | type | labels | unit | process | meaning |", "|---|---|---|---|---|---|"]
    return "\n".join([*rows, *(_row(metric, metric.name in both) for metric in _families(_migrating()))])


def _example() -> Metrics:
    metrics = Metrics()
    metrics.set_build("", "")
    return metrics


def _migrating() -> Metrics:
    """With the gauges of the migration, and every value of every label."""
    metrics = _example()
    conditions = tuple(Condition(name, None, None, True, None, "") for name in GATE_CONDITIONS)
    metrics.show(MigrationGauges(replace(NOTHING, gate=Gate("", conditions))))
    return metrics


def _families(metrics: Metrics) -> Iterator[Metric]:
    return (metric for metric in metrics.registry.collect() if metric.name.startswith(PREFIX))


def _row(metric: Metric, both: bool) -> str:
    name = metric.name + SUFFIXES.get(metric.type, "")
    process = "sync, backfill" if both else "sync"
    return f"| `{name}` | {metric.type} | {_labels(metric)} | {metric.unit} | {process} | {metric.documentation} |"


def _labels(metric: Metric) -> str:
    values_of: dict[str, dict[str, None]] = {}  # by label, in order and without repetitions
    for sample in metric.samples:
        for label, value in sample.labels.items():
            values_of.setdefault(label, {})[f"`{value}`"] = None
    values_of.pop("le", None)
    return "; ".join(f"**{label}**: {DEPLOYED.get(label, ', '.join(values))}" for label, values in values_of.items())
