"""OpenTelemetry: spans of pages, windows and moves, their trace in the log, and the metrics of the page, at a real collector."""

import asyncio
import json
import math
from collections.abc import AsyncIterator

import pytest

from service.clock import SystemClock
from service.config import Settings
from service.errors import Fatal, Misconfigured
from service.log import configure_log, get_logger
from service.telemetry import tracing
from service.telemetry.export import otlp_interval_seconds, otlp_signals, telemetry
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import span
from tests.fakes.clocks import VirtualClock
from tests.fakes.otlp_collector import OtlpCollector, attributes, otlp_collector
from tests.worlds.backfill_world import World
from tests.worlds.move_world import MoveWorld
from tests.worlds.stream_run import running, stream_with

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[OtlpCollector]:
    async with otlp_collector() as running:
        monkeypatch.setenv(ENDPOINT, running.url)
        yield running


async def test_a_backfill_has_a_span_for_each_window_and_page(collector: OtlpCollector) -> None:
    world = World()
    world.fill(8)
    async with telemetry(Metrics(), SystemClock(), "old"):
        await world.run()
    windows = {window.span_id: window for window in collector.named("backfill window")}
    pages, copies = collector.named("backfill page"), collector.named("backfill copy")
    assert len(pages) >= len(windows) == len(copies) > 0
    assert {page.parent_span_id for page in pages} == windows.keys()
    assert sum(attributes(copy)["items"] for copy in copies) == 8
    assert {"segment"} == {name for page in pages for name in attributes(page)}
    assert collector.resources[0]["service.name"] == "tablesplit"
    assert collector.resources[0]["tablesplit.migration"] == "old"


async def test_sync_has_a_span_for_each_window_of_changes(collector: OtlpCollector) -> None:
    async with telemetry(Metrics(), SystemClock(), "old"), running(stream_with("a", "b", "c")) as run:
        await run.rounds()
    windows = [attributes(window) for window in collector.named("sync window")]
    assert sum(window["changes"] for window in windows) == 3
    assert {name for window in windows for name in window} == {"table", "shard", "changes"}


async def test_a_move_has_a_span_and_one_for_each_step(collector: OtlpCollector) -> None:
    world = MoveWorld()
    async with telemetry(Metrics(), SystemClock(), "old"), world.running():
        moved = await world.move("cutover")
    (move,) = collector.named("phase move")
    steps = collector.named("phase step")
    assert attributes(move) == {"command": "cutover"}
    assert [attributes(step)["step"] for step in steps] == list(moved.seconds)
    assert {step.parent_span_id for step in steps} == {move.span_id}


def fail_inside() -> None:
    with span("work", segment=1):
        get_logger().info("inside")
        raise Fatal("secret of an item")


async def test_a_line_of_the_log_names_the_trace_that_it_belongs_to(
    collector: OtlpCollector, capsys: pytest.CaptureFixture[str]
) -> None:
    async with telemetry(Metrics(), SystemClock(), "old"):
        configure_log(Settings(log_format="json"))
        get_logger().info("outside")
        with pytest.raises(Fatal):
            fail_inside()
    outside, inside = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    (work,) = collector.named("work")
    assert (inside["trace_id"], inside["span_id"]) == (work.trace_id.hex(), work.span_id.hex())
    assert not {"trace_id", "span_id"} & outside.keys()
    assert work.status.code == 2
    assert not work.events


