"""OpenTelemetry, the extra ``otel``: spans and the process's metrics, sent to a collector by OTLP over HTTP.

OpenTelemetry's own variables turn it on and say everything else: endpoint, headers, certificates, sampler, intervals
(https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/). Its packages are imported only then.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from service.clock import Clock
from service.errors import Misconfigured
from service.tasks import task_group
from service.telemetry.metrics import Metrics
from service.telemetry.tracing import turn_tracing

OTLP_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
INTERVAL_VARIABLE = "OTEL_METRIC_EXPORT_INTERVAL"
PROTOCOL = "http/protobuf"
LAST_SECONDS = 2.0
"""How long a process that ends tries again to send what is left."""


@asynccontextmanager
async def telemetry(metrics: Metrics, clock: Clock, migration: str) -> AsyncIterator[None]:
    """Spans and metrics go to the collector that the environment names, for the block; nothing where it names none.

    ``migration``: the old table's name, an attribute of everything. A collector that does not answer holds nothing up: what it
    does not take is dropped, with a line in the log. Raises Misconfigured where the extra is not installed.
    """
    signals = otlp_signals(os.environ)
    if not signals:
        yield
        return
    if find_spec("opentelemetry") is None or find_spec("opentelemetry.exporter") is None:
        raise Misconfigured(
            f"{OTLP_VARIABLE} is set, and OpenTelemetry is not installed",
            remedy="install tablesplit[otel], or unset the variable",
        )
    resource = await asyncio.to_thread(_resource, migration)
    async with _traced(resource, on="traces" in signals), _measured(resource, metrics, clock, on="metrics" in signals):
        yield


def _resource(migration: str) -> Any:
    from opentelemetry.sdk.resources import Resource

    name = os.environ.get("OTEL_SERVICE_NAME", "tablesplit")
    about = {"service.name": name, "service.version": version("tablesplit"), "tablesplit.migration": migration}
    return Resource.create(about)


async def _at_last(send: Callable[[], None], give_up: Callable[[], None]) -> None:
    """Send what is left. After LAST_SECONDS nothing is tried again: a process that ends does not wait for a collector."""
    sending = asyncio.create_task(asyncio.to_thread(send))
    done, _ = await asyncio.wait({sending}, timeout=LAST_SECONDS)
    if not done:
        await asyncio.to_thread(give_up)
    await sending


@asynccontextmanager
async def _traced(resource: Any, *, on: bool) -> AsyncIterator[None]:
    if not on:
        yield
        return
    from service.telemetry.spans import OtlpSpans

    spans = OtlpSpans(resource)
    turn_tracing(spans)
    try:
        yield
    finally:
        turn_tracing(None)
        await _at_last(spans.close, spans.give_up)


@asynccontextmanager
async def _measured(resource: Any, metrics: Metrics, clock: Clock, *, on: bool) -> AsyncIterator[None]:
    """The metrics that the page shows, every OTEL_METRIC_EXPORT_INTERVAL, and once more at the end."""
    if not on:
        yield
        return
    from service.telemetry.points import OtlpMetrics

    collector = OtlpMetrics(resource, metrics, clock.now())
    every = otlp_interval_seconds(os.environ)

    async def keep_sending() -> None:
        while True:
            await clock.sleep(every)
            await asyncio.to_thread(collector.send, collector.read(clock.now()))

    async with task_group() as tasks:
        sending = tasks.create_task(keep_sending())
        try:
            yield
        finally:
            sending.cancel()
            await _at_last(partial(collector.send, collector.read(clock.now())), collector.give_up)


def otlp_signals(environ: Mapping[str, str]) -> frozenset[str]:
    """Which of ``traces`` and ``metrics`` go to a collector: those that have an endpoint and are not switched off
    (https://opentelemetry.io/docs/specs/otel/protocol/exporter/). Raises Misconfigured for a protocol that is not ours."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return frozenset()
    return frozenset(signal for signal in ("traces", "metrics") if _is_sent(environ, signal.upper()))


def _is_sent(environ: Mapping[str, str], signal: str) -> bool:
    own = f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT"
    if environ.get(f"OTEL_{signal}_EXPORTER", "otlp") != "otlp" or not (environ.get(own) or environ.get(OTLP_VARIABLE)):
        return False
    for name in (f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if environ.get(name) not in (None, "", PROTOCOL):
            raise Misconfigured(
                f"{name}={environ[name]}: only {PROTOCOL} is spoken here", remedy=f"set it to {PROTOCOL}"
            )
    return True


def otlp_interval_seconds(environ: Mapping[str, str]) -> float:
    """How often metrics are sent, by OTEL_METRIC_EXPORT_INTERVAL (milliseconds). Raises Misconfigured for what is no number."""
    text = environ.get(INTERVAL_VARIABLE) or "60000"
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Misconfigured(f"{INTERVAL_VARIABLE}={text}: must be a number of milliseconds", remedy="correct it")
    return int(text) / 1000
