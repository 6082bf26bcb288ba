"""The series of one metric, one for each combination of its label values.

Counts is for what the event loop counts for every change and request, Cells for the others. OfMigration labels them all.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

OTHER = "other"
"""Stands for a value outside the vocabulary, such as the error code of a later version of a server."""

Vocabulary = Mapping[str, Sequence[str]]
"""By label, every value that it can have: so each series exists from the start, and their number is bounded."""

Series = TypeVar("Series", Counter, Gauge, Histogram)


class Cells(Generic[Series]):
    """The series of ``metric``, one for each combination of label values in ``vocabulary``; all are exposed from the start."""

    def __init__(self, metric: Series, vocabulary: Mapping[str, Sequence[str]]) -> None:
        self._metric: Series = metric
        self._known = [frozenset(values) for values in vocabulary.values()]
        self._series: dict[tuple[str, ...], Series] = {
            values: metric.labels(*values) for values in product(*vocabulary.values())
        }

    def at(self, *values: str) -> Series:
        """The series of these label values. A value outside the vocabulary counts as OTHER and stops nothing."""
        series = self._series.get(values)
        return series if series is not None else self._other(values)

    def _other(self, values: tuple[str, ...]) -> Series:
        known = bounded(values, self._known)
        return self._series.setdefault(known, self._metric.labels(*known))


class Counts(Collector):
    """Plain counters, which the registry collects: a counter of the library takes a lock for each count. One thread counts."""

    def __init__(self, name: str, text: str, unit: str, vocabulary: Vocabulary) -> None:
        """``name``: with ``_unit``, and without ``_total``."""
        self._name, self._text, self._unit = name, text, unit
        self._labels = tuple(vocabulary)
        self._known = [frozenset(values) for values in vocabulary.values()]
        self._counts: dict[tuple[str, ...], float] = dict.fromkeys(product(*vocabulary.values()), 0.0)

    def add(self, values: tuple[str, ...], amount: float = 1.0) -> None:
        """Count at these label values. One outside the vocabulary counts as OTHER and stops nothing."""
        if values not in self._counts:
            values = bounded(values, self._known)
        self._counts[values] = self._counts.get(values, 0.0) + amount

    def value(self, values: tuple[str, ...]) -> float:
        """The count so far."""
        return self._counts.get(values, 0.0)

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels, unit=self._unit)
        for values, count in self._counts.items():
            family.add_metric(values, count)
        yield family


def bounded(values: Sequence[str], known: Sequence[frozenset[str]]) -> tuple[str, ...]:
    """The label values, each outside its vocabulary replaced by OTHER."""
    return tuple(value if value in these else OTHER for value, these in zip(values, known, strict=True))


class OfMigration(Collector):
    """Everything in ``registry``, with the label ``migration`` on each sample: so every series says which migration it is of, and
    no place that counts has to know it."""

    def __init__(self, registry: Collector, migration: str) -> None:
        self._registry = registry
        self._label = {"migration": migration} if migration else {}

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            labelled.samples = [sample._replace(labels={**sample.labels, **self._label}) for sample in metric.samples]
            yield labelled
