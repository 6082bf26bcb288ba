"""The consumer: applies the old table's changes to v2, key by key in order, many keys at once.

Changes of one key in one batch are coalesced; a change that cannot be mapped or written goes to quarantine
and the later ones of its key wait behind it, everything else goes on. It returns only when each effect is
acknowledged, so the engine may checkpoint then.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum

from service.clock import Clock
from service.control.quarantine import Quarantine, QuarantineCache
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.guarded import change_writes
from service.dynamodb.protocol import Fence, ItemStore
from service.errors import Poison
from service.sync.sinks.key_order import KeysAtOnce


class WriteOutcome(StrEnum):
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

    async def apply(self, writes: Sequence[Put]) -> list[WriteOutcome]:
        """Send ``writes`` one after the other; their outcomes. Each is acknowledged when this returns.

        Raises Poison when DynamoDB refuses an item for itself, Fenced when the lease has passed, Retryable
        when trouble lasts: the writes before it are done, and doing them again changes nothing.
        """
        return [await self._send(write) for write in writes]

    async def _send(self, write: Put) -> WriteOutcome:
        written = await self._store.write(write, fence=self._fence)
        outcome = WriteOutcome.APPLIED if written else WriteOutcome.STALE
        self._count(outcome)
        return outcome


class GuardedSink:
    """Implements ``streams.engine.ShardSink`` for the phase ``forward``, in which every change on the old
    table is the application's.

    concurrency: keys in hand at once, over all shards. count: told each outcome. on_tombstone: told each
    tombstone written. taken_over: as ``QuarantineCache`` has it.
    """

    def __init__(
        self,
        applier: Applier,
        quarantine: Quarantine,
        mapping: Mapping,
        clock: Clock,
        *,
        generation: int,
        concurrency: int,
        fence: Fence,
        count: Callable[[str], None],
        on_tombstone: Callable[[Put], None],
        taken_over: Callable[[], int] = lambda: 0,
    ) -> None:
        self._applier = applier
        self._quarantine = quarantine
        self._mapping = mapping
        self._generation = generation
        self._keys = KeysAtOnce(concurrency)
        self._fence = fence
        self._count = count
        self._on_tombstone = on_tombstone
        self._suspects = QuarantineCache(quarantine, clock, taken_over)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when every effect of ``changes`` is acknowledged by DynamoDB or quarantined.

        Raises Fatal (Fenced, ...) or Retryable; then any part may be done, and applying all again changes
        nothing that is done.
        """
        await self._suspects.refresh()
        await self._keys.apply(changes, self._apply_key)

    async def _apply_key(self, changes: Sequence[Change]) -> None:
        """All changes of one key. Each turn takes at least one away: waiting, applied or quarantined."""
        while changes:
            changes = await self._wait_behind(changes)
            if changes:
                changes = await self._apply_run(changes)

    async def _wait_behind(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Put changes behind those of their key that wait; returns those that need not wait."""
        if not self._is_suspect(changes[0]):
            return changes
        for index, change in enumerate(changes):
            if not await self._quarantine.wait_behind(self._waiting(change), self._fence):
                return changes[index:]
            self._count(WriteOutcome.QUARANTINED)
        return ()

    async def _apply_run(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Apply up to the first change that cannot be mapped, quarantine that one, and return those after it.

        When the server refuses what the run comes to, nothing of it has been written: its first change is
        quarantined instead.
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
        """The changes before the first that cannot be mapped, and why it cannot be. A single one is left for
        its write to find out."""
        if len(changes) > 1:
            for index, change in enumerate(changes):
                try:
                    if change.new is not None:
                        forward(self._mapping, change.new)
                except Poison as poison:
                    return changes[:index], poison
        return changes, None

    async def _write(self, run: Sequence[Change]) -> None:
        if not run:
            return
        writes = change_writes(self._mapping, run, self._generation)
        outcomes = await self._applier.apply(writes)
        lives = run[-1].new is not None  # then the first write is the item itself, the others are tombstones
        for write, outcome in list(zip(writes, outcomes, strict=True))[lives:]:
            if outcome is WriteOutcome.APPLIED:
                self._on_tombstone(write)
        if self._is_suspect(run[0]):
            await self._quarantine.resolve_copy(run[0].table, run[0].key)
            self._suspects.discard(run[0].table, run[0].key)

    async def _to_quarantine(self, change: Change, poison: Poison) -> None:
        await self._quarantine.add_change(self._waiting(change), poison, self._fence)
        self._suspects.add(change.table, change.key)
        self._count(WriteOutcome.QUARANTINED)

    def _is_suspect(self, change: Change) -> bool:
        return self._suspects.include(change.table, change.key)

    def _waiting(self, change: Change) -> WaitingChange:
        return WaitingChange(change, self._generation)
