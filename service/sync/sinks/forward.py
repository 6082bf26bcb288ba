"""The old table's changes under the ledger rule: each applied exactly once, in order per key, by `core.ledger_forward`."""

from collections.abc import Sequence

from service.control.conflicts import Conflict
from service.control.ledger import Read, ledger_id
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.write import TransactItem
from service.core.rules.authorship import is_bare
from service.core.rules.forward import Dispute, ForwardPlan, forward_plan, known_places, must_read_places, old_image
from service.core.rules.ledger import Entry, Place
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_parts import LedgerParts


class ForwardSink:
    """Implements ``streams.engine.ShardSink``. concurrency: keys in hand at once."""

    def __init__(self, parts: LedgerParts, concurrency: int) -> None:
        self._parts = parts
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return only when each change is in v2, in the conflict log or in quarantine. Raises Fatal or Retryable."""
        await self._parts.suspects.refresh()
        await self._keys.apply(changes, self.apply_key)
        await self._parts.watch.flush()

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """The same for the changes of one key, in their order."""
        for change in changes:
            waiting = WaitingChange(change, self._parts.generations[change.table])
            if await self._waits(waiting):
                continue
            try:
                await self.carry(waiting)
            except Poison as poison:
                await self._to_quarantine(waiting, poison)

    async def _waits(self, waiting: WaitingChange) -> bool:
        """Put a change behind those of its key in quarantine; False when none waits there."""
        parts, change = self._parts, waiting.change
        if not parts.suspects.include(change.table, change.key):
            return False
        if not await parts.quarantine.wait_behind(waiting, parts.fence):
            return False
        parts.count("quarantined")
        return True

    async def _to_quarantine(self, waiting: WaitingChange, poison: Poison) -> None:
        await self._parts.quarantine.add_change(waiting, poison, self._parts.fence)
        self._parts.suspects.add(waiting.change.table, waiting.change.key)
        self._parts.count("quarantined")

    async def carry(self, waiting: WaitingChange) -> None:
        """Apply one change, as often as the item changes meanwhile. Raises Poison when it cannot be written: then nothing is
        done, and the ledger does not have it."""
        change = waiting.change
        plan = await self._commit(waiting)
        self._parts.count(plan.outcome)
        if plan.entry is None:
            return
        if plan.outcome != "own":
            await self._parts.watch.saw(self._entity(change), change.table, change.key)
        await self._purge(waiting, plan)

    async def _commit(self, waiting: WaitingChange) -> ForwardPlan:
        parts, change, version = self._parts, waiting.change, waiting.version
        missing: list[Place] = []
        attempt = 0
        while True:
            read = await parts.ledger.read(change.key)
            found = await self._look(change, version, read, missing)
            plan = forward_plan(parts.mapping, change, version, read.entry, found, parts.clock.now())
            if plan.missing is not None:
                missing.append(plan.missing)
                continue
            if plan.entry is None or await parts.commit(
                read, plan.entry, self._writes(read.entry, waiting, plan, found)
            ):
                return plan
            attempt += 1
            await parts.pause(attempt)

    async def _look(self, change: Change, version: str, read: Read, missing: list[Place]) -> list[PlaceReading]:
        """The known places, read together and after the ledger; none for a change that needs none."""
        if not must_read_places(change, self._parts.mapping, version, read.entry):
            return []
        places = known_places(self._parts.mapping, change, read.entry)
        return await self._parts.read_together([*places, *missing])

    def _writes(
        self, before: Entry, waiting: WaitingChange, plan: ForwardPlan, found: Sequence[PlaceReading]
    ) -> list[TransactItem]:
        """What goes with the ledger: v2, the conflict log, and the note of an item that is held."""
        assert plan.entry is not None
        writes = [*plan.writes, *self._parts.held_writes(before, plan.entry)]
        if plan.dispute is None:
            return writes
        return [*writes, *self._parts.conflicts.puts(self._conflict(waiting, plan.dispute, found))]

    def _conflict(self, waiting: WaitingChange, dispute: Dispute, found: Sequence[PlaceReading]) -> Conflict:
        change = waiting.change
        return Conflict(
            id=f"{ledger_id(change.table, change.key)}-{waiting.version}",
            old_table=change.table,
            key=change.key,
            entity=self._entity(change),
            reason=dispute.reason,
            fields=dispute.fields,
            change=waiting,
            v2=tuple((one.place.table, one.place.key, one.item) for one in found),
            at=self._parts.clock.now(),
        )

    async def _purge(self, waiting: WaitingChange, plan: ForwardPlan) -> None:
        """Tombstones of ours: those just written on v2, and the one on the old table that this record tells of."""
        parts, mapping, change = self._parts, self._parts.mapping, waiting.change
        assert plan.entry is not None
        stamp = Stamp(waiting.version, base=plan.entry.seen, tombstone=True)
        for place in plan.buried:
            await parts.purge(place.table, place.key, {**place.key, mapping.stamp: encode_stamp(stamp)})
        if change.new is not None and is_bare(change.new, change.key, mapping.stamp):
            await parts.purge(change.table, change.key, change.new)

    def _entity(self, change: Change) -> str:
        mapping = self._parts.mapping
        image = old_image(mapping, change.new) or old_image(mapping, change.old) or {}
        named = image.get(mapping.old.entity, {}).get("S", "")
        return named if named in mapping.entities else "unknown"
