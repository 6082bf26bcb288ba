"""The log: one event on each line of stderr, for people or as JSON.

Item contents are never logged. A key is logged at level warning for a rogue write, so that an operator can find it, and at level
debug for a difference that verification found.
"""

import logging
import sys

import structlog

from service.config import Settings


def configure_log(settings: Settings) -> None:
    """Set up structlog for this process by ``log_format`` and ``log_level``."""
    json = settings.log_format == "json"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger. Events are short phrases, facts are keyword arguments."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
