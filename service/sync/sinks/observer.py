"""The observer: reads the v2 tables' streams before the first `dual`, carries nothing, and tells of rogue writes."""

from collections.abc import Sequence

from service.control.activity import Watch
from service.core.item.change import Change
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import made_by_guarded_rule


class Observer:
    """Implements ``streams.engine.ShardSink``. An application-made change of v2 is an intruder there: it is noted and logged."""

    def __init__(self, mapping: Mapping, watch: Watch) -> None:
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
