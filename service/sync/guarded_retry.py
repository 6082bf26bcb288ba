"""The retry of a key in quarantine by the guarded rule, which is in force before the first `dual`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.control.quarantine import Quarantine, QuarantineHead
from service.control.repairs import registered
from service.control.stores import Stores
from service.control.waiting_changes import WaitingChange
from service.core.item.wire import Item
from service.core.rules.guarded import GuardedWrite, copy_write, guarded_writes
from service.core.rules.left_out import carried
from service.core.rules.quarantine import Left, may_leave
from service.dynamodb.protocol import Fence
from service.errors import Fenced, Poison, Retryable
from service.sync.left_quarantine import SayLeft, say_nothing
from service.sync.sinks.guarded import apply_writes


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
    left: SayLeft = say_nothing

    async def retry(self, key_id: str, *, repeated: bool = False) -> str | None:
        """Apply all changes that wait under ``key_id``, in order, as one run, and take the key out of quarantine.

        Returns one line that says what is still wrong; None: the key has left quarantine. A change that cannot be mapped needs no
        mapping when a later change supersedes it. When the last change still cannot be mapped the key stays, and one more attempt
        is counted.

        ``repeated``: nobody has asked for it. A key that cannot leave is not tried, and a failure is not counted if the same was
        wrong before. Raises Misconfigured for an unknown id; Fenced when it takes too long, or Retryable if ``repeated``.
        """
        stays = await self._stays(key_id) if repeated else None
        if stays is not None:
            return stays
        try:
            return await self._registered(key_id, repeated=repeated)
        except Fenced as late:
            if repeated:
                raise Retryable(late.message, reason="timeout") from late
            raise

    async def _stays(self, key_id: str) -> str | None:
        """What is still wrong with a key that cannot leave; None: it may."""
        head = (await self._quarantine.head(key_id)).value
        return head.message if self._may_leave(*await self._found(key_id, head)) is None else None

    async def _registered(self, key_id: str, *, repeated: bool) -> str | None:
        stores = self.stores
        async with registered(
            stores.control, stores.clock, self.owner, self.seconds, permitted=self.permitted
        ) as fence:
            try:
                await self._until_none_waits(key_id, fence)
            except Poison as poison:
                await self._quarantine.note_failure(key_id, poison, repeated=repeated)
                return poison.message
        return None

    async def _until_none_waits(self, key_id: str, fence: Fence) -> None:
        """Write what waits, again when another change was quarantined meanwhile. Raises Poison when it cannot be written."""
        while True:
            stored = await self._quarantine.head(key_id)
            waiting, now = await self._found(key_id, stored.value)
            await apply_writes(self.stores.store, self._writes(waiting, now), fence)
            if await self._quarantine.remove_up_to(key_id, stored):
                left = self._may_leave(waiting, now) or "applied"
                self.left(stored.value.table, stored.value.key, left)
                return

    async def _found(self, key_id: str, head: QuarantineHead) -> tuple[Sequence[WaitingChange], Item | None]:
        """The changes that wait and, where none does, the old item as it is now."""
        waiting = await self._quarantine.changes(key_id)
        return waiting, None if waiting else await self.stores.store.get(head.table, head.key)

    def _writes(self, waiting: Sequence[WaitingChange], now: Item | None) -> list[GuardedWrite]:
        """The writes of the waiting changes; where none waits, of the copy that the backfill could not make."""
        mapping = self.stores.mapping
        changes = carried(mapping, [each.change for each in waiting])
        if changes:
            return guarded_writes(mapping, changes, waiting[-1].generation)
        if not now or mapping.leaves_out(now):
            return []
        return [GuardedWrite(copy_write(mapping, now, self.generation), None)]

    def _may_leave(self, waiting: Sequence[WaitingChange], now: Item | None) -> Left | None:
        return may_leave(self.stores.mapping, [each.change for each in waiting], now)

    @property
    def _quarantine(self) -> Quarantine:
        return Quarantine(self.stores.control, self.stores.clock)
