"""Mapping a sample of the old table on trial: what would be refused, what would grow, whether the inverse holds."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from math import ceil

from service.core.apply_rule import copy_write
from service.core.compare import equal
from service.core.inverse import inverse
from service.core.mapping import Mapping
from service.core.size import item_bytes
from service.core.wire import Item
from service.dynamodb.protocol import ItemStore
from service.errors import Poison

PAGE_ITEMS = 250
KIB = 1024


@dataclass(slots=True)
class Trial:
    """What came of the sample. write_units: by (v2 table, partition key value), base table and indexes together."""

    items: int = 0
    mapped: int = 0
    old_bytes: int = 0
    v2_bytes: int = 0
    largest_bytes: int = 0
    inverse_failures: int = 0
    collisions: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    write_units: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def growth(self) -> float:
        """Bytes of the v2 items over those of their old ones."""
        return self.v2_bytes / self.old_bytes if self.old_bytes else 1.0


async def map_sample(store: ItemStore, mapping: Mapping, sample: int, stop: asyncio.Event) -> Trial:
    """Map the first ``sample`` items of a Scan; ends early when ``stop`` is set."""
    trial, seen = Trial(), set[str]()
    start: Item | None = None
    while trial.items < sample and not stop.is_set():
        limit = min(PAGE_ITEMS, sample - trial.items)
        page = await store.scan(mapping.old.table, segment=0, segments=1, start=start, limit=limit, consistent=False)
        for item in page.items:
            _try_item(trial, seen, mapping, item)
        start = page.last_key
        if start is None:
            break
    return trial


def _try_item(trial: Trial, seen: set[str], mapping: Mapping, old: Item) -> None:
    trial.items += 1
    try:
        put = copy_write(mapping, old, generation=1)
    except Poison as error:
        trial.rejected[error.reason] += 1
        return
    size = item_bytes(put.item)
    trial.mapped += 1
    trial.old_bytes += item_bytes(old)
    trial.v2_bytes += size
    trial.largest_bytes = max(trial.largest_bytes, size)
    trial.inverse_failures += not equal(inverse(mapping, put.item, put.table), old)
    shape = mapping.tables[put.table]
    key = "\0".join([put.table, *(put.item[name]["S"] for name in shape.key_names)])
    trial.collisions += key in seen
    seen.add(key)
    trial.write_units[put.table, put.item[shape.key.partition]["S"]] += ceil(size / KIB) * (1 + len(shape.indexes))
