"""The observer: reads the v2 tables' streams before the first `dual`, carries nothing, and tells of rogue writes."""

from collections.abc import Sequence

from service.control.activity import ActivityRecorder
from service.core.item.change import Change
from service.core.item.stamp import stream_version
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import has_base, made_by_guarded_rule
from service.core.rules.ledger import Place
from service.core.rules.reverse import old_key_of, passed, shows_no_item
from service.errors import Poison
from service.sync.sinks.key_order import KeysAtOnce
from service.sync.sinks.ledger_parts import LedgerParts


class IntruderSink:
    """Implements ``streams.engine.ShardSink``. An application-made change of v2 is an intruder there: it is noted and logged."""

    def __init__(self, mapping: Mapping, watch: ActivityRecorder) -> None:
        self._mapping = mapping
        self._watch = watch

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:  # noqa: ARG002 (ShardSink names it)
        """Return when every intruder among ``changes`` is noted."""
        for change in changes:
            if not made_by_guarded_rule(change, self._mapping.stamp):
                await self._tell(change)
        await self._watch.flush()

    async def _tell(self, change: Change) -> None:
        entity = self._mapping.entity_at(change.table, change.key)
        name = entity.name if entity is not None else "unknown"
        await self._watch.saw(name, change.table, change.key)


class EnteringSink:
    """Implements ``streams.engine.ShardSink`` for the stream of one v2 table: observes, and notes. Carries nothing."""

    def __init__(self, parts: LedgerParts, observer: IntruderSink, concurrency: int) -> None:
        self._parts = parts
        self._observer = observer
        self._keys = KeysAtOnce(concurrency)

    async def apply(self, shard_id: str, changes: Sequence[Change]) -> None:
        """Return when the ledger has every record that forward wrote by its rule, and every intruder is noted."""
        await self._observer.apply(shard_id, changes)
        await self._keys.apply(changes, self.apply_key)

    async def apply_key(self, changes: Sequence[Change]) -> None:
        """Note the changes of one key, in their order."""
        for change in changes:
            place = Place(change.table, change.key)
            if has_base(change, self._parts.mapping.stamp) and not shows_no_item(self._parts.mapping, place, change):
                await self._note(place, change)

    async def _note(self, place: Place, change: Change) -> None:
        parts = self._parts
        version = stream_version(parts.generations[change.table], change.sequence)
        try:
            key = old_key_of(parts.mapping, place, change)
        except Poison:  # forward writes no item that tells no old one
            return
        attempt = 0
        while True:
            read = await parts.ledger.read(key)
            entry = passed(parts.mapping, place, change, version, read.entry)
            if entry is None or await parts.commit(read, entry, ()):
                return
            attempt += 1
            await parts.pause(attempt)
