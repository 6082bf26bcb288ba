"""What one gauge of the migration says of a Status."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import nan

from prometheus_client.core import GaugeMetricFamily

from service.metrics import DIRECTIONS, ROLES, SIDES
from service.migration.status.status import BackfillStatus, LaneStatus, Status

Values = Mapping[tuple[str, ...], float | None]
"""By label values; None: not known."""

NOTHING = Status(
    phase="",
    phase_since="",
    mapping="",
    rule="",
    move=None,
    hold=None,
    backfill=BackfillStatus("", 0, 0, 0, 0.0, None),
    forward=LaneStatus(None, False, 0, {}),
    reverse=LaneStatus(None, False, 0, {}),
    quarantine=0,
    conflicts=0,
    validation=None,
    retention_headroom_seconds=None,
    gap=None,
    workers=(),
)
"""Has every label that a Status has, but the gate's conditions."""


@dataclass(frozen=True, slots=True)
class MigrationGauge:
    """One gauge: what it says of a Status."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: Callable[[Status], Values]
    unit: str = ""

    def family(self, status: Status | None) -> GaugeMetricFamily:
        """The gauge with a sample for each of its values; NaN for what is not known."""
        family = GaugeMetricFamily(self.name, self.text, labels=self.labels, unit=self.unit)
        for labels, value in self.values(status or NOTHING).items():
            family.add_metric(labels, nan if value is None or status is None else float(value))
        return family


def one(read: Callable[[Status], float | None]) -> Callable[[Status], Values]:
    """A gauge without labels."""
    return lambda status: {(): read(status)}


def lanes(read: Callable[[LaneStatus], float | None]) -> Callable[[Status], Values]:
    """The same of each direction."""
    return lambda status: {("forward",): read(status.forward), ("reverse",): read(status.reverse)}


def flags(known: Iterable[str], actual: str) -> Values:
    """1 for what it is, 0 for the others that it may be."""
    return {(name,): name == actual for name in known}


def segments(status: Status) -> Values:
    """Segments of the backfill by state."""
    backfill = status.backfill
    return {("done",): backfill.segments_done, ("open",): backfill.segments - backfill.segments_done}


def shards(status: Status) -> Values:
    """Shards by direction and state; unknown while no worker reports."""
    found: dict[tuple[str, ...], float | None] = {}
    for direction, lane in zip(DIRECTIONS, (status.forward, status.reverse), strict=True):
        known = lane.lag_seconds is not None
        found[direction, "reading"] = lane.shards - lane.shards_waiting if known else None
        found[direction, "waiting"] = lane.shards_waiting if known else None
        found[direction, "finished"] = lane.shards_finished if known else None
    return found


def workers(status: Status) -> Values:
    """How many that are heard of have which role, by direction."""
    heard = [worker for worker in status.workers if worker.heard]
    roles = Counter((worker.forward, "forward") for worker in heard)
    roles.update((worker.reverse, "reverse") for worker in heard)
    return {(role, direction): roles[role, direction] for role in ROLES for direction in DIRECTIONS}


def gate_open(status: Status) -> float | None:
    """None: no move leads on."""
    return None if status.gate is None else status.gate.open


def gate_conditions(status: Status) -> Values:
    """The conditions of the move that leads on, and no others."""
    return {} if status.gate is None else {(condition.name,): condition.met for condition in status.gate.conditions}


def rogue_writes(status: Status) -> Values:
    """By the side that should be quiet."""
    return {(side,): status.rogue_writes.get(side, 0) for side in SIDES}


def validation_differences(status: Status) -> float | None:
    """None: never run."""
    return None if status.validation is None else status.validation.differences


def validation_equal(status: Status) -> float | None:
    """None: never run."""
    return None if status.validation is None else status.validation.result == "equal"


def validation_age(status: Status) -> float | None:
    """In seconds; None: never run."""
    return None if status.validation is None else status.validation.age_seconds


def verification_differences(status: Status) -> float | None:
    """None: never run."""
    return None if status.verification is None else status.verification.differences


def verification_pending(status: Status) -> float | None:
    """None: never run."""
    return None if status.verification is None else status.verification.pending
