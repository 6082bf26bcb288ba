"""Index checks: a Query for the index keys that an old item's transform has must find the v2 item."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from service.core.item.wire import Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Finding, Kind, Pair, Source
from service.validation.reader import IndexPage, Reader
from service.validation.recheck import Observation, RecheckOutcome, RecheckResult
from service.validation.tally import Tally, count_index

CONCURRENT_QUERIES = 16

IndexKey = tuple[str, str, str]
"""v2 table, index, and the text of the key there."""


@dataclass(frozen=True, slots=True)
class IndexSample:
    """Which items are looked up in their indexes: all items of an entity that has at most ``per_entity``, otherwise about so
    many, chosen by a hash of their key."""

    per_entity: int
    salt: str
    """Varies the choice from run to run; a resumed run has the same salt, so it chooses the same items."""
    expected: dict[str, int]
    """How many items each entity has."""

    def has(self, pair: Pair) -> bool:
        """Whether the v2 item of ``pair`` is to be looked up."""
        if self.per_entity == 0:
            return False
        expected = self.expected.get(pair.entity, 0)
        if expected <= self.per_entity:
            return True
        digest = blake2b(f"{self.salt}{key_text(pair.v2_key or {})}".encode(), digest_size=8).digest()
        return int.from_bytes(digest) * expected < self.per_entity << 64


class IndexChecks:
    """Looks items up in every index of their table."""

    def __init__(self, reader: Reader, mapping: Mapping, sample: IndexSample) -> None:
        self._reader = reader
        self._mapping = mapping
        self.sample = sample
        self._slots = asyncio.Semaphore(CONCURRENT_QUERIES)

    async def find_absent(self, sources: Sequence[Source], tally: Tally) -> list[tuple[Pair, str]]:
        """Look up the v2 items of ``sources``, which are in the sample. Counts those found in ``tally``; returns the pair and the
        index of those not found."""
        members: dict[IndexKey, list[Source]] = {}
        keys: dict[IndexKey, Item] = {}
        for source in sources:
            for index, key in self._index_keys(source).items():
                index_key = (source.pair.table or "", index, key_text(key))
                members.setdefault(index_key, []).append(source)
                keys[index_key] = key
        pages = await self._query_all(keys)
        return [
            (source.pair, index_key[1])
            for index_key, sources_there in members.items()
            for source in sources_there
            if self._count_if_absent(source.pair, index_key[1], pages[index_key], tally)
        ]

    async def observe(self, observations: Sequence[Observation], indexes: Sequence[str | None]) -> list[Observation]:
        """``observations``, each with the index of its candidate. Where there is an index, the finding becomes UNINDEXED while
        the index does not have the item, and EQUAL otherwise."""
        pairs = zip(observations, indexes, strict=True)
        return list(await asyncio.gather(*(self._observe_index(observation, index) for observation, index in pairs)))

    def count(self, tally: Tally, result: RecheckResult) -> None:
        """Count a candidate of an index: found after all, missing, or still changing and so unchecked. An item that is gone is
        not counted."""
        index = result.candidate.index or ""
        entity = result.finding.pair.entity
        if result.outcome is RecheckOutcome.LASTS:
            count_index(tally, entity, index, "checked", "missing")
        elif result.outcome is RecheckOutcome.NOT_YET:
            count_index(tally, entity, index, "unchecked")
        elif result.finding.kind is Kind.EQUAL:
            count_index(tally, entity, index, "checked", "found")

    async def _observe_index(self, observation: Observation, index: str | None) -> Observation:
        if index is None:
            return observation
        pair = observation.finding.pair
        key = self._index_keys(observation.old).get(index) if observation.old is not None else None
        if observation.finding.kind not in (Kind.EQUAL, Kind.MISMATCH) or key is None or pair.table is None:
            return replace(observation, finding=Finding(Kind.GONE, pair))
        page = await self._query(pair.table, index, key)
        absent = page.complete and key_text(pair.v2_key or {}) not in page.keys
        return replace(observation, finding=Finding(Kind.UNINDEXED if absent else Kind.EQUAL, pair))

    def _index_keys(self, source: Source) -> dict[str, Item]:
        """By index, the key attributes that the item's transform has there. An index that the item is not in is left out."""
        if source.expected is None:
            return {}
        item = source.expected.item
        keys = {}
        for index, names in self._mapping.entities[source.pair.entity].indexes.items():
            if all(name in item for name in names):
                keys[index] = {name: item[name] for name in names}
        return keys

    async def _query_all(self, keys: dict[IndexKey, Item]) -> dict[IndexKey, IndexPage]:
        pages = await asyncio.gather(*(self._query(table, index, key) for (table, index, _), key in keys.items()))
        return dict(zip(keys, pages, strict=True))

    async def _query(self, table: str, index: str, key: Item) -> IndexPage:
        async with self._slots:
            return await self._reader.keys_in_index(table, index, key)

    def _count_if_absent(self, pair: Pair, index: str, page: IndexPage, tally: Tally) -> bool:
        """Whether the index does not have the item. An item that was found, or cannot be checked, is counted here."""
        if key_text(pair.v2_key or {}) in page.keys:
            count_index(tally, pair.entity, index, "checked", "found")
            return False
        if not page.complete:
            count_index(tally, pair.entity, index, "unchecked")
        return page.complete
