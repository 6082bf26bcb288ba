"""The sinks of the v2 tables' streams before the first `dual`. They carry nothing.

``RogueWriteSink`` reports writes of the application on v2, where it should not write yet. ``EnteringSink`` also brings the ledger
up to date while the rule changes from guarded to ledger.
"""

from collections.abc import Sequence

from service.control.activity import ActivityRecorder
from service.core.item.change import Change
from service.core.item.stamp import stream_version
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import authorship_on_v2, has_base, made_by_guarded_rule
from service.core.rules.ledger import Place, Track
from service.core.rules.reverse_records import old_key_of, shows_no_item
from service.errors import Poison
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_access import LedgerAccess


class RogueWriteSink:
    """Implements ``streams.engine.ShardSink``. A change of v2 by the application is a rogue write: it is recorded and logged."""

    def __init__(self, mapping: Mapping, activity: ActivityRecorder) -> None:
        self._mapping = mapping
        self._activity = activity

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return when every rogue write among ``changes`` is recorded."""
        for change in changes:
            if not (change.expired or made_by_guarded_rule(change, self._mapping.stamp)):
                self._activity.note(self._mapping.entity_name_at(change.table, change.key), change)
        await self._activity.flush()


class EnteringSink:
    """Implements ``streams.engine.ShardSink`` for the stream of one v2 table while the ledger rule is being entered."""

    def __init__(
        self,
        access: LedgerAccess,
        rogue_writes: RogueWriteSink,
        generations: dict[str, int],
        concurrency: int,
    ) -> None:
        """``generations``: of the streams that are read, by table. ``concurrency``: keys at the same time, over all shards."""
        self._access = access
        self._rogue_writes = rogue_writes
        self._generations = generations
        self._mapping = access.stores.mapping
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Return when the ledger has every change that forward made by the ledger rule, and every rogue write is recorded."""
        await self._rogue_writes.apply(shard_id, changes)
        await self._keys.apply(changes, self.apply_key)

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """Record the changes of one key in the ledger, in their order."""
        for change in changes:
            place = Place(change.table, change.key)
            if has_base(change, self._mapping.stamp) and not shows_no_item(self._mapping, place, change):
                await self._record(place, change)

    async def _record(self, place: Place, change: Change) -> None:
        version = stream_version(self._generations[change.table], change.sequence)
        try:
            key = old_key_of(self._mapping, place, change)
        except Poison:  # not an item of ours: each of those gives its old key
            return
        attempt = 0
        while True:
            read = await self._access.ledger.read(key)
            half = read.entry.reverse
            if version <= half.track(place).done:
                return
            author = authorship_on_v2(change, self._mapping.stamp, half.track(place).seen, read.entry.epoch)
            if await self._access.save(read, half.tracking(place, Track(version, author.seen))) is not None:
                return
            attempt += 1
            await self._access.pause(attempt)
