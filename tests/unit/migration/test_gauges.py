"""The metrics page shows the status, no value that is not known, and only the declared series."""

import subprocess
from dataclasses import replace
from math import isnan

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from service.core.phases.facts import BackfillFacts, LaneFacts
from service.migration.status.gauges import MigrationGauges
from service.telemetry.metrics import Metrics
from tests.builders.statuses import CLOSED, KNOWN, known
from tests.fakes.servers import required

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
GAUGES: list[tuple[str, float]] = [
    ("tablesplit_status_readable", 1),
    ('tablesplit_phase{phase="forward"}', 1),
    ('tablesplit_phase{phase="dual"}', 0),
    ("tablesplit_move_under_way", 1),
    ("tablesplit_hold", 1),
    ("tablesplit_gap", 1),
    ("tablesplit_gate_open", 0),
    ('tablesplit_gate_condition_met{condition="lag"}', 1),
    ('tablesplit_gate_condition_met{condition="quiet"}', 0),
    ('tablesplit_backfill_state{state="running"}', 1),
    ('tablesplit_backfill_state{state="not started"}', 0),
    ("tablesplit_backfill_progress_items", 7),
    ('tablesplit_backfill_segments{state="done"}', 2),
    ('tablesplit_backfill_segments{state="open"}', 3),
    ("tablesplit_backfill_rate_items_per_second", 3.5),
    ("tablesplit_backfill_eta_seconds", 60),
    ("tablesplit_backfill_cost_dollars", 12.5),
    ('tablesplit_lag_seconds{direction="forward"}', 3),
    ('tablesplit_lag_seconds{direction="reverse"}', 2),
    ('tablesplit_caught_up{direction="forward"}', 1),
    ('tablesplit_caught_up{direction="reverse"}', 0),
    ('tablesplit_catch_up_seconds{direction="forward"}', 9),
    ('tablesplit_shards{direction="forward",state="reading"}', 3),
    ('tablesplit_shards{direction="forward",state="waiting"}', 1),
    ('tablesplit_shards{direction="forward",state="finished"}', 6),
    ('tablesplit_lane_stopped{direction="forward"}', 0),
    ('tablesplit_lane_stopped{direction="reverse"}', 1),
    ('tablesplit_workers{direction="forward",role="owner"}', 1),
    ('tablesplit_workers{direction="reverse",role="owner"}', 0),
    ('tablesplit_workers{direction="reverse",role="stopped"}', 1),
    ("tablesplit_retention_headroom_seconds", 86_000),
    ("tablesplit_quarantine_keys", 5),
    ("tablesplit_conflicts_open", 1),
    ('tablesplit_rogue_writes{side="v2"}', 8),
    ('tablesplit_rogue_writes{side="old"}', 0),
    ("tablesplit_validation_differences", 6),
    ("tablesplit_validation_equal", 0),
    ("tablesplit_validation_age_seconds", 120),
    ("tablesplit_verification_differences", 3),
    ("tablesplit_verification_pending", 2),
]
UNKNOWN = replace(
    known(forward=LaneFacts(), backfill=BackfillFacts(), validation=None, verification=None),
    retention_headroom_seconds=None,
    gate=None,
)
NOT_KNOWN = [
    'tablesplit_lag_seconds{direction="forward"}',
    'tablesplit_catch_up_seconds{direction="forward"}',
    'tablesplit_shards{direction="forward",state="reading"}',
    "tablesplit_backfill_eta_seconds",
    "tablesplit_validation_differences",
    "tablesplit_validation_equal",
    "tablesplit_validation_age_seconds",
    "tablesplit_verification_differences",
    "tablesplit_verification_pending",
    "tablesplit_retention_headroom_seconds",
    "tablesplit_gate_open",
]


