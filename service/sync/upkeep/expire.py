"""Deletes conflicts that were resolved long ago: their images are whole items, and nobody needs them any more.

One worker does it, beside its forward lane. Quarantine needs no such thing: its images go when a key leaves it.
"""

from collections.abc import Callable
from typing import NoReturn, Protocol

from service.clock import Clock
from service.control.conflicts import Conflicts
from service.errors import Fatal, Retryable
from service.log import get_logger

LOOK_SECONDS = 3600.0


class KeepTimes(Protocol):
    """The setting that the deletion depends on."""

    @property
    def keep_resolved_seconds(self) -> float: ...


class Expirer:
    """Looks for them every ``LOOK_SECONDS``, for the first time at the start."""

    def __init__(self, conflicts: Conflicts, clock: Clock, times: KeepTimes, postponed: Callable[[str], None]) -> None:
        """``postponed``: called with the reason when it could not look now."""
        self._conflicts = conflicts
        self._clock = clock
        self._times = times
        self._postponed = postponed

    async def run(self) -> NoReturn:
        """Look until cancelled. A damaged conflict is logged, and stops no lane: status and gate say so too."""
        while True:
            try:
                await self.expire()
            except Retryable as failure:
                self._postponed(failure.reason)
            except Fatal as damage:
                get_logger().error("old conflicts are not deleted", **damage.to_log())
            await self._clock.sleep(LOOK_SECONDS)

    async def expire(self) -> int:
        """Delete what is old enough. Returns how many conflicts."""
        expired = await self._conflicts.expire(self._clock.now() - self._times.keep_resolved_seconds)
        if expired:
            get_logger().info("conflicts that were resolved long ago are deleted", conflicts=expired)
        return expired
