"""The forward sink: applies the old table's changes to v2 under the ledger rule, by ``core.rules.forward``.

Each change is applied exactly once, and the changes of a key in their order.
"""

from collections.abc import Sequence

from service.control.conflicts import Conflict
from service.control.ledger import EntryReading, ledger_id
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp, is_bare_tombstone
from service.core.item.write import TransactItem
from service.core.rules.forward import (
    ConflictCause,
    ForwardPlan,
    forward_plan,
    known_places,
    must_read_places,
    old_image,
)
from service.core.rules.ledger import Entry, Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison
from service.sync.sinks.context import SinkContext
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_transaction import LedgerTransaction


class ForwardSink:
    """Implements ``streams.engine.ShardSink`` for the old table's stream."""

    def __init__(self, transaction: LedgerTransaction, context: SinkContext, concurrency: int) -> None:
        """``concurrency``: how many keys are applied at the same time, over all shards."""
        self._transaction = transaction
        self._context = context
        self._mapping = transaction.stores.mapping
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when each change is in v2, in the conflict log or in quarantine. Raises Fatal or Retryable."""
        await self._context.quarantined.refresh()
        await self._keys.apply(changes, self.apply_key)
        await self._context.activity.flush()

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """Apply the changes of one key, in their order."""
        for change in changes:
            waiting = WaitingChange(change, self._context.generations[change.table])
            if await self._wait_behind(waiting):
                continue
            try:
                await self.carry(waiting)
            except Poison as poison:
                await self._context.put_in_quarantine(waiting, poison, self._transaction.fence)

    async def _wait_behind(self, waiting: WaitingChange) -> bool:
        """Put a change behind those of its key in quarantine. False: none waits there, so the change is to be applied."""
        context, change = self._context, waiting.change
        if not context.quarantined.include(change.table, change.key):
            return False
        if not await context.quarantine.wait_behind(waiting, self._transaction.fence):
            return False
        context.count("quarantined")
        return True

    async def carry(self, waiting: WaitingChange) -> None:
        """Apply one change, and decide it anew as often as the item changes meanwhile.

        Raises Poison when it cannot be written: then nothing is written, and the ledger does not record it.
        """
        change = waiting.change
        plan = await self._commit(waiting)
        self._context.count(plan.outcome)
        if plan.entry is None:
            return
        if plan.outcome != "own":
            await self._context.activity.application_changed(self._entity(change), change.table, change.key)
        await self._purge(waiting, plan)

    async def _commit(self, waiting: WaitingChange) -> ForwardPlan:
        transaction, change, version = self._transaction, waiting.change, waiting.version
        missing: list[Place] = []
        attempt = 0
        while True:
            read = await transaction.ledger.read(change.key)
            found = await self._read_places(change, version, read, missing)
            plan = forward_plan(self._mapping, change, version, read.entry, found, transaction.stores.clock.now())
            if plan.missing is not None:
                missing.append(plan.missing)
                continue
            if plan.entry is None or await transaction.commit(
                read, plan.entry, self._writes(read.entry, waiting, plan, found)
            ):
                return plan
            attempt += 1
            await transaction.pause(attempt)

    async def _read_places(
        self, change: Change, version: str, read: EntryReading, missing: list[Place]
    ) -> list[PlaceReading]:
        """The items at the known places, read together and after the ledger; none for a change that needs none."""
        if not must_read_places(change, self._mapping, version, read.entry):
            return []
        places = known_places(self._mapping, change, read.entry)
        return await self._transaction.read_together([*places, *missing])

    def _writes(
        self, before: Entry, waiting: WaitingChange, plan: ForwardPlan, found: Sequence[PlaceReading]
    ) -> list[TransactItem]:
        """What is written together with the ledger entry: v2, the conflict log, and the record of a held item."""
        assert plan.entry is not None
        writes = [*plan.writes, *self._transaction.held_writes(before, plan.entry)]
        if plan.conflict is None:
            return writes
        return [*writes, *self._transaction.conflicts.puts(self._conflict(waiting, plan.conflict, found))]

    def _conflict(self, waiting: WaitingChange, cause: ConflictCause, found: Sequence[PlaceReading]) -> Conflict:
        change = waiting.change
        return Conflict(
            id=f"{ledger_id(change.table, change.key)}-{waiting.version}",
            old_table=change.table,
            key=change.key,
            entity=self._entity(change),
            reason=cause.reason,
            fields=cause.fields,
            change=waiting,
            v2=tuple((item.place.table, item.place.key, item.item) for item in found),
            at=self._transaction.stores.clock.now(),
        )

    async def _purge(self, waiting: WaitingChange, plan: ForwardPlan) -> None:
        """Remove our tombstones: those just written on v2, and one on the old table that this change reports."""
        mapping, change = self._mapping, waiting.change
        assert plan.entry is not None
        stamp = Stamp(waiting.version, base=plan.entry.seen, tombstone=True)
        for place in plan.tombstoned:
            await self._transaction.purge(place.table, place.key, {**place.key, mapping.stamp: encode_stamp(stamp)})
        if change.new is not None and is_bare_tombstone(change.new, change.key, mapping.stamp):
            await self._transaction.purge(change.table, change.key, change.new)

    def _entity(self, change: Change) -> str:
        mapping = self._mapping
        image = old_image(mapping, change.new) or old_image(mapping, change.old) or {}
        named = image.get(mapping.old.entity, {}).get("S", "")
        return named if named in mapping.entities else "unknown"
