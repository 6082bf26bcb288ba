"""The gauges of the whole migration, made from a Status: every process that serves them shows the same.

Without a Status the page is served all the same: ``tablesplit_status_readable`` is then 0, and every other gauge is NaN.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.core.phases.facts import Facts, LaneFacts
from service.migration.status.status import Status
from service.telemetry.metrics import BACKFILL_STATES, DIRECTIONS, PHASES, ROLES, SIDES

READABLE = "tablesplit_status_readable"

Values = Mapping[tuple[str, ...], float | None]
"""By label values; None: not known."""

Read = Callable[[Status], float | Values | None]
"""The value of a gauge without labels, or the values of one with labels."""

NOTHING = Status(Facts(now=0.0, phase_since=0.0))
"""Has every label that a Status has, except the conditions of a gate."""


class MigrationGauges(Collector):
    """Every gauge of one Status; None: it cannot be read."""

    def __init__(self, status: Status | None) -> None:
        self.status = status

    def collect(self) -> Iterator[GaugeMetricFamily]:
        readable = "1 while the state of the migration can be read, 0 while the other gauges of it are NaN"
        yield GaugeMetricFamily(READABLE, readable, value=self.status is not None)
        for declared in GAUGES:
            yield declared.family(self.status)


@dataclass(frozen=True, slots=True)
class MigrationGauge:
    """A gauge as it is declared, and how its values are read from a Status."""

    name: str
    text: str
    labels: tuple[str, ...]
    unit: str
    read: Read

    def family(self, status: Status | None) -> GaugeMetricFamily:
        """The gauge with a sample for each of its values; NaN for a value that is not known."""
        values = self.read(status or NOTHING)
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels, unit=self.unit)
        for labels, value in (values if isinstance(values, Mapping) else {(): values}).items():
            family.add_metric(labels, nan if value is None or status is None else float(value))
        return family


GAUGES: list[MigrationGauge] = []
"""In the order of the page."""


def gauge(name: str, text: str, *, labels: tuple[str, ...] = (), unit: str = "") -> Callable[[Read], Read]:
    """Declares a gauge; the decorated function reads its values."""

    def declare(read: Read) -> Read:
        GAUGES.append(MigrationGauge(name, text, labels, unit, read))
        return read

    return declare


def flags(known: Iterable[str], actual: str) -> Values:
    """1 for the actual value, 0 for every other value that it may have."""
    return {(name,): name == actual for name in known}


def by_direction(status: Status, read: Callable[[LaneFacts], float | None]) -> Values:
    """The same value of each direction."""
    return {("forward",): read(status.facts.forward), ("reverse",): read(status.facts.reverse)}


@gauge("tablesplit_phase", "1 for the phase the migration is in", labels=("phase",))
def _phase(status: Status) -> Values:
    return flags(PHASES, status.facts.phase)


@gauge("tablesplit_move_under_way", "1 while the phase is being moved")
def _move_under_way(status: Status) -> bool:
    return status.facts.moving is not None


@gauge("tablesplit_hold", "1 while an operator keeps the gate closed")
def _hold(status: Status) -> bool:
    return status.facts.hold is not None


@gauge("tablesplit_gap", "1 while a repair is owed, because stream records were lost or the stream is another one")
def _gap(status: Status) -> bool:
    return status.gap is not None


@gauge("tablesplit_gate_open", "1 while every condition of the move that leads on is met; NaN where no move leads on")
def _gate_open(status: Status) -> float | None:
    return None if status.gate is None else status.gate.open


@gauge(
    "tablesplit_gate_condition_met",
    "1 for each met condition of the move that leads on, 0 for each other of its conditions",
    labels=("condition",),
)
def _gate_condition_met(status: Status) -> Values:
    conditions = () if status.gate is None else status.gate.conditions
    return {(condition.name,): condition.met for condition in conditions}


@gauge("tablesplit_backfill_state", "1 for the state the backfill is in", labels=("state",))
def _backfill_state(status: Status) -> Values:
    return flags(BACKFILL_STATES, status.facts.backfill.state)


@gauge(
    "tablesplit_backfill_progress_items",
    "Old items that the backfill is done with, over all its workers",
    unit="items",
)
def _backfill_progress(status: Status) -> int:
    return status.facts.backfill.items


@gauge("tablesplit_backfill_segments", "Segments of the backfill", labels=("state",))
def _backfill_segments(status: Status) -> Values:
    backfill = status.facts.backfill
    return {("done",): backfill.segments_done, ("open",): backfill.segments - backfill.segments_done}


@gauge(
    "tablesplit_backfill_rate_items_per_second",
    "Old items that the backfill gets done in a second, lately",
    unit="items_per_second",
)
def _backfill_rate(status: Status) -> float:
    return status.facts.backfill.items_per_second


@gauge("tablesplit_backfill_eta_seconds", "Expected time until the backfill is done; NaN: not known", unit="seconds")
def _backfill_eta(status: Status) -> float | None:
    return status.facts.backfill.eta_seconds


@gauge(
    "tablesplit_backfill_cost_dollars",
    "What the backfill has cost so far, over all its workers, by the price file",
    unit="dollars",
)
def _backfill_cost(status: Status) -> float:
    return status.facts.backfill.cost_usd


@gauge(
    "tablesplit_lag_seconds",
    "An upper bound on the age of the oldest change that is not applied yet; NaN: no worker owns this lane",
    labels=("direction",),
    unit="seconds",
)
def _lag(status: Status) -> Values:
    return by_direction(status, lambda lane: lane.lag_seconds)


@gauge("tablesplit_caught_up", "1 when every shard is read to its end and applied", labels=("direction",))
def _caught_up(status: Status) -> Values:
    return by_direction(status, lambda lane: lane.caught_up)


@gauge(
    "tablesplit_catch_up_seconds",
    "Expected time until every change is applied, at the present speed; NaN: not known",
    labels=("direction",),
    unit="seconds",
)
def _catch_up(status: Status) -> Values:
    return by_direction(status, lambda lane: lane.catch_up_seconds)


@gauge(
    "tablesplit_shards",
    "Shards of the streams: being read, waiting for their parents, read to their end; NaN: no worker owns this lane",
    labels=("direction", "state"),
)
def _shards(status: Status) -> Values:
    values: dict[tuple[str, ...], float | None] = {}
    for direction, lane in zip(DIRECTIONS, (status.facts.forward, status.facts.reverse), strict=True):
        known = lane.lag_seconds is not None
        values[direction, "reading"] = lane.shards - lane.shards_waiting if known else None
        values[direction, "waiting"] = lane.shards_waiting if known else None
        values[direction, "finished"] = lane.shards_finished if known else None
    return values


@gauge(
    "tablesplit_lane_stopped",
    "1 when a worker's lane has stopped and no other worker has taken over",
    labels=("direction",),
)
def _lane_stopped(status: Status) -> Values:
    return by_direction(status, lambda lane: lane.stopped)


@gauge("tablesplit_workers", "Sync workers that report", labels=("role", "direction"))
def _workers(status: Status) -> Values:
    live = [worker for worker in status.facts.workers if worker.live]
    roles = Counter((worker.forward, "forward") for worker in live)
    roles.update((worker.reverse, "reverse") for worker in live)
    return {(role, direction): roles[role, direction] for role in ROLES for direction in DIRECTIONS}


@gauge(
    "tablesplit_retention_headroom_seconds",
    "Time until unread changes may be trimmed, also while no worker reads; NaN: no position is saved",
    unit="seconds",
)
def _retention_headroom(status: Status) -> float | None:
    return status.retention_headroom_seconds


@gauge("tablesplit_quarantine_keys", "Keys in quarantine")
def _quarantine_keys(status: Status) -> int:
    return status.facts.quarantine


@gauge("tablesplit_conflicts_open", "Conflicts and held items that need a person")
def _conflicts_open(status: Status) -> int:
    return status.facts.conflicts


@gauge(
    "tablesplit_rogue_writes",
    "Writes of the application on the side that should be quiet, since the phase began",
    labels=("side",),
)
def _rogue_writes(status: Status) -> Values:
    counts: dict[str, int] = {side: activity.rogue_writes for side, activity in status.facts.sides.items()}
    return {(side,): counts.get(side, 0) for side in SIDES}


@gauge("tablesplit_validation_differences", "Differences the latest full validation found; NaN: never run")
def _validation_differences(status: Status) -> float | None:
    validation = status.facts.validation
    return None if validation is None else validation.differences


@gauge("tablesplit_validation_equal", "1 when the latest full validation found both sides equal; NaN: never run")
def _validation_equal(status: Status) -> float | None:
    validation = status.facts.validation
    return None if validation is None else validation.equal


@gauge(
    "tablesplit_validation_age_seconds",
    "Time since the latest full validation finished; NaN: never run",
    unit="seconds",
)
def _validation_age(status: Status) -> float | None:
    validation = status.facts.validation
    return None if validation is None else validation.age(status.facts.now)


@gauge("tablesplit_verification_differences", "Touched keys that the last verification found to differ; NaN: never run")
def _verification_differences(status: Status) -> float | None:
    verification = status.facts.verification
    return None if verification is None else verification.differences


@gauge("tablesplit_verification_pending", "Touched keys that were not quiet at the last verification; NaN: never run")
def _verification_pending(status: Status) -> float | None:
    verification = status.facts.verification
    return None if verification is None else verification.pending
