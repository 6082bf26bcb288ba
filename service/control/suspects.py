"""The keys that are known to be in quarantine, so that the others need not be looked up one by one."""

from collections.abc import Callable

from service.clock import Clock
from service.control.quarantine import Quarantine, quarantine_id
from service.core.item.wire import Item

REFRESH_SECONDS = 30.0
"""How often the list of keys in quarantine is read again. Only what the backfill finds meanwhile is learned
late, and that blocks nothing."""


class Suspects:
    """The keys in quarantine as of the last refresh, with those that this process has added and less those it has resolved.

    taken_over: how many shards this process has taken over by now, where they come one by one. What a shard's former owner has put
    into quarantine must be known before its next change is applied.
    """

    def __init__(self, quarantine: Quarantine, clock: Clock, taken_over: Callable[[], int] = lambda: 0) -> None:
        self._quarantine = quarantine
        self._clock = clock
        self._taken_over = taken_over
        self._refreshed_for = 0
        self._ids: set[str] = set()
        self._refreshed_at = float("-inf")

    async def refresh(self) -> None:
        """Read the list, if it is time, or if a shard has been taken over since.

        First before the first change, after the engine has loaded its positions: whatever a former owner checkpointed as
        quarantined is in quarantine by then.
        """
        taken_over = self._taken_over()
        if taken_over != self._refreshed_for or self._clock.monotonic() >= self._refreshed_at + REFRESH_SECONDS:
            self._ids |= (await self._quarantine.heads()).keys()
            self._refreshed_at, self._refreshed_for = self._clock.monotonic(), taken_over

    def include(self, table: str, key: Item) -> bool:
        """Whether a key may be in quarantine."""
        return bool(self._ids) and quarantine_id(table, key) in self._ids

    def add(self, table: str, key: Item) -> None:
        """A key has been put into quarantine."""
        self._ids.add(quarantine_id(table, key))

    def discard(self, table: str, key: Item) -> None:
        """A key has left quarantine."""
        self._ids.discard(quarantine_id(table, key))
