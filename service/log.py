"""The log: one event on each line of stderr, for people or as JSON.

Item contents are never logged, and a key only at level debug. What an item brought is escaped, so that it cannot forge an event.
"""

import logging
import sys
from collections import deque
from collections.abc import Hashable
from contextlib import suppress
from typing import TextIO

import structlog

from service.config import Settings
from service.errors import as_ours
from service.escape import escaped
from service.telemetry.tracing import trace_ids


def configure_log(settings: Settings) -> None:
    """Set up structlog for this process by ``log_format`` and ``log_level``; what libraries log goes there too."""
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
    logging.lastResort = _Libraries(logging.WARNING)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger. Events are short phrases, facts are keyword arguments."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def get_logger_at_any_level() -> structlog.typing.FilteringBoundLogger:
    """The logger for what must leave this process whatever ``log_level`` is."""
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
    )
    return logger


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


LOGGED_AGAIN_SECONDS = 60.0
"""How long a line is not repeated that clients or items can cause as often as they like."""
REMEMBERED_LINES = 100


class RepeatLimit:
    """Lets a line through once in LOGGED_AGAIN_SECONDS."""

    def __init__(self) -> None:
        self._logged: dict[Hashable, float] = {}

    def passes(self, line: Hashable, now: float) -> bool:
        """Whether ``line`` was not let through a moment ago. ``now``: in seconds, of any one clock."""
        if now - self._logged.get(line, -LOGGED_AGAIN_SECONDS) < LOGGED_AGAIN_SECONDS:
            return False
        if len(self._logged) >= REMEMBERED_LINES:
            self._logged.clear()
        self._logged[line] = now
        return True

    def __len__(self) -> int:
        """How many lines are remembered."""
        return len(self._logged)


class _Libraries(logging.Handler):
    """What asyncio, uvicorn and the AWS SDK log by Python's own logging: an event like ours, an exception in one line."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._repeats = RepeatLimit()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is an error, or was not logged a moment ago. (The time is that of the record: no clock is read.)"""
        line = f"{record.name} {record.getMessage()}"
        return record.levelno >= logging.ERROR or self._repeats.passes(line, record.created)

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"library": record.name}
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            facts["reason"] = as_ours(record.exc_info[1]).message
        get_logger().log(record.levelno, record.getMessage(), **facts)
