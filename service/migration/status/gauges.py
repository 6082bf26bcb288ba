"""The gauges of the whole migration, made of a Status when the page is: the same from every process that serves one.

While there is no Status the page comes all the same: ``tablesplit_status_readable`` is 0 then, and the others are NaN.
"""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.metrics import BACKFILL_STATES, PHASES
from service.migration.status.readings import (
    MigrationGauge,
    flags,
    gate_conditions,
    gate_open,
    lanes,
    one,
    rogue_writes,
    segments,
    shards,
    validation_age,
    validation_differences,
    validation_equal,
    verification_differences,
    verification_pending,
    workers,
)
from service.migration.status.status import Status

READABLE = "tablesplit_status_readable"


class MigrationGauges(Collector):
    """Every gauge of one Status; None: it cannot be taken."""

    def __init__(self, status: Status | None) -> None:
        self.status = status

    def collect(self) -> Iterator[GaugeMetricFamily]:
        readable = "1 while the state of the migration can be read, 0 while the other gauges of it are NaN"
        yield GaugeMetricFamily(READABLE, readable, value=self.status is not None)
        for gauge in GAUGES:
            yield gauge.family(self.status)


_G = MigrationGauge
GAUGES = (
    _G("tablesplit_phase", "1 for the phase the migration is in", ("phase",), lambda s: flags(PHASES, s.phase)),
    _G("tablesplit_move_under_way", "1 while the phase is being moved", (), one(lambda s: s.move is not None)),
    _G("tablesplit_hold", "1 while an operator keeps the gate closed", (), one(lambda s: s.hold is not None)),
    _G(
        "tablesplit_gap",
        "1 while a repair is owed, because stream records were lost or the stream is another one",
        (),
        one(lambda s: s.gap is not None),
    ),
    _G(
        "tablesplit_gate_open",
        "1 while every condition of the move that leads on is met; NaN where no move leads on",
        (),
        one(gate_open),
    ),
    _G(
        "tablesplit_gate_condition_met",
        "1 for each met condition of the move that leads on, 0 for each other of its conditions",
        ("condition",),
        gate_conditions,
    ),
    _G(
        "tablesplit_backfill_state",
        "1 for the state the bulk copy is in",
        ("state",),
        lambda s: flags(BACKFILL_STATES, s.backfill.state),
    ),
    _G(
        "tablesplit_backfill_progress_items",
        "Old items that the backfill is done with, over all its processes",
        (),
        one(lambda s: s.backfill.items),
        "items",
    ),
    _G("tablesplit_backfill_segments", "Segments of the backfill", ("state",), segments),
    _G(
        "tablesplit_backfill_rate_items_per_second",
        "Old items that the backfill gets done in a second, lately",
        (),
        one(lambda s: s.backfill.items_per_second),
        "items_per_second",
    ),
    _G(
        "tablesplit_backfill_eta_seconds",
        "Expected time until the backfill is done; NaN: not known",
        (),
        one(lambda s: s.backfill.eta_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_backfill_cost_dollars",
        "What the backfill has cost so far, over all its processes, by the price file",
        (),
        one(lambda s: s.backfill.cost_usd),
        "dollars",
    ),
    _G(
        "tablesplit_lag_seconds",
        "Age of the oldest change that is not applied; NaN: no worker reports",
        ("direction",),
        lanes(lambda lane: lane.lag_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_caught_up",
        "1 when every shard is read to its end and applied",
        ("direction",),
        lanes(lambda lane: lane.caught_up),
    ),
    _G(
        "tablesplit_catch_up_seconds",
        "Expected time until every change is applied, at the present speed; NaN: not known",
        ("direction",),
        lanes(lambda lane: lane.catch_up_seconds),
        "seconds",
    ),
    _G(
        "tablesplit_shards",
        "Shards of the streams: being read, waiting for their parents, read to their end; NaN: no worker reports",
        ("direction", "state"),
        shards,
    ),
    _G(
        "tablesplit_lane_stopped",
        "1 when a worker's lane has stopped and no other worker has taken over",
        ("direction",),
        lanes(lambda lane: lane.stopped),
    ),
    _G("tablesplit_workers", "Sync processes that are heard of", ("role", "direction"), workers),
    _G(
        "tablesplit_retention_headroom_seconds",
        "Time until unread changes may be trimmed, also while no worker reads; NaN: no position is saved",
        (),
        one(lambda s: s.retention_headroom_seconds),
        "seconds",
    ),
    _G("tablesplit_quarantine_keys", "Keys in quarantine", (), one(lambda s: s.quarantine)),
    _G(
        "tablesplit_conflicts_open",
        "Conflicts and held items that need a person",
        (),
        one(lambda s: s.conflicts),
    ),
    _G(
        "tablesplit_rogue_writes",
        "Writes of the application on the side that should be quiet, since the phase began",
        ("side",),
        rogue_writes,
    ),
    _G(
        "tablesplit_validation_differences",
        "Differences the latest full validation found; NaN: never run",
        (),
        one(validation_differences),
    ),
    _G(
        "tablesplit_validation_equal",
        "1 when the latest full validation found both sides equal; NaN: never run",
        (),
        one(validation_equal),
    ),
    _G(
        "tablesplit_validation_age_seconds",
        "Time since the latest full validation finished; NaN: never run",
        (),
        one(validation_age),
        "seconds",
    ),
    _G(
        "tablesplit_verification_differences",
        "Touched keys that the last re-verification found to differ; NaN: never run",
        (),
        one(verification_differences),
    ),
    _G(
        "tablesplit_verification_pending",
        "Touched keys that were not quiet at the last re-verification; NaN: never run",
        (),
        one(verification_pending),
    ),
)
