"""Spans by OpenTelemetry's SDK. Its processor sends them in batches from a thread of its own."""

from contextlib import AbstractContextManager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class OtlpSpans:
    """Implements ``tracing.Spans``."""

    def __init__(self, resource: Resource) -> None:
        self._exporter = OTLPSpanExporter()
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("tablesplit")

    def span(self, name: str, attributes: dict[str, Any]) -> AbstractContextManager[object]:
        """Without the error's traceback, which could show an item: its message is in the log."""
        return self._tracer.start_as_current_span(name, attributes=attributes, record_exception=False)

    def ids(self) -> dict[str, str]:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": trace.format_trace_id(context.trace_id), "span_id": trace.format_span_id(context.span_id)}

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()

    def give_up(self) -> None:
        """Try nothing again that has not been taken: ``close`` ends."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call] # the SDK's
