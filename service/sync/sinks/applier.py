"""The applier: sends the writes of one old key in their order, and counts what became of each."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from service.core.item.write import Put
from service.dynamodb.protocol import Fence, ItemStore


class Outcome(StrEnum):
    """What became of a write or a change. STALE: v2 holds something as new or newer already (a replay,
    another owner)."""

    APPLIED = "applied"
    STALE = "stale"
    QUARANTINED = "quarantined"


class Applier:
    """Writes to v2 by the apply rule. ``fence`` is called right before every attempt; ``count`` is told each
    outcome."""

    def __init__(self, store: ItemStore, *, fence: Fence, count: Callable[[str], None]) -> None:
        self._store = store
        self._fence = fence
        self._count = count

    async def apply(self, writes: Sequence[Put]) -> list[Outcome]:
        """Send ``writes`` one after the other; their outcomes. Each is acknowledged when this returns.

        Raises Poison when DynamoDB refuses an item for itself, Fenced when the lease has passed, Retryable
        when trouble lasts: the writes before it are done, and doing them again changes nothing.
        """
        return [await self._send(write) for write in writes]

    async def _send(self, write: Put) -> Outcome:
        written = await self._store.write(write, fence=self._fence)
        outcome = Outcome.APPLIED if written else Outcome.STALE
        self._count(outcome)
        return outcome
