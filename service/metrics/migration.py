"""The gauges of the whole migration, made of a Status when the page is: the same from every process that serves one.

While there is no Status the page comes all the same: ``tablesplit_status_readable`` is 0 then, and the others are NaN.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.metrics.vocabulary import BACKFILL_STATES, DIRECTIONS, PHASES, ROLES, SIDES
from service.status import BackfillStatus, LaneStatus, Status

Values = Mapping[tuple[str, ...], float | None]
"""By label values; None: not known."""

READABLE = "tablesplit_status_readable"


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


class MigrationGauges(Collector):
    """Collects every gauge from the Status that was shown last."""

    def __init__(self) -> None:
        self.status: Status | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        readable = "1 while the state of the migration can be read, 0 while the other gauges of it are NaN"
        yield GaugeMetricFamily(READABLE, readable, value=self.status is not None)
        for gauge in GAUGES:
            yield gauge.family(self.status)


def _one(read: Callable[[Status], float | None]) -> Callable[[Status], Values]:
    return lambda status: {(): read(status)}


def _lanes(read: Callable[[LaneStatus], float | None]) -> Callable[[Status], Values]:
    return lambda status: {("forward",): read(status.forward), ("reverse",): read(status.reverse)}


def _flags(known: Iterable[str], actual: str) -> Values:
    return {(name,): name == actual for name in known}


def _segments(status: Status) -> Values:
    backfill = status.backfill
    return {("done",): backfill.segments_done, ("open",): backfill.segments - backfill.segments_done}


def _shards(status: Status) -> Values:
    found: dict[tuple[str, ...], float | None] = {}
    for direction, lane in zip(DIRECTIONS, (status.forward, status.reverse), strict=True):
        known = lane.lag_seconds is not None
        found[direction, "reading"] = lane.shards - lane.shards_waiting if known else None
        found[direction, "waiting"] = lane.shards_waiting if known else None
        found[direction, "finished"] = lane.shards_finished if known else None
    return found


def _workers(status: Status) -> Values:
    heard = [worker for worker in status.workers if worker.heard]
    roles = Counter((worker.forward, "forward") for worker in heard) + Counter(
        (worker.reverse, "reverse") for worker in heard
    )
    return {(role, direction): roles[role, direction] for role in ROLES for direction in DIRECTIONS}


def _gate_open(status: Status) -> float | None:
    return None if status.gate is None else status.gate.open


def _gate_conditions(status: Status) -> Values:
    return {} if status.gate is None else {(one.name,): one.met for one in status.gate.conditions}


def _rogue_writes(status: Status) -> Values:
    return {(side,): status.rogue_writes.get(side, 0) for side in SIDES}


def _validation_differences(status: Status) -> float | None:
    return None if status.validation is None else status.validation.differences


def _validation_equal(status: Status) -> float | None:
    return None if status.validation is None else status.validation.result == "equal"


def _validation_age(status: Status) -> float | None:
    return None if status.validation is None else status.validation.age_seconds


def _verification_differences(status: Status) -> float | None:
    return None if status.verification is None else status.verification.differences


def _verification_pending(status: Status) -> float | None:
    return None if status.verification is None else status.verification.pending


_G = MigrationGauge
GAUGES = (
    _G("tablesplit_phase", "1 for the phase the migration is in", ("phase",), lambda s: _flags(PHASES, s.phase)),
    _G("tablesplit_move_under_way", "1 while the phase is being moved", (), _one(lambda s: s.move is not None)),
    _G("tablesplit_hold", "1 while an operator keeps the gate closed", (), _one(lambda s: s.hold is not None)),
    _G(
        "tablesplit_gap",
        "1 while a repair is owed, because stream records were lost or the stream is another one",
        (),
        _one(lambda s: s.gap is not None),
    ),
    _G(
        "tablesplit_gate_open",
        "1 while every condition of the move that leads on is met; NaN where no move leads on",
        (),
        _one(_gate_open),
    ),
    _G(
        "tablesplit_gate_condition_met",
        "1 for each met condition of the move that leads on, 0 for each other of its conditions",
        ("condition",),
        _gate_conditions,
    ),
    _G(
        "tablesplit_backfill_state",
        "1 for the state the bulk copy is in",
        ("state",),
        lambda s: _flags(BACKFILL_STATES, s.backfill.state),
    ),
    _G(
        "tablesplit_backfill_progress_items",
        "Old items that the backfill is done with, over all its processes",
        (),
        _one(lambda s: s.backfill.items),
        "items",
    ),
    _G("tablesplit_backfill_segments", "Segments of the backfill", ("state",), _segments),
    _G(
        "tablesplit_backfill_rate_items_per_second",
        "Old items that the backfill gets done in a second, lately",
        (),
        _one(lambda s: s.backfill.items_per_second),
        "items_per_second",
    ),
    _G(
        "tablesplit_backfill_eta_seconds",
        "Expected time until the backfill is done; NaN: not known",
        (),
        _one(lambda s: s.backfill.eta_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_lag_seconds",
        "Age of the oldest change that is not applied; NaN: no worker reports",
        ("direction",),
        _lanes(lambda lane: lane.lag_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_caught_up",
        "1 when every shard is read to its end and applied",
        ("direction",),
        _lanes(lambda lane: lane.caught_up),
    ),
    _G(
        "tablesplit_catch_up_seconds",
        "Expected time until every change is applied, at the present speed; NaN: not known",
        ("direction",),
        _lanes(lambda lane: lane.catch_up_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_shards",
        "Shards of the streams: being read, waiting for their parents, read to their end; NaN: no worker reports",
        ("direction", "state"),
        _shards,
    ),
    _G(
        "tablesplit_lane_stopped",
        "1 when a worker's lane has stopped and no other worker has taken over",
        ("direction",),
        _lanes(lambda lane: lane.stopped),
    ),
    _G("tablesplit_workers", "Sync processes that are heard of", ("role", "direction"), _workers),
    _G(
        "tablesplit_retention_headroom_seconds",
        "Time until unread changes may be trimmed; NaN: no worker reports",
        (),
        _one(lambda s: s.retention_headroom_seconds),
        "seconds",
    ),
    _G("tablesplit_quarantine_keys", "Keys in quarantine", (), _one(lambda s: s.quarantine)),
    _G(
        "tablesplit_conflicts_open",
        "Conflicts and held items that need a person",
        (),
        _one(lambda s: s.conflicts),
    ),
    _G(
        "tablesplit_rogue_writes",
        "Writes of the application on the side that should be quiet, since the phase began",
        ("side",),
        _rogue_writes,
    ),
    _G(
        "tablesplit_validation_differences",
        "Differences the latest validation found; NaN: never run",
        (),
        _one(_validation_differences),
    ),
    _G(
        "tablesplit_validation_equal",
        "1 when the latest validation found both sides equal; NaN: never run",
        (),
        _one(_validation_equal),
    ),
    _G(
        "tablesplit_validation_age_seconds",
        "Time since the latest validation finished; NaN: never run",
        (),
        _one(_validation_age),
        "seconds",
    ),
    _G(
        "tablesplit_verification_differences",
        "Touched keys that the last re-verification found to differ; NaN: never run",
        (),
        _one(_verification_differences),
    ),
    _G(
        "tablesplit_verification_pending",
        "Touched keys that were not quiet at the last re-verification; NaN: never run",
        (),
        _one(_verification_pending),
    ),
)

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