async def test_the_metrics_are_those_of_the_page(collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics(("old",), migration="old")
    metrics.set_build("1.2", "hash")
    async with telemetry(metrics, SystemClock(), "old"):
        metrics.count_write("forward", "stale")
        metrics.count_write("forward", "stale")
        metrics.set_read_lag("forward", 1.5)
        metrics.observe_apply_lag("forward", 0.3)
        metrics.observe_apply_lag("forward", 1e9)
    writes = collector.metrics["tablesplit_writes"].sum
    assert (writes.is_monotonic, writes.aggregation_temporality) == (True, 2)
    (stale,) = [point for point in writes.data_points if attributes(point)["outcome"] == "stale" and point.as_double]
    assert (stale.as_double, attributes(stale)["direction"], attributes(stale)["migration"]) == (2, "forward", "old")
    (lag,) = collector.metrics["tablesplit_read_lag_seconds"].gauge.data_points  # of reverse it is not known
    assert (lag.as_double, collector.metrics["tablesplit_read_lag_seconds"].unit) == (1.5, "s")
    applied = collector.metrics["tablesplit_apply_lag_seconds"].histogram
    (forward,) = [point for point in applied.data_points if attributes(point)["direction"] == "forward"]
    assert (forward.count, forward.sum, sum(forward.bucket_counts)) == (2, 1e9 + 0.3, 2)
    assert len(forward.bucket_counts) == len(forward.explicit_bounds) + 1
    assert forward.bucket_counts[-1] == 1
    below = [bound for bound, count in zip(forward.explicit_bounds, forward.bucket_counts, strict=False) if count]
    assert 0.3 <= below[0] < math.inf
    assert not forward.HasField("min")
    build = collector.metrics["tablesplit_build"].gauge.data_points[0]
    assert attributes(build)["version"] == "1.2"


async def test_metrics_are_sent_every_interval(collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "5000")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    metrics, clock = Metrics(), VirtualClock()
    async with telemetry(metrics, clock, "old"):
        metrics.set_ready(True)
        for _ in range(2):
            await asyncio.wait_for(next_request(collector, clock), 60)
        assert tracing.trace_ids() == {}
    assert collector.requests.get_nowait() == "/v1/metrics"


async def next_request(collector: OtlpCollector, clock: VirtualClock) -> None:
    """Let time pass until one has come: the thread that sends it takes its own."""
    while collector.requests.empty():
        await clock.advance(1)
    assert collector.requests.get_nowait() == "/v1/metrics"


async def test_a_collector_that_refuses_stops_nothing(collector: OtlpCollector) -> None:
    collector.status = 400
    world = World()
    world.fill(4)
    async with telemetry(Metrics(), SystemClock(), "old"):
        assert (await world.run()).ok


async def test_a_process_that_ends_does_not_try_again_and_again(
    collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector that is not there is tried again for OTEL_EXPORTER_OTLP_TIMEOUT, here an hour."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    monkeypatch.setattr("service.telemetry.export.LAST_SECONDS", 0.01)
    collector.status = 503
    async with asyncio.timeout(600), telemetry(Metrics(), SystemClock(), "old"):
        with span("work"):
            pass


async def test_it_is_off_without_an_endpoint_and_imports_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.telemetry.export._resource", None)
    async with telemetry(Metrics(), SystemClock(), "old"):
        assert span("a") is span("b", segment=1)


async def test_without_the_extra_it_says_what_to_install(
    collector: OtlpCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.telemetry.export.find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=f"{ENDPOINT} is set, and OpenTelemetry is not installed") as refused:
        async with telemetry(Metrics(), SystemClock(), "old"):
            pass
    assert "tablesplit[otel]" in refused.value.remedy


BOTH = {"traces", "metrics"}


@pytest.mark.parametrize(
    ("environ", "signals"),
    [
        ({}, set()),
        ({ENDPOINT: "http://c"}, BOTH),
        ({ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "True"}, set()),
        ({ENDPOINT: "http://c", "OTEL_METRICS_EXPORTER": "none"}, {"traces"}),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c"}, {"metrics"}),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, set()),
        ({ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, BOTH),
    ],
)
def test_opentelemetry_s_own_variables_say_what_is_sent(environ: dict[str, str], signals: set[str]) -> None:
    assert otlp_signals(environ) == signals


def test_variables_that_cannot_be_followed_are_refused() -> None:
    with pytest.raises(Misconfigured, match="OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is spoken here"):
        otlp_signals({ENDPOINT: "http://c", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    for text in ("0", "-1", "1.5", "x"):
        with pytest.raises(Misconfigured, match="must be a number of milliseconds"):
            otlp_interval_seconds({"OTEL_METRIC_EXPORT_INTERVAL": text})
    assert otlp_interval_seconds({}) == 60
    assert otlp_interval_seconds({"OTEL_METRIC_EXPORT_INTERVAL": "5000"}) == 5
