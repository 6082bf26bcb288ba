"""Which keys are in quarantine, as a lane knows it without a read for each change."""

from collections.abc import Callable

from service.clock import Clock
from service.control.quarantine import Quarantine, quarantine_id
from service.core.item.wire import Item

REFRESH_SECONDS = 30.0
"""How often the list of keys in quarantine is read again. In the meantime only keys that the backfill quarantines are missed,
and that blocks nothing."""
REFRESH_SECONDS_PER_KEY = 0.01
"""A long list is read less often: reading 100,000 keys takes seconds, and thousands of read units."""


class QuarantineCache:
    """The keys in quarantine as of the last refresh, plus those that this process has added, minus those that it has resolved."""

    def __init__(self, quarantine: Quarantine, clock: Clock, taken_over: Callable[[], int] = lambda: 0) -> None:
        """``taken_over`` returns how many shards this process has taken over so far, for an engine that takes shards over one
        by one.

        The keys that a shard's former owner quarantined must be known before the next change of the shard is applied.
        """
        self._quarantine = quarantine
        self._clock = clock
        self._taken_over = taken_over
        self._taken_over_then = 0
        self._ids: set[str] = set()
        self._refreshed_at = float("-inf")

    async def refresh(self) -> None:
        """Read the list again if it is due, or if a shard has been taken over since the last time.

        The first refresh comes before the first change and after the engine has loaded its positions. By then every change that
        a former owner checkpointed as quarantined is in quarantine.
        """
        taken_over = self._taken_over()
        pause = REFRESH_SECONDS + REFRESH_SECONDS_PER_KEY * len(self._ids)
        if taken_over != self._taken_over_then or self._clock.monotonic() >= self._refreshed_at + pause:
            self._ids |= await self._quarantine.ids()
            self._refreshed_at, self._taken_over_then = self._clock.monotonic(), taken_over

    def include(self, table: str, key: Item) -> bool:
        """Whether a key may be in quarantine."""
        return bool(self._ids) and quarantine_id(table, key) in self._ids

    def add(self, table: str, key: Item) -> None:
        """A key has been put into quarantine."""
        self._ids.add(quarantine_id(table, key))

    def discard(self, table: str, key: Item) -> None:
        """A key has left quarantine."""
        self._ids.discard(quarantine_id(table, key))
