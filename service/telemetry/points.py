"""The Prometheus registry's samples as OTLP's: the same counters, read once more, under the same names.

Names, units and labels are those that a collector gives back to Prometheus unchanged: a counter's name without ``_total``, the unit
``s`` where the name ends in ``_seconds``
(https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/).
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import inf, isfinite
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import Metric as Family
from prometheus_client.samples import Sample

from service.telemetry.metrics import Metrics

CUMULATIVE = AggregationTemporality.CUMULATIVE
Labels = tuple[tuple[str, str], ...]


class OtlpMetrics:
    """Reads the metrics of a process and sends them. ``began``: since when its counters count, epoch seconds."""

    def __init__(self, resource: Resource, metrics: Metrics, began: float) -> None:
        self._exporter = OTLPMetricExporter()
        self._resource = resource
        self._metrics = metrics
        self._began = began

    def read(self, now: float) -> MetricsData:
        """What the page would show. To be called where the metrics are written, in the event loop."""
        times = _nanoseconds(self._began), _nanoseconds(now)
        made = [metric for family in self._metrics.families() if (metric := metric_of(family, *times)) is not None]
        scope = ScopeMetrics(InstrumentationScope("tablesplit"), made, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])

    def send(self, read: MetricsData) -> None:
        """Send it, with the SDK's own retries and deadline, in a thread. What is not taken is dropped; the SDK logs it."""
        self._exporter.export(read)

    def give_up(self) -> None:
        """Try nothing again that has not been taken: ``send`` ends."""
        self._exporter.shutdown()


def metric_of(family: Family, began: int, now: int) -> Metric | None:
    """A family of samples; None where none is known: NaN says that, and OTLP has no word for it. Times are epoch nanoseconds."""
    data: Sum | Gauge | Histogram
    if family.type == "histogram":
        data = Histogram(list(_histograms(family, began, now)), CUMULATIVE)
    elif family.type == "counter":
        counted = [sample for sample in family.samples if sample.name.endswith("_total")]
        data = Sum(list(_numbers(counted, began, now)), CUMULATIVE, is_monotonic=True)
    else:
        data = Gauge(list(_numbers(family.samples, began, now)))
    unit = "s" if family.name.endswith("_seconds") else ""
    return Metric(family.name, family.documentation, unit, data) if data.data_points else None


def _numbers(samples: Iterable[Sample], began: int, now: int) -> Iterator[NumberDataPoint]:
    for sample in samples:
        if isfinite(sample.value):
            yield NumberDataPoint(sample.labels, began, now, float(sample.value))


def _histograms(family: Family, began: int, now: int) -> Iterator[HistogramDataPoint]:
    """Prometheus's buckets count all that is below a bound, OTLP's what lies between two."""
    by_labels: dict[Labels, dict[str, float]] = {}
    for sample in family.samples:
        labels = {name: value for name, value in sample.labels.items() if name != "le"}
        bound = sample.labels.get("le", sample.name.removeprefix(family.name))
        by_labels.setdefault(tuple(labels.items()), {})[bound] = sample.value
    for labels_of, values in by_labels.items():
        bounds = sorted(float(bound) for bound in values if not bound.startswith("_"))
        below = {float(bound): int(count) for bound, count in values.items() if not bound.startswith("_")}
        counts = [below[bounds[0]], *(below[high] - below[low] for low, high in pairwise(bounds))]
        finite = [bound for bound in bounds if bound != inf]
        total = values["_sum"]
        unknown: Any = (
            None  # the smallest and the largest value: Prometheus has no word for them, and OTLP's are optional
        )
        yield HistogramDataPoint(dict(labels_of), began, now, sum(counts), total, counts, finite, unknown, unknown)


def _nanoseconds(epoch_seconds: float) -> int:
    return int(epoch_seconds * 1e9)
