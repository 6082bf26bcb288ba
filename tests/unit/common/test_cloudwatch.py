"""What CloudWatch is told: a line each minute in the embedded metric format, of known gauges only, that nobody has to wait for."""

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from io import StringIO
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from service.cli.sync import told_to_cloudwatch
from service.config import Settings
from service.core.phases.facts import LaneFacts
from service.migration.status.gauges import GAUGES, READABLE, MigrationGauges
from service.migration.status.status import Status
from service.telemetry.cloudwatch import (
    LONGEST_LINE,
    TOLD,
    embedded_line,
    tell_cloudwatch,
    told_gauges,
    write_to_stdout,
)
from service.telemetry.metrics import Metrics
from tests.builders.statuses import KNOWN, SECOND_OF_JANUARY, known
from tests.fakes.clocks import VirtualClock

EVERY = {
    "tablesplit_status_readable": 1,
    "tablesplit_gap": 1,
    "tablesplit_lag_seconds_forward": 3,
    "tablesplit_lag_seconds_reverse": 2,
    "tablesplit_lane_stopped_forward": 0,
    "tablesplit_lane_stopped_reverse": 1,
    "tablesplit_retention_headroom_seconds": 86_000,
    "tablesplit_quarantine_keys": 5,
    "tablesplit_conflicts_open": 1,
}


def showing(status: Status | None) -> Metrics:
    metrics = Metrics()
    metrics.show(MigrationGauges(status))
    return metrics


def told(status: Status | None) -> dict[str, float]:
    return dict(told_gauges(showing(status).registry))


def document(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found: dict[str, Any] = json.loads(line)
    return found


def test_the_gauges_are_those_that_prometheus_is_shown() -> None:
    assert told(KNOWN) == EVERY
    assert set(TOLD) <= {READABLE, *(gauge.name for gauge in GAUGES)}


def test_what_is_not_known_is_left_out_for_json_has_no_nan() -> None:
    unknown = replace(known(forward=LaneFacts()), retention_headroom_seconds=None)
    assert EVERY.keys() - told(unknown).keys() == {
        "tablesplit_lag_seconds_forward",
        "tablesplit_retention_headroom_seconds",
    }


def test_a_state_that_cannot_be_read_is_told_and_nothing_else() -> None:
    assert told(None) == {"tablesplit_status_readable": 0}


def test_a_line_has_what_the_format_wants() -> None:
    found = document(embedded_line(EVERY, SECOND_OF_JANUARY, "tablesplit", "control"))
    about = found.pop("_aws")
    assert about["Timestamp"] == SECOND_OF_JANUARY * 1000
    (directive,) = about["CloudWatchMetrics"]
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == "tablesplit"
    assert directive["Dimensions"] == [["control_table"]]
    assert found == {"control_table": "control", **EVERY}
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units.keys() == EVERY.keys()
    assert {name for name, unit in units.items() if unit == "Seconds"} == {
        "tablesplit_lag_seconds_forward",
        "tablesplit_lag_seconds_reverse",
        "tablesplit_retention_headroom_seconds",
    }


def test_the_longest_line_goes_into_a_pipe_at_once() -> None:
    longest = dict.fromkeys(EVERY, 1.7976931348623157e308)
    assert len(embedded_line(longest, SECOND_OF_JANUARY, "n" * 255, "t" * 255)) <= LONGEST_LINE


async def test_there_is_a_line_each_minute_once_something_is_known() -> None:
    clock, metrics, lines = VirtualClock(), Metrics(), list[bytes]()
    telling = asyncio.create_task(tell_cloudwatch(metrics.registry, clock, "tablesplit", "control", lines.append))
    await clock.advance(61)
    assert lines == []
    metrics.show(MigrationGauges(KNOWN))
    await clock.advance(60)
    metrics.show(MigrationGauges(None))
    await clock.advance(60)
    telling.cancel()
    first, second = (document(line) for line in lines)
    assert (first["tablesplit_gap"], first["tablesplit_status_readable"]) == (1, 1)
    assert ("tablesplit_gap" in second, second["tablesplit_status_readable"]) == (False, 0)
    assert second["_aws"]["Timestamp"] - first["_aws"]["Timestamp"] == 60_000


@contextmanager
def pipe_as_stdout() -> Iterator[int]:
    """Yields the end that is read."""
    read, write = os.pipe()
    with os.fdopen(write, "w") as stdout, redirect_stdout(stdout):
        yield read
    os.close(read)


def test_a_line_is_written_as_it_is() -> None:
    with pipe_as_stdout() as pipe:
        write_to_stdout(b"a line\n")
        assert os.read(pipe, LONGEST_LINE) == b"a line\n"


def test_a_pipe_that_nobody_reads_blocks_nobody_and_later_lines_are_whole() -> None:
    line = b"x" * (LONGEST_LINE - 1) + b"\n"
    with pipe_as_stdout() as pipe:
        writing = Thread(target=lambda: [write_to_stdout(line) for _ in range(1000)], daemon=True)
        writing.start()
        writing.join(60)
        assert not writing.is_alive(), "it waits for a reader"
        held = os.read(pipe, 1000 * len(line))
        assert len(held) < 1000 * len(line)
        assert held == line * (len(held) // len(line))
        write_to_stdout(b"a later line\n")
        assert os.read(pipe, LONGEST_LINE) == b"a later line\n"


def test_a_closed_or_captured_stdout_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for stdout in (StringIO(), closed()):
        monkeypatch.setattr("sys.stdout", stdout)
        write_to_stdout(b"a line\n")


def closed() -> StringIO:
    stdout = StringIO()
    stdout.close()
    return stdout


@pytest.mark.parametrize(("namespace", "lines"), [("tablesplit", 1), (None, 0)])
async def test_sync_tells_it_where_the_settings_name_a_namespace(namespace: str | None, lines: int) -> None:
    clock = VirtualClock()
    app = SimpleNamespace(settings=Settings(cloudwatch_namespace=namespace), metrics=showing(KNOWN), clock=clock)
    with pipe_as_stdout() as pipe:
        os.set_blocking(pipe, False)
        async with told_to_cloudwatch(app):
            await clock.advance(61)
        await clock.advance(600)
        written = os.read(pipe, LONGEST_LINE) if lines else b""
        assert written.count(b"\n") == lines
        with pytest.raises(BlockingIOError):
            os.read(pipe, 1)
