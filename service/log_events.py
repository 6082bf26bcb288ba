"""Log events as lines on stderr: how structlog, which ``service.log`` imports for the first event, makes them.

What an item brought is escaped, so that it cannot forge an event.
"""

import logging
import sys
from collections import deque
from contextlib import suppress
from typing import TextIO

import structlog

from service.config import Settings
from service.escape import escaped
from service.telemetry.tracing import trace_ids


def set_up_structlog(settings: Settings) -> None:
    """Set up structlog for this process by ``log_format`` and ``log_level``."""
    json = settings.log_format == "json"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _escape,
            _remember,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_NeverFails(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,
    )


def _add_trace(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Which trace a line belongs to, where there is one."""
    return {**event, **trace_ids()}


def _escape(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts only: everything else is shown by ``repr`` or as JSON, which escape by themselves."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


REMEMBERED_EVENTS = 200
_newest: deque[dict[str, str]] = deque(maxlen=REMEMBERED_EVENTS)


def newest_events() -> list[dict[str, str]]:
    """The newest events of this process, the oldest of them first; what is not text is shown as such."""
    return list(_newest)


def _remember(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    _newest.append({name: value if isinstance(value, str) else str(value) for name, value in event.items()})
    return event


class _NeverFails:
    """Stderr, for log lines: a full disk or a closed pipe loses the line and stops no lane."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
