"""The last hour of both lanes, in this process's memory: the lag, and how many changes were read and carried.

A worker's counters begin at zero when it starts, so an interval in which one went down has no rate.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from service.clock import iso
from service.core.phases.facts import Facts, LaneFacts

KEPT_SECONDS = 3600.0
SAMPLE_SECONDS = 10.0
"""At least, between two samples: so many fit into the hour that the memory is bounded."""
RATE_SECONDS = 30.0
"""A present rate is that of so many seconds, or the shortest time above it."""

NOT_OF_THE_APPLICATION = frozenset({"own"})
CARRIED = frozenset({"applied", "carried_back"})


@dataclass(frozen=True, slots=True)
class LaneSample:
    """One lane at one moment; the counts are totals since its workers began."""

    lag_seconds: float | None
    application: int
    """Changes of the application on the side that the lane reads."""
    carried: int
    """Of these, the ones that were written on the other side."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Both lanes at one moment."""

    at: float
    """Epoch seconds."""
    forward: LaneSample
    reverse: LaneSample


class History:
    """Takes facts as they are read, at any pace, and keeps a sample of each SAMPLE_SECONDS for KEPT_SECONDS."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque(maxlen=int(KEPT_SECONDS / SAMPLE_SECONDS) + 1)
        self._newest: Sample | None = None

    def add(self, facts: Facts) -> None:
        """Remember the lanes of ``facts``. What lies in the future of them, because a clock was set back, is forgotten."""
        sample = Sample(facts.now, _lane_sample(facts.forward), _lane_sample(facts.reverse))
        while self._samples and not facts.now - KEPT_SECONDS <= self._samples[0].at <= facts.now:
            self._samples.popleft()
        if not self._samples or facts.now - self._samples[-1].at >= SAMPLE_SECONDS:
            self._samples.append(sample)
        self._newest = sample

    def rates(self) -> dict[str, Any]:
        """Changes a second of each lane now; None where they are not known yet."""
        newest = self._newest
        before = None if newest is None else self._before(newest.at - RATE_SECONDS)
        if newest is None or before is None:
            return {"forward": _NO_RATE, "reverse": _NO_RATE}
        return _rates(before, newest)

    def _before(self, moment: float) -> Sample | None:
        """The newest sample that is at least so old, or else the oldest."""
        older = next((sample for sample in reversed(self._samples) if sample.at <= moment), None)
        return older or next(iter(self._samples), None)

    def points(self) -> list[dict[str, Any]]:
        """The samples, oldest first, each with the rates since the one before."""
        return [
            {"at": iso(sample.at), **_point(sample, _rates(before, sample))}
            for before, sample in pairwise(self._samples)
        ]


_NO_RATE: Mapping[str, float | None] = {"application_per_second": None, "carried_per_second": None}


def _lane_sample(lane: LaneFacts) -> LaneSample:
    application = sum(count for name, count in lane.outcomes.items() if name not in NOT_OF_THE_APPLICATION)
    return LaneSample(lane.lag_seconds, application, sum(lane.outcomes.get(name, 0) for name in CARRIED))


def _rates(before: Sample, after: Sample) -> dict[str, Any]:
    seconds = after.at - before.at
    return {
        "forward": _lane_rates(before.forward, after.forward, seconds),
        "reverse": _lane_rates(before.reverse, after.reverse, seconds),
    }


def _lane_rates(before: LaneSample, after: LaneSample, seconds: float) -> Mapping[str, float | None]:
    application, carried = after.application - before.application, after.carried - before.carried
    if seconds <= 0 or application < 0 or carried < 0:
        return _NO_RATE
    return {"application_per_second": application / seconds, "carried_per_second": carried / seconds}


def _point(sample: Sample, rates: dict[str, Any]) -> dict[str, Any]:
    return {
        "forward": {"lag_seconds": sample.forward.lag_seconds, **rates["forward"]},
        "reverse": {"lag_seconds": sample.reverse.lag_seconds, **rates["reverse"]},
    }
