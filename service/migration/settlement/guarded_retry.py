"""What an operator does about a key in quarantine: retry it, before the first `dual`, or drop it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from service.clock import Clock
from service.control.quarantine import Quarantine, QuarantineHead
from service.control.repairs import registered
from service.control.table import ControlTable, Stored
from service.control.waiting_changes import WaitingChange
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import change_writes, copy_write
from service.dynamodb.protocol import ItemStore
from service.errors import Poison
from service.sync.sinks.guarded import apply_writes


@dataclass(frozen=True, slots=True)
class Retried:
    """What came of a retry. ``failure``: the line that says what is still wrong, None when the key has left
    quarantine."""

    key_id: str
    failure: str | None


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries keys in quarantine.

    A retry writes versions that lie in the past, so it registers as a repair before it reads: the purger
    keeps every tombstone until it is over. It begins no write after ``seconds`` (the lease time).
    ``generation`` is that of the stream read now. ``permitted`` is asked once it is registered.
    """

    store: ItemStore
    control: ControlTable
    mapping: Mapping
    clock: Clock
    generation: int
    owner: str
    seconds: float
    permitted: Callable[[], Awaitable[None]] | None = None

    async def retry(self, key_id: str) -> Retried:
        """Apply all that waits under ``id`` as one run, in order, and take the key out of quarantine.

        A change that cannot be mapped needs no mapping when a later one supersedes it. When the last one
        still cannot be mapped the key stays, with one attempt more. Raises Misconfigured for an unknown id,
        Fenced when it takes too long.
        """
        quarantine = Quarantine(self.control, self.clock)
        async with registered(self.control, self.clock, self.owner, self.seconds, permitted=self.permitted) as fence:
            settled = False
            while not settled:  # again, when a change has come in between
                head = await quarantine.head(key_id)
                try:
                    writes = await self._writes(head, await quarantine.changes(key_id))
                    await apply_writes(self.store, writes, fence)
                except Poison as poison:
                    await quarantine.note_failure(key_id, poison)
                    return Retried(key_id, poison.message)
                settled = await quarantine.settle(key_id, head)
        return Retried(key_id, None)

    async def _writes(self, head: Stored[QuarantineHead], waiting: Sequence[WaitingChange]) -> tuple[Put, ...]:
        if waiting:
            return change_writes(self.mapping, [one.change for one in waiting], waiting[-1].generation)
        old = await self.store.get(head.value.table, head.value.key)
        return (copy_write(self.mapping, old, self.generation),) if old is not None else ()


async def drop(quarantine: Quarantine, key_id: str) -> QuarantineHead:
    """Take a key out of quarantine without applying what waits: those changes are lost. Returns its head, to
    say so.

    Raises Misconfigured for an unknown id.
    """
    while True:
        head = await quarantine.head(key_id)
        if await quarantine.settle(key_id, head):
            return head.value
