"""A collector of OTLP over HTTP that keeps what it is sent (https://opentelemetry.io/docs/specs/otlp/#otlphttp)."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class OtlpCollector:
    """``spans``: all, as protobuf messages. ``metrics``: the newest of each name. ``resources``: the attributes of each request."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.spans: list[Any] = []
        self.metrics: dict[str, Any] = {}
        self.resources: list[dict[str, str]] = []
        self.requests: asyncio.Queue[str] = asyncio.Queue()
        """The path of each, as it comes in."""

    def named(self, name: str) -> list[Any]:
        """The spans of this name."""
        return [span for span in self.spans if span.name == name]

    async def traces(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest.FromString(await _body(request))
        for part in sent.resource_spans:
            self.resources.append(attributes(part.resource))
            self.spans += [span for scope in part.scope_spans for span in scope.spans]
        return self._answer(request, ExportTraceServiceResponse())

    async def points(self, request: web.Request) -> web.Response:
        sent = ExportMetricsServiceRequest.FromString(await _body(request))
        for part in sent.resource_metrics:
            self.resources.append(attributes(part.resource))
            self.metrics |= {metric.name: metric for scope in part.scope_metrics for metric in scope.metrics}
        return self._answer(request, ExportMetricsServiceResponse())

    def _answer(self, request: web.Request, message: Any) -> web.Response:
        self.requests.put_nowait(request.path)
        content = message.SerializeToString()
        return web.Response(status=self.status, body=content, content_type="application/x-protobuf")


@asynccontextmanager
async def otlp_collector() -> AsyncIterator[OtlpCollector]:
    """One at a free port, for the block."""
    collector = OtlpCollector()
    app = web.Application()
    app.add_routes([web.post("/v1/traces", collector.traces), web.post("/v1/metrics", collector.points)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        collector.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield collector
    finally:
        await runner.cleanup()


def attributes(described: Any) -> dict[str, Any]:
    """The attributes of a resource, span or point."""
    values = {pair.key: pair.value for pair in described.attributes}
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


async def _body(request: web.Request) -> bytes:
    content = await request.read()  # aiohttp has taken a Content-Encoding off already
    return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
