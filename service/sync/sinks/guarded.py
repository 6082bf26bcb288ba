"""The guarded sink: it applies the old table's changes to v2 by the guarded rule, in order per key, many keys at once.

Changes of one key in one batch are coalesced. A change that cannot be mapped or written goes to quarantine, and the later ones
of its key wait behind it; all other keys go on. The sink returns only when each effect is acknowledged, so that the engine may
checkpoint then.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from service.control.quarantine import Quarantine
from service.control.quarantine_cache import QuarantineCache
from service.control.stores import Stores
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.transform import forward
from service.core.rules.guarded import GuardedWrite, guarded_writes
from service.core.rules.left_out import carried
from service.core.rules.quarantine import Left
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Poison
from service.failpoints import failpoint
from service.sync.sinks.key_order import KeysAtOnce


class WriteOutcome(StrEnum):
    """How a write or a change ended."""

    APPLIED = "applied"
    STALE = "stale"
    """v2 already holds something as new or newer: this is a replay, or another owner was faster."""
    QUARANTINED = "quarantined"
    LEFT_OUT = "left_out"
    """The change of an item that stays behind."""


class SinkEvents(Protocol):
    """What a guarded sink reports to its lane, and the one thing that it asks of it."""

    def count(self, outcome: str) -> None:
        """Count the outcome of one write, or of one change that went to quarantine."""

    def tombstone(self, put: Put) -> None:
        """Take note of a tombstone that has just been written, so that it can be purged."""

    def left(self, table: str, key: Item, how: Left) -> None:
        """Take note that an item has left quarantine."""

    def taken_over(self) -> int:
        """How many shards this process has taken over so far, as ``QuarantineCache`` needs it."""


@dataclass(frozen=True, slots=True)
class GuardedSinkContext:
    """What a guarded sink works with."""

    stores: Stores
    generation: int
    """The generation of the stream that is read: the first part of every version that the sink writes."""
    fence: Fence
    """Checked right before every attempt of every write."""
    events: SinkEvents


class GuardedSink:
    """Implements ``streams.engine.ShardSink`` for the guarded rule: every change of the old table is the application's."""

    def __init__(self, context: GuardedSinkContext, concurrency: int) -> None:
        """``concurrency``: how many keys are applied at the same time, over all shards."""
        stores = context.stores
        self._stores = stores
        self._generation = context.generation
        self._fence = context.fence
        self._events = context.events
        self._keys = KeysAtOnce(concurrency)
        self._quarantine = Quarantine(stores.control, stores.clock)
        self._quarantined = QuarantineCache(self._quarantine, stores.clock, context.events.taken_over)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when every effect of ``changes`` is acknowledged by DynamoDB or quarantined.

        Raises Fatal (Fenced, ...) or Retryable. Then any part of the changes may be done, and applying all of them again
        changes nothing that is done.
        """
        await self._quarantined.refresh()
        seen = carried(self._stores.mapping, changes)
        for _ in range(len(changes) - len(seen)):
            self._events.count(WriteOutcome.LEFT_OUT)
        await self._keys.apply(seen, self._apply_key)

    async def _apply_key(self, changes: Sequence[Change]) -> None:
        """Apply all changes of one key. Each pass takes at least one of them away: it waits, is applied or is quarantined."""
        while changes:
            changes = await self._wait_behind(changes)
            if changes:
                changes = await self._apply_run(changes)

    async def _wait_behind(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Add changes behind those of their key that wait in quarantine; return those that need not wait."""
        if not self._may_be_quarantined(changes[0]):
            return changes
        for index, change in enumerate(changes):
            if not await self._quarantine.wait_behind(self._waiting(change), self._fence):
                return changes[index:]
            self._events.count(WriteOutcome.QUARANTINED)
        return ()

    async def _apply_run(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Apply up to the first change that cannot be mapped, quarantine that one, and return the changes after it.

        When DynamoDB refuses the coalesced write, nothing of the run has been written: then its first change is quarantined
        instead.
        """
        run, poison = self._split(changes)
        try:
            await self._write(run)
        except Poison as refused:
            run, poison = (), refused
        if poison is None:
            return ()
        await self._to_quarantine(changes[len(run)], poison)
        return changes[len(run) + 1 :]

    def _split(self, changes: Sequence[Change]) -> tuple[Sequence[Change], Poison | None]:
        """The changes before the first that cannot be mapped, and why it cannot be. A single change is not checked here: its
        write shows it."""
        if len(changes) > 1:
            for index, change in enumerate(changes):
                try:
                    if change.new is not None:
                        forward(self._stores.mapping, change.new)
                except Poison as poison:
                    return changes[:index], poison
        return changes, None

    async def _write(self, run: Sequence[Change]) -> None:
        if not run:
            return
        writes = guarded_writes(self._stores.mapping, run, self._generation)
        failpoint("guarded_decided")
        outcomes = await apply_writes(self._stores.store, writes, self._fence, self._events.count)
        lives = run[-1].new is not None  # then the first write is the item itself, the others are tombstones
        for write, outcome in list(zip(writes, outcomes, strict=True))[lives:]:
            if outcome is WriteOutcome.APPLIED:
                self._events.tombstone(write.put)
        if self._may_be_quarantined(run[0]):
            if await self._quarantine.resolve_copy(run[0].table, run[0].key):
                self._events.left(run[0].table, run[0].key, "applied" if lives else "superseded")
            self._quarantined.discard(run[0].table, run[0].key)

    async def _to_quarantine(self, change: Change, poison: Poison) -> None:
        await self._quarantine.add_change(self._waiting(change), poison, self._fence)
        self._quarantined.add(change.table, change.key)
        self._events.count(WriteOutcome.QUARANTINED)

    def _may_be_quarantined(self, change: Change) -> bool:
        return self._quarantined.include(change.table, change.key)

    def _waiting(self, change: Change) -> WaitingChange:
        return WaitingChange(change, self._generation)


async def apply_writes(
    store: ItemStore,
    writes: Sequence[GuardedWrite],
    fence: Fence,
    count: Callable[[WriteOutcome], None] = lambda _: None,
) -> list[WriteOutcome]:
    """Send ``writes`` to v2 one after another, each acknowledged before the next is sent; return their outcomes.

    ``fence`` is checked before every attempt; ``count`` is called with each outcome. Raises Poison when DynamoDB refuses an
    item because of the item itself, Fenced when the lease has run out, and Retryable when trouble lasts: the writes before it
    are done then, and doing them again changes nothing.
    """
    outcomes = []
    for write in writes:
        written = await _written(store, write, fence)
        failpoint("guarded_written")
        outcomes.append(WriteOutcome.APPLIED if written else WriteOutcome.STALE)
        count(outcomes[-1])
    return outcomes


async def _written(store: ItemStore, write: GuardedWrite, fence: Fence) -> bool:
    """Whether either form of a write was made. The update is tried first: a gathering store sends many in one request.

    What DynamoDB says against it is no reason for quarantine: its expression may have too many names, where the put is fine.
    """
    if write.update is not None:
        with suppress(Poison):
            if await store.write(write.update, fence=fence):
                return True
    return await store.write(write.put, fence=fence)
