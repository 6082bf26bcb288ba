"""The retry of a key in quarantine by the guarded rule, which is in force before the first `dual`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.control.quarantine import Quarantine, QuarantineHead
from service.control.repairs import registered
from service.control.stores import Stores
from service.control.table import Stored
from service.control.waiting_changes import WaitingChange
from service.core.item.write import Put
from service.core.rules.guarded import change_writes, copy_write
from service.errors import Poison
from service.sync.sinks.guarded import apply_writes


@dataclass(frozen=True, slots=True)
class RetryResult:
    """The outcome of a retry."""

    key_id: str
    failure: str | None
    """One line that says what is still wrong; None when the key has left the quarantine."""


@dataclass(frozen=True, slots=True)
class GuardedRetry:
    """Retries keys in quarantine.

    A retry writes versions of earlier changes, so it registers as a repair before it reads: the purger keeps every tombstone until
    the retry has ended.
    """

    stores: Stores
    generation: int
    """Of the stream that is read now."""
    owner: str
    seconds: float
    """No write is begun after so many seconds (the lease time)."""
    permitted: Callable[[], Awaitable[None]] | None = None
    """Called once the retry is registered; raises when nothing may be retried."""

    async def retry(self, key_id: str) -> RetryResult:
        """Apply all changes that wait under ``key_id``, in order, as one run, and take the key out of quarantine.

        A change that cannot be mapped needs no mapping when a later change supersedes it. When the last change still cannot be
        mapped the key stays, and one more attempt is counted. Raises Misconfigured for an unknown id, Fenced when it takes too
        long.
        """
        stores = self.stores
        quarantine = Quarantine(stores.control, stores.clock)
        async with registered(
            stores.control, stores.clock, self.owner, self.seconds, permitted=self.permitted
        ) as fence:
            done = False
            while not done:  # repeated when another change was quarantined meanwhile
                head = await quarantine.head(key_id)
                try:
                    writes = await self._writes(head, await quarantine.changes(key_id))
                    await apply_writes(stores.store, writes, fence)
                except Poison as poison:
                    await quarantine.note_failure(key_id, poison)
                    return RetryResult(key_id, poison.message)
                done = await quarantine.remove_up_to(key_id, head)
        return RetryResult(key_id, None)

    async def _writes(self, head: Stored[QuarantineHead], waiting: Sequence[WaitingChange]) -> tuple[Put, ...]:
        """The writes of the waiting changes; where none waits, of the copy that the backfill could not make."""
        mapping = self.stores.mapping
        if waiting:
            return change_writes(mapping, [entry.change for entry in waiting], waiting[-1].generation)
        old = await self.stores.store.get(head.value.table, head.value.key)
        return (copy_write(mapping, old, self.generation),) if old is not None else ()
