"""The log: one event on each line of stderr, for people or as JSON.

Item contents are never logged, and a key only at level debug. structlog is imported for the first event: it looks for rich, and the
two take longer to import than a command that logs nothing takes for all else.
"""

import logging
import sys
from collections.abc import Hashable
from typing import TYPE_CHECKING

from service.config import Settings
from service.errors import as_ours

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

_wanted: Settings | None = None
"""By which structlog is yet to be set up."""


def configure_log(settings: Settings) -> None:
    """The log of this process is by ``log_format`` and ``log_level`` from now on; what libraries log goes there too."""
    global _wanted
    _wanted = settings
    if "structlog" in sys.modules:
        _set_up()
    logging.lastResort = _Libraries(logging.WARNING)


def get_logger() -> "FilteringBoundLogger":
    """The logger. Events are short phrases, facts are keyword arguments."""
    import structlog

    _set_up()
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def get_logger_at_any_level() -> "FilteringBoundLogger":
    """The logger for what must leave this process whatever ``log_level`` is."""
    import structlog

    _set_up()
    logger: FilteringBoundLogger = structlog.wrap_logger(
        None, wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET)
    )
    return logger


def _set_up() -> None:
    """Set structlog up, once for each ``configure_log``."""
    global _wanted
    wanted = _wanted
    if wanted is None:
        return
    from service.log_events import set_up_structlog

    set_up_structlog(wanted)
    _wanted = None  # last: threads log too, and none may log before it is set up


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
