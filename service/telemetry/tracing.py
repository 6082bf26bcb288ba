"""Spans of the work: pages and windows of a backfill, windows of a stream, phase moves and their steps.

Off, which is the default, a span costs one comparison; ``export`` turns it on. A span names no item and no key.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Spans(Protocol):
    """What makes the spans of this process."""

    def span(self, name: str, attributes: dict[str, Any]) -> AbstractContextManager[object]:
        """A span as long as the block, a child of the one around it. An error that leaves the block is its status."""

    def ids(self) -> dict[str, str]:
        """``trace_id`` and ``span_id`` of the span that is open here, in hex; nothing where none is."""


_NOTHING = nullcontext()
_spans: Spans | None = None


def turn_tracing(spans: Spans | None) -> None:
    """Make spans by ``spans`` in this process from now on; None: make none."""
    global _spans
    _spans = spans


def span(name: str, **attributes: Any) -> AbstractContextManager[object]:
    """A span for the block."""
    return _NOTHING if _spans is None else _spans.span(name, attributes)


def trace_ids() -> dict[str, str]:
    """What the log shows of the open span."""
    return {} if _spans is None else _spans.ids()
