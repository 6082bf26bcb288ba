"""The report of a forecast: its verdict, and the remedy of a no-go, which depends on the bound of the copy."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import pytest

from service.app import App
from service.config import Settings
from service.core.shards import Position
from service.dynamodb.prices import load_prices
from service.dynamodb.table_description import TableDescription
from service.migration.preflight.forecast import ForecastLimits
from service.migration.preflight.forecast_run import expect
from service.migration.preflight.report import ForecastReport
from service.migration.preflight.sample import MappedSample
from service.streams.passed import StreamStart
from tests.builders.samples import mapped_sample
from tests.builders.small_crm import MAPPING

UNFOLLOWED = (
    "or keep two `tablesplit sync` running beside the whole copy, and watch tablesplit_retention_headroom_seconds"
)


def report(found: MappedSample, item_count: int, limits: ForecastLimits | None = None) -> ForecastReport:
    app = cast(App, SimpleNamespace(settings=Settings(), mapping=MAPPING))
    old = cast(TableDescription, SimpleNamespace(item_count=item_count))
    return expect(app, found, old, limits or ForecastLimits(), load_prices(None))


def test_a_copy_that_ends_in_time_is_a_go() -> None:
    forecast_report = report(mapped_sample(), 4000)
    assert (forecast_report.ok, forecast_report.retention.verdict, forecast_report.remedy) == (True, "go", "")
    assert forecast_report.to_text().splitlines()[-2:] == [
        "retention    go: the copy leaves 24.0 h at most of the 24 h that the stream keeps changes; 4.0 h are asked for",
        "forecast: go",
    ]


def test_it_counts_the_shards_whose_changes_are_replayed() -> None:
    positions = {name: Position(None) for name in ("closed", "open", "behind")}
    replayed = replace(report(mapped_sample(), 4000), start=StreamStart(positions, 2, 1))
    assert replayed.to_json()["replay"] == {"open_shards": 2, "closed_shards": 1, "replayed_shards": 1}
    said = "replay       of 2 open and 1 closed shards 1 may replay changes of before now, which the copy has too"
    assert said in replayed.to_text().splitlines()
    assert report(mapped_sample(), 4000).to_json()["replay"] is None


def test_it_says_what_a_change_takes_in_dual() -> None:
    forecast_report = report(mapped_sample(), 4000)
    assert "dual, change 5.5 write units, 3.0 read units, 1.1 to 5 requests" in forecast_report.to_text()
    assert forecast_report.to_json()["table"]["dual_change"]["write_units"] == 5.5


@pytest.mark.parametrize(
    ("items", "limits", "way"),
    [
        (60_000_000, ForecastLimits(), "spread its partition key in the mapping ({field:shard16}, docs/MAPPING.md)"),
        (60_000_000, ForecastLimits(write_units=100), "raise --max-write-units"),
        (60_000_000, ForecastLimits(read_units=10), "raise --max-read-units"),
    ],
)
def test_a_no_go_says_what_makes_the_copy_shorter(items: int, limits: ForecastLimits, way: str) -> None:
    forecast_report = report(mapped_sample(), items, limits)
    assert (forecast_report.ok, forecast_report.retention.verdict) == (False, "no-go")
    assert forecast_report.remedy == f"{way}; {UNFOLLOWED}"
    assert forecast_report.to_text().splitlines()[-1] == "forecast: NO-GO"


def test_a_copy_longer_than_the_stream_says_by_how_much() -> None:
    forecast_report = report(mapped_sample(), 60_000_000)  # 90,000,000 units at one key: 25 h
    assert forecast_report.retention_text() == (
        "NO-GO: the copy takes 1.0 h longer than the 24 h that the stream keeps changes; 4.0 h are asked for as margin"
    )


def test_a_table_whose_count_is_not_known_is_unknown() -> None:
    forecast_report = report(mapped_sample(), 3)
    assert (forecast_report.ok, forecast_report.retention.verdict) == (True, "unknown")
    assert forecast_report.to_json()["table"]["items_known"] is False
    assert "at least 4; 4 sampled, 4 of them mapped" in forecast_report.to_text()


def test_where_nothing_can_be_mapped_there_is_no_number() -> None:
    forecast_report = report(MappedSample(items=5, old_sizes=[1] * 5), 100)
    document = forecast_report.to_json()
    assert [document[name] for name in ("result", "table", "duration", "cost_usd")] == ["unknown", None, None, None]
    assert forecast_report.facts() == (("forecast", "none: of 5 sampled items none was mapped"),)
