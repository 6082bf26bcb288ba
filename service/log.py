"""The log: one event on each line of stderr, for people or as JSON.

Item contents are never logged, and a key only at level debug. What an item brought is escaped, so that it cannot forge an event.
"""

import logging
import sys
from contextlib import suppress
from typing import TextIO

import structlog

from service.config import Settings
from service.errors import as_ours
from service.escape import escaped


def configure_log(settings: Settings) -> None:
    """Set up structlog for this process by ``log_format`` and ``log_level``; what libraries log goes there too."""
    json = settings.log_format == "json"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _escape,
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


def _escape(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Texts only: everything else is shown by ``repr`` or as JSON, which escape by themselves."""
    return {name: escaped(value) if isinstance(value, str) else value for name, value in event.items()}


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


SAID_AGAIN_SECONDS = 60.0
"""How long one and the same line of a library that is no error is not repeated: any client can cause as many as it likes."""
REMEMBERED_LINES = 100


class _Libraries(logging.Handler):
    """What asyncio, uvicorn and the AWS SDK log by Python's own logging: an event like ours, an exception in one line."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is no error and was said a moment ago. (The time is that of the record: no clock is read.)"""
        line = f"{record.name} {record.getMessage()}"
        if record.levelno >= logging.ERROR:
            return True
        if record.created - self._said.get(line, -SAID_AGAIN_SECONDS) < SAID_AGAIN_SECONDS:
            return False
        if len(self._said) >= REMEMBERED_LINES:
            self._said.clear()
        self._said[line] = record.created
        return True

    def emit(self, record: logging.LogRecord) -> None:
        facts = {"library": record.name}
        if record.exc_info and isinstance(record.exc_info[1], Exception):
            facts["reason"] = as_ours(record.exc_info[1]).message
        get_logger().log(record.levelno, record.getMessage(), **facts)
