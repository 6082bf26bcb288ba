"""The clock, given to everything that has a deadline, so that tests decide the time; and dates as text."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Time as the service sees it."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back; only differences mean anything, and only in this process."""

    def now(self) -> float:
        """Seconds since the epoch, UTC. May jump. No write of an item depends on it; liveness, the gate, retention, and the
        verification and trimming of the ledger do."""

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        return time.monotonic()

    def now(self) -> float:
        return time.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def iso(epoch_seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(epoch_seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
