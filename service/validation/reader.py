"""Reads both sides for a comparison, within the operator's limit of read units."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil

from service.clock import Clock
from service.core.item.size import item_bytes
from service.core.item.wire import Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Pair, Source, belongs_at, source
from service.dynamodb.protocol import ItemStore, Page
from service.telemetry.metrics import Metrics
from service.validation.waits import InterruptibleWaits

UNIT_BYTES = 4096
"""One read unit reads up to 4 KB consistently (DynamoDB developer guide, "Read consumption")."""

INDEX_PAGES = 4
"""Query pages read at most for one index key: thousands of items may share a key."""


class ReadRate:
    """A limit on read units per second. The units of a read delay the next one, because they are known only after the read."""

    def __init__(
        self, clock: Clock, waits: InterruptibleWaits, metrics: Metrics, units_per_second: float | None
    ) -> None:
        """``units_per_second``: None for no limit."""
        self._clock = clock
        self._waits = waits
        self._metrics = metrics
        self._rate = units_per_second
        self._free_at = clock.monotonic()

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return self._rate is not None

    async def wait(self) -> None:
        """Wait until the earlier reads are within the rate. Raises Interrupted when the run was stopped."""
        self._waits.check()
        seconds = self._free_at - self._clock.monotonic()
        if self._rate is not None and seconds > 0:
            self._metrics.count_wait("operator_read_limit", seconds)
            await self._waits.sleep(seconds)

    def consumed(self, units: float) -> None:
        """Count the units of a read."""
        if self._rate is not None:
            self._free_at = max(self._free_at, self._clock.monotonic()) + units / self._rate


@dataclass(frozen=True, slots=True)
class IndexPage:
    """What an index has at one of its keys."""

    keys: set[str]
    """The key texts of the items."""
    complete: bool
    """False: there are more items than ``INDEX_PAGES`` pages hold."""


class Reader:
    """The reads that verdicts are made from. All are consistent, except those of an index, which cannot be."""

    def __init__(
        self, store: ItemStore, mapping: Mapping, rate: ReadRate, page_items: int, *, both_ways: bool = False
    ) -> None:
        """``page_items``: of a Scan page, at most. ``both_ways``: how old items are compared (``core.rules.verdict``)."""
        self._store = store
        self._mapping = mapping
        self._rate = rate
        self._page_items = page_items
        self._both_ways = both_ways
        self._old_names = mapping.old.key_names

    def key(self, table: str, item: Item) -> Item:
        """The key attributes of an item of the old table or of a v2 table."""
        names = self._old_names if table == self._mapping.old.table else self._mapping.tables[table].key_names
        return {name: item[name] for name in names}

    async def scan_page(self, table: str, *, segment: int, segments: int, start: Item | None) -> Page:
        """One page of a parallel Scan."""
        await self._rate.wait()
        page = await self._store.scan(table, segment=segment, segments=segments, start=start, limit=self._page_items)
        self._rate.consumed(page.consumed_units)
        return page

    async def old_items(self, keys: Iterable[Item]) -> dict[str, Item]:
        """The old items that exist at ``keys``, by key text."""
        return await self._get_many(self._mapping.old.table, keys)

    def belongs_at(self, pair: Pair, old: Item) -> bool:
        """See ``core.rules.verdict.belongs_at``."""
        return belongs_at(self._mapping, pair, old, both_ways=self._both_ways)

    def source(self, old: Item) -> Source | None:
        """An old item, prepared for comparison; None when it counts as no item."""
        return source(self._mapping, old, both_ways=self._both_ways)

    async def v2_items(self, pairs: Iterable[Pair]) -> dict[tuple[str, str], Item]:
        """The v2 items that exist at the v2 keys of ``pairs``, by table and key text."""
        keys_by_table: dict[str, list[Item]] = {}
        for pair in pairs:
            if pair.table is not None and pair.v2_key is not None:
                keys_by_table.setdefault(pair.table, []).append(pair.v2_key)
        items: dict[tuple[str, str], Item] = {}
        for table, keys in keys_by_table.items():
            items |= {(table, text): item for text, item in (await self._get_many(table, keys)).items()}
        return items

    async def read_pairs(self, pairs: Sequence[Pair]) -> list[tuple[Item | None, Source | None]]:
        """For each pair its v2 item and, read after it, its old item. ``core.rules.verdict.lasts`` depends on this order."""
        v2 = await self.v2_items(pairs)
        old = await self.old_items(pair.old_key for pair in pairs if pair.old_key is not None)
        found = [old_item_at(old, pair) for pair in pairs]
        sources = [self.source(item) if item is not None else None for item in found]
        return [(v2_item_at(v2, pair), source) for pair, source in zip(pairs, sources, strict=True)]

    async def keys_in_index(self, table: str, index: str, key: Item) -> IndexPage:
        """The items that ``index`` has at ``key``."""
        keys: set[str] = set()
        start: Item | None = None
        for _ in range(INDEX_PAGES):
            await self._rate.wait()
            page = await self._store.query(table, key, index=index, start=start)
            self._rate.consumed(page.consumed_units)
            keys |= {key_text(self.key(table, item)) for item in page.items}
            start = page.last_key
            if start is None:
                return IndexPage(keys, complete=True)
        return IndexPage(keys, complete=False)

    async def _get_many(self, table: str, keys: Iterable[Item]) -> dict[str, Item]:
        """The items that exist at ``keys``, by key text."""
        distinct = list({key_text(key): key for key in keys}.values())
        if not distinct:
            return {}
        await self._rate.wait()
        items = await self._store.get_many(table, distinct)
        if self._rate.limited:
            absent = len(distinct) - len(items)
            self._rate.consumed(absent + sum(ceil(item_bytes(item) / UNIT_BYTES) for item in items))
        return {key_text(self.key(table, item)): item for item in items}


def v2_item_at(items: dict[tuple[str, str], Item], pair: Pair) -> Item | None:
    """The item at the pair's v2 key, of ``items`` as ``Reader.v2_items`` gives them."""
    return items.get((pair.table, key_text(pair.v2_key))) if pair.table and pair.v2_key else None


def old_item_at(items: dict[str, Item], pair: Pair) -> Item | None:
    """The item at the pair's old key, of ``items`` as ``Reader.old_items`` gives them."""
    return items.get(key_text(pair.old_key)) if pair.old_key is not None else None
