"""The gauges show the snapshot, and nothing that is not known."""

from dataclasses import replace
from math import isnan

from service.metrics import Metrics
from service.status import BackfillStatus, LaneStatus, Status, ValidationStatus

BACKFILL = BackfillStatus("finished", 7, 2, 2, 0.0, 0.0)
KNOWN = Status(
    phase="forward",
    phase_since="2026-01-02T03:04:05Z",
    mapping="abc",
    rule="guarded",
    move=None,
    hold=None,
    backfill=BACKFILL,
    forward=LaneStatus(3.0, True, 4, {}),
    reverse=LaneStatus(2.0, False, 4, {}),
    quarantine=5,
    conflicts=1,
    validation=ValidationStatus("different", 6, "2026-01-02T03:04:05Z"),
    retention_headroom_seconds=86_000.0,
    gap=None,
    workers=(),
)


def shown(metrics: Metrics) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in metrics.page().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_gauges_are_those_of_the_snapshot() -> None:
    metrics = Metrics()
    metrics.show(KNOWN)
    found = shown(metrics)
    assert found['tablesplit_phase{phase="forward"}'] == 1
    assert found["tablesplit_forward_lag_seconds"] == 3
    assert found["tablesplit_forward_caught_up"] == 1
    assert found["tablesplit_reverse_lag_seconds"] == 2
    assert found["tablesplit_reverse_caught_up"] == 0
    assert found["tablesplit_quarantine_keys"] == 5
    assert found["tablesplit_conflicts_open"] == 1
    assert found["tablesplit_validation_differences"] == 6
    assert found["tablesplit_retention_headroom_seconds"] == 86_000


def test_what_is_not_known_any_more_is_not_shown_as_it_was() -> None:
    metrics = Metrics()
    metrics.show(KNOWN)
    forward = LaneStatus(None, False, 0, {})
    metrics.show(replace(KNOWN, forward=forward, validation=None, retention_headroom_seconds=None))
    found = shown(metrics)
    assert isnan(found["tablesplit_forward_lag_seconds"])
    assert isnan(found["tablesplit_validation_differences"])
    assert isnan(found["tablesplit_retention_headroom_seconds"])


def test_outcomes_are_counted_by_name() -> None:
    metrics = Metrics()
    metrics.count_change("applied")
    metrics.count_change("applied")
    metrics.count_change("stale")
    assert metrics.forward_outcomes() == {"applied": 2, "stale": 1}
