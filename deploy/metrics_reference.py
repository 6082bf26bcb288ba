"""The reference of every metric in Markdown, made from the registry of a process."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from prometheus_client import Metric

from service.core.phases.gate import Condition, Gate
from service.migration.status.gauges import NOTHING, MigrationGauges
from service.telemetry.metrics import GATE_CONDITIONS, Metrics

PREFIX = "tablesplit_"
SUFFIXES = {"counter": "_total", "info": "_info"}
DEPLOYED = {"table": "each table of the mapping, the control table, `other`", "version": "any", "mapping": "any"}
"""Label values that depend on the deployment."""


def metrics_table() -> str:
    """A table of the metrics of one process, one of those of the whole migration, and the values of each label."""
    of_process = {metric.name for metric in _families(_example())}
    every = [*_families(_migrating())]
    return "\n".join(
        [
            *("### Of one process", "", "Sync and backfill serve these.", ""),
            *_rows(metric for metric in every if metric.name in of_process),
            *("", "### Of the whole migration", "", "Sync alone serves these.", ""),
            *_rows(metric for metric in every if metric.name not in of_process),
            *("", "### Labels", "", *_label_lines(every)),
        ]
    )


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


def _rows(metrics: Iterable[Metric]) -> Iterator[str]:
    """A table with a row for each metric: name, meaning, type, labels."""
    yield from ("| metric | meaning | type | labels |", "|---|---|---|---|")
    for metric in metrics:
        labels = ", ".join(f"`{label}`" for label in _labels(metric))
        yield f"| `{_name(metric)}` | {metric.documentation} | {metric.type} | {labels} |"


def _label_lines(metrics: Iterable[Metric]) -> Iterator[str]:
    """A line for each label and each set of its values. It names the metrics only where they differ in their values."""
    found: dict[str, dict[str, list[str]]] = {}
    for metric in metrics:
        for label, values in _labels(metric).items():
            found.setdefault(label, {}).setdefault(values, []).append(f"`{_name(metric)}`")
    for label, sets in sorted(found.items()):
        for values, names in sets.items():
            of = f" of {', '.join(names)}" if len(sets) > 1 else ""
            yield f"- `{label}`{of}: {values}"


def _name(metric: Metric) -> str:
    return metric.name + SUFFIXES.get(metric.type, "")


def _labels(metric: Metric) -> dict[str, str]:
    """Each label with its values, in Markdown."""
    values_of: dict[str, dict[str, None]] = {}  # by label, in order and without repetitions
    for sample in metric.samples:
        for label, value in sample.labels.items():
            values_of.setdefault(label, {})[f"`{value}`"] = None
    values_of.pop("le", None)
    return {label: DEPLOYED.get(label, ", ".join(values)) for label, values in values_of.items()}
