"""One metric's series, each looked up once: what is counted for every change must cost next to nothing."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Generic, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from service.metrics.vocabulary import OTHER

Series = TypeVar("Series", Counter, Gauge, Histogram)


class Cells(Generic[Series]):
    """Every series of ``metric``: one for each combination of its labels' values, exposed from now on."""

    def __init__(self, metric: Series, vocabulary: Mapping[str, Sequence[str]]) -> None:
        self._metric: Series = metric
        self._known = [frozenset(values) for values in vocabulary.values()]
        self._series: dict[tuple[str, ...], Series] = {
            values: metric.labels(*values) for values in product(*vocabulary.values())
        }

    def at(self, *values: str) -> Series:
        """The series of these label values. One that its vocabulary lacks counts as OTHER: nothing stops for want of a name."""
        found = self._series.get(values)
        return found if found is not None else self._other(values)

    def _other(self, values: tuple[str, ...]) -> Series:
        bounded = tuple(value if value in known else OTHER for value, known in zip(values, self._known, strict=True))
        return self._series.setdefault(bounded, self._metric.labels(*bounded))
