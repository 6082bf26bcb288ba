"""Index checks: a v2 item must be found by a Query for the index keys that its old item asks for."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Finding, Kind, Pair, Source, key_text
from service.validation.reader import Reader
from service.validation.recheck import RecheckOutcome, Resolved, Sight
from service.validation.tally import Tally, count_index

CONCURRENT_QUERIES = 16


class IndexChecks:
    """Looks items up in every index of their table.

    At most about ``per_entity`` items of each entity are looked up, chosen by a hash of their key that
    ``salt`` varies from run to run, so that a resumed run chooses the same: all items of an entity that has
    no more. ``expected`` says how many there are.
    """

    def __init__(
        self, reader: Reader, mapping: Mapping, *, per_entity: int, salt: str, expected: dict[str, int]
    ) -> None:
        self._reader = reader
        self._mapping = mapping
        self._per_entity = per_entity
        self._salt = salt
        self._expected = expected
        self._gate = asyncio.Semaphore(CONCURRENT_QUERIES)

    async def examine(self, sources: Sequence[Source], tally: Tally) -> list[tuple[Pair, str]]:
        """Look up the v2 items of ``sources``. Counts those found; returns those not found, with the
        index."""
        wanted: dict[tuple[str, str, str], list[Source]] = {}
        keys: dict[tuple[str, str, str], Item] = {}
        for one in filter(self._chosen, sources):
            for index, key in self._index_keys(one).items():
                group = (one.pair.table or "", index, key_text(key))
                wanted.setdefault(group, []).append(one)
                keys[group] = key
        answers = await self._ask(keys)
        return [
            (one.pair, group[1])
            for group, members in wanted.items()
            for one in members
            if not self._found(one.pair, group[1], *answers[group], tally)
        ]

    async def look(self, sights: Sequence[Sight], indexes: Sequence[str | None]) -> list[Sight]:
        """``sights``, those of an index candidate turned into UNINDEXED while the index does not give the
        item."""
        pairs = zip(sights, indexes, strict=True)
        return list(await asyncio.gather(*(self._look_one(sight, index) for sight, index in pairs)))

    def count(self, tally: Tally, resolved: Resolved) -> None:
        """Count a candidate of an index: found after all, missing, or still changing and so unchecked. What
        is gone counts nowhere."""
        index = resolved.candidate.index or ""
        entity = resolved.finding.pair.entity
        if resolved.outcome is RecheckOutcome.LASTS:
            count_index(tally, entity, index, "checked", "missing")
        elif resolved.outcome is RecheckOutcome.NOT_YET:
            count_index(tally, entity, index, "unchecked")
        elif resolved.finding.kind is Kind.EQUAL:
            count_index(tally, entity, index, "checked", "found")

    async def _look_one(self, sight: Sight, index: str | None) -> Sight:
        if index is None:
            return sight
        place = sight.finding.pair
        key = self._index_keys(sight.old).get(index) if sight.old is not None else None
        if sight.finding.kind not in (Kind.EQUAL, Kind.MISMATCH) or key is None or place.table is None:
            return replace(sight, finding=Finding(Kind.GONE, place))
        found, whole = await self._query(place.table, index, key)
        absent = whole and key_text(place.v2_key or {}) not in found
        return replace(sight, finding=Finding(Kind.UNINDEXED if absent else Kind.EQUAL, place))

    def _index_keys(self, one: Source) -> dict[str, Item]:
        """Index name -> key attributes that the transform gives the item there; without an index that it is
        not in."""
        if one.expected is None:
            return {}
        item = one.expected.item
        keys = {}
        for index, names in self._mapping.entities[one.pair.entity].indexes.items():
            if all(name in item for name in names):
                keys[index] = {name: item[name] for name in names}
        return keys

    async def _ask(self, keys: dict[tuple[str, str, str], Item]) -> dict[tuple[str, str, str], tuple[set[str], bool]]:
        answers = await asyncio.gather(
            *(self._query(table, index, keys[table, index, text]) for table, index, text in keys)
        )
        return dict(zip(keys, answers, strict=True))

    async def _query(self, table: str, index: str, key: Item) -> tuple[set[str], bool]:
        async with self._gate:
            return await self._reader.in_index(table, index, key)

    def _found(self, place: Pair, index: str, found: set[str], whole: bool, tally: Tally) -> bool:
        if key_text(place.v2_key or {}) in found:
            count_index(tally, place.entity, index, "checked", "found")
            return True
        if not whole:
            count_index(tally, place.entity, index, "unchecked")
        return not whole

    def _chosen(self, one: Source) -> bool:
        expected = self._expected.get(one.pair.entity, 0)
        if expected <= self._per_entity:
            return self._per_entity > 0
        digest = blake2b(f"{self._salt}{key_text(one.pair.v2_key or {})}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) * expected < self._per_entity << 64