def shown(metrics: Metrics) -> dict[str, float]:
    """The page's samples by name and labels."""
    page, _ = metrics.page()
    lines = [line.rsplit(" ", 1) for line in page.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


@pytest.mark.parametrize(("name", "value"), GAUGES)
def test_a_gauge_is_that_of_the_snapshot(name: str, value: float) -> None:
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    assert shown(metrics)[name] == value


def test_every_gauge_of_the_migration_is_among_those_checked() -> None:
    metrics = Metrics()
    before = shown(metrics)
    metrics.show(MigrationGauges(KNOWN))
    assert {name.split("{")[0] for name in shown(metrics).keys() - before.keys()} == {
        name.split("{")[0] for name, _ in GAUGES
    }


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_what_is_not_known_any_more_is_not_shown_as_it_was(name: str) -> None:
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    metrics.show(MigrationGauges(UNKNOWN))
    assert isnan(shown(metrics)[name])


def test_a_condition_that_is_not_asked_for_any_more_is_gone() -> None:
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    metrics.show(MigrationGauges(replace(KNOWN, gate=replace(CLOSED, conditions=CLOSED.conditions[:1]))))
    conditions = {name for name in shown(metrics) if name.startswith("tablesplit_gate_condition_met")}
    assert conditions == {'tablesplit_gate_condition_met{condition="lag"}'}


def test_without_a_snapshot_every_gauge_of_the_migration_is_unknown() -> None:
    metrics = Metrics()
    before = shown(metrics)
    metrics.show(MigrationGauges(KNOWN))
    known = shown(metrics)
    metrics.show(MigrationGauges(None))
    found = {name: value for name, value in shown(metrics).items() if name not in before}
    assert found.pop("tablesplit_status_readable") == 0
    assert all(isnan(value) for value in found.values())
    asked = {name for name in known if name.startswith("tablesplit_gate_condition_met")}
    assert found.keys() == known.keys() - before.keys() - asked - {"tablesplit_status_readable"}


def test_a_process_that_shows_no_snapshot_has_no_gauge_of_the_migration() -> None:
    assert not [name for name in shown(Metrics()) if name.startswith(("tablesplit_phase", "tablesplit_status"))]


def test_outcomes_are_counted_by_direction_and_name() -> None:
    metrics = Metrics()
    metrics.count_write("forward", "applied")
    metrics.count_write("forward", "applied")
    metrics.count_write("forward", "stale")
    metrics.count_write("reverse", "carried_back")
    assert metrics.outcomes("forward") == {"applied": 2, "stale": 1}
    assert metrics.outcomes("reverse") == {"carried_back": 1}


def test_a_label_value_that_nobody_knows_counts_as_other() -> None:
    metrics = Metrics(("leads",))
    series = shown(metrics).keys()
    metrics.count_retry("a new reason")
    metrics.count_units("a table of somebody else", "read", 2.5)
    metrics.count_request("NewOperation", "ok", 0.01)
    found = shown(metrics)
    assert found.keys() == series
    assert found['tablesplit_retries_total{reason="other"}'] == 1
    assert found['tablesplit_consumed_capacity_units_total{kind="read",table="other"}'] == 2.5
    assert found['tablesplit_requests_total{operation="other",result="ok"}'] == 1


def test_openmetrics_comes_to_who_accepts_it() -> None:
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    page, content_type = metrics.page(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    units = {family.name: family.unit for family in parsed_openmetrics(page.decode())}
    assert units["tablesplit_apply_lag_seconds"] == "seconds"
    assert page.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", ["", "*/*", "text/html"])
def test_the_text_format_comes_to_everybody_else(accept: str) -> None:
    metrics = Metrics()
    metrics.show(MigrationGauges(KNOWN))
    page, content_type = metrics.page(accept)
    assert content_type.startswith("text/plain")
    assert any(family.name == "tablesplit_phase" for family in parsed_text(page.decode()))


def test_promtool_finds_nothing_to_improve() -> None:
    metrics = Metrics(("leads",))
    metrics.show(MigrationGauges(KNOWN))
    page, _ = metrics.page()
    done = subprocess.run([required("promtool", "prometheus"), "check", "metrics"], input=page, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
