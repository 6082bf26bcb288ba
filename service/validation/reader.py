"""Reads of both sides, inside the operator's limit of read units."""

from collections.abc import Iterable, Sequence
from math import ceil

from service.clock import Clock
from service.core.item.size import item_bytes
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Pair, Source, key_text, source
from service.dynamodb.protocol import ItemStore, Page
from service.metrics import Metrics
from service.validation.waits import Waits

UNIT_BYTES = 4096
"""One read unit reads up to 4 KB consistently (DynamoDB developer guide, "Read consumption")."""

INDEX_PAGES = 4
"""Query pages read at most for one index key; thousands of items may share one."""


class ReadBudget:
    """A rate of read units. What was read is a debt that has to run off before the next read."""

    def __init__(self, clock: Clock, waits: Waits, metrics: Metrics, units_per_second: float | None) -> None:
        self._clock = clock
        self._waits = waits
        self._metrics = metrics
        self._rate = units_per_second
        self._paid_at = clock.monotonic()

    @property
    def limited(self) -> bool:
        return self._rate is not None

    async def ready(self) -> None:
        """Wait until what was read before is within the rate."""
        self._waits.check()
        debt = self._paid_at - self._clock.monotonic()
        if self._rate is not None and debt > 0:
            self._metrics.count_wait("operator_read_limit", debt)
            await self._waits.sleep(debt)

    def spent(self, units: float) -> None:
        """Count ``units`` just read."""
        if self._rate is not None:
            self._paid_at = max(self._paid_at, self._clock.monotonic()) + units / self._rate


class Reader:
    """The readings that verdicts are made from. All are consistent, but those of an index, which cannot
    be."""

    def __init__(
        self, store: ItemStore, mapping: Mapping, budget: ReadBudget, page_items: int, *, both_ways: bool = False
    ) -> None:
        self._store = store
        self._mapping = mapping
        self._budget = budget
        self._page_items = page_items
        self._both_ways = both_ways
        self._old_names = mapping.old.key_names

    def key(self, table: str, item: Item) -> Item:
        """The key attributes of an item of the old table or of a v2 table."""
        names = self._old_names if table == self._mapping.old.table else self._mapping.tables[table].key_names
        return {name: item[name] for name in names}

    async def page(self, table: str, *, segment: int, segments: int, start: Item | None) -> Page:
        """One page of a parallel Scan."""
        await self._budget.ready()
        page = await self._store.scan(table, segment=segment, segments=segments, start=start, limit=self._page_items)
        self._budget.spent(page.consumed_units)
        return page

    async def old_items(self, keys: Iterable[Item]) -> dict[str, Source]:
        """The old items that exist at ``keys``, by key text, each with its transform."""
        found = await self._get_many(self._mapping.old.table, keys)
        sources = ((text, self.source(item)) for text, item in found.items())
        return {text: one for text, one in sources if one is not None}

    def source(self, old: Item) -> Source | None:
        """An old item for comparison; None when it counts as no item."""
        return source(self._mapping, old, both_ways=self._both_ways)

    async def v2_items(self, places: Iterable[Pair]) -> dict[tuple[str, str], Item]:
        """The v2 items that exist at ``places``, by table and key text."""
        wanted: dict[str, list[Item]] = {}
        for place in places:
            if place.table is not None and place.v2_key is not None:
                wanted.setdefault(place.table, []).append(place.v2_key)
        found: dict[tuple[str, str], Item] = {}
        for table, keys in wanted.items():
            found |= {(table, text): item for text, item in (await self._get_many(table, keys)).items()}
        return found

    async def look(self, places: Sequence[Pair]) -> list[tuple[Item | None, Source | None]]:
        """For each place its v2 item and then, read after it, its old item: the order that
        ``core.verdict.lasts`` needs."""
        v2 = await self.v2_items(places)
        old = await self.old_items(place.old_key for place in places if place.old_key is not None)
        return [(at_v2(v2, place), at_old(old, place)) for place in places]

    async def in_index(self, table: str, index: str, key: Item) -> tuple[set[str], bool]:
        """Key texts of the items that ``index`` has at ``key``, and whether these are all (INDEX_PAGES may
        not reach the end)."""
        found: set[str] = set()
        start: Item | None = None
        for _ in range(INDEX_PAGES):
            await self._budget.ready()
            page = await self._store.query(table, key, index=index, start=start)
            self._budget.spent(page.consumed_units)
            found |= {key_text(self.key(table, item)) for item in page.items}
            start = page.last_key
            if start is None:
                return found, True
        return found, False

    async def _get_many(self, table: str, keys: Iterable[Item]) -> dict[str, Item]:
        distinct = list({key_text(key): key for key in keys}.values())
        if not distinct:
            return {}
        await self._budget.ready()
        items = await self._store.get_many(table, distinct)
        if self._budget.limited:
            absent = len(distinct) - len(items)
            self._budget.spent(absent + sum(ceil(item_bytes(item) / UNIT_BYTES) for item in items))
        return {key_text(self.key(table, item)): item for item in items}


def at_v2(found: dict[tuple[str, str], Item], place: Pair) -> Item | None:
    """The v2 item that was found at ``place``."""
    return found.get((place.table, key_text(place.v2_key))) if place.table and place.v2_key else None


def at_old(found: dict[str, Source], place: Pair) -> Source | None:
    """The old item that was found at ``place``."""
    return found.get(key_text(place.old_key)) if place.old_key is not None else None
