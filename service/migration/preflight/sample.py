"""Maps a sample of the old table to test the mapping: how many items are refused, how sizes grow, whether the inverse holds."""

import asyncio
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from service.core.item.compare import equal
from service.core.item.size import item_bytes, json_bytes
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.capacity import is_in, write_units
from service.core.mapping.expiry import never_expires, stated_expiry
from service.core.mapping.inverse import inverse
from service.core.mapping.made import looks_made
from service.core.mapping.mapping import Mapping, TableShape
from service.core.mapping.transform import entity_of, old_key
from service.core.rules.dual_limits import Obstacle, dual_obstacles
from service.core.rules.guarded import copy_write
from service.dynamodb.protocol import ItemStore
from service.errors import Poison
from service.migration.first_pages import first_pages

LISTED_KEYS = 100
"""How many keys are listed at most for each thing that is wrong with items. All are counted."""

Finding = Literal["rejected", "inverse", "collision", "never_expires"] | Obstacle

SamplePlace = tuple[str, str, str]
"""Where DynamoDB limits the writes: v2 table, index ("" for the base table), value of the partition key."""


@dataclass(slots=True)
class MappedSample:
    """The result of mapping the sample."""

    items: int = 0
    """Old items in the sample."""
    mapped: int = 0
    """Of these, the ones that can be mapped."""
    whole: bool = False
    """The sample is the whole old table."""
    mapped_old_bytes: int = 0
    """Of the old items that can be mapped."""
    old_sizes: list[int] = field(default_factory=list)
    """Bytes of every old item."""
    v2_sizes: list[int] = field(default_factory=list)
    """Bytes of every v2 item."""
    index_entries: int = 0
    """In all indexes together."""
    index_bytes: int = 0
    """In all indexes together."""
    inverse_failures: int = 0
    """Items whose inverse is not the old item."""
    collisions: int = 0
    """Items whose v2 key another item of the sample has already."""
    left_out: int = 0
    """Items that stay behind, as the mapping says."""
    never_expire: int = 0
    """Items that have the attribute which `ttl` names, and that DynamoDB would never delete by it."""
    rejected: Counter[str] = field(default_factory=Counter)
    """Items that cannot be mapped, by reason."""
    write_units: Counter[SamplePlace] = field(default_factory=Counter)
    """Of inserting the v2 items, by place."""
    dual: Counter[Obstacle] = field(default_factory=Counter)
    """Items that `dual` cannot carry, by the obstacle."""
    carried_index_keys: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Items whose attribute in a key of an old index is carried as it is, by entity and attribute."""
    look_made: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Of these, the ones in which that attribute holds the text of a field (``mapping.made.looks_made``): the field comes last."""
    keys: dict[Finding, list[Item]] = field(default_factory=dict)
    """The old keys of the items with which something is wrong, LISTED_KEYS of each kind at most."""

    def note(self, finding: Finding, key: Item) -> None:
        """Something is wrong with the item at ``key``."""
        listed = self.keys.setdefault(finding, [])
        if len(listed) < LISTED_KEYS:
            listed.append(key)

    @property
    def growth(self) -> float:
        """Bytes of the v2 items divided by the bytes of their old items."""
        return sum(self.v2_sizes) / self.mapped_old_bytes if self.mapped_old_bytes else 1.0


async def map_sample(
    store: ItemStore, mapping: Mapping, sample: int, stop: asyncio.Event, index_attributes: Collection[str] = ()
) -> MappedSample:
    """Map the first ``sample`` items of a Scan; ends early when ``stop`` is set. ``index_attributes``: those in the keys of the old
    table's indexes."""
    mapped_sample, seen = MappedSample(), set[str]()
    async for page in first_pages(store, mapping.old.table, sample, stop):
        for item in page.items:
            if _try_item(mapped_sample, seen, mapping, item):
                _check_index_keys(mapped_sample, mapping, item, index_attributes)
        mapped_sample.whole = page.last_key is None
    return mapped_sample


def _try_item(mapped_sample: MappedSample, seen: set[str], mapping: Mapping, old: Item) -> bool:
    """Whether it can be mapped."""
    mapped_sample.items += 1
    if mapping.leaves_out(old):
        mapped_sample.left_out += 1
        return False
    mapped_sample.old_sizes.append(item_bytes(old))
    try:
        put = copy_write(mapping, old, generation=1)
    except Poison as error:
        mapped_sample.rejected[error.reason] += 1
        mapped_sample.note("rejected", old_key(mapping, old))
        return False
    mapped_sample.mapped += 1
    mapped_sample.mapped_old_bytes += mapped_sample.old_sizes[-1]
    shape = mapping.tables[put.table]
    _check_inverse(mapped_sample, mapping, old, put)
    place = "\0".join([put.table, *(next(iter(put.item[name].values())) for name in shape.key_names)])
    _check_collision(mapped_sample, seen, place, old_key(mapping, old))
    for obstacle in dual_obstacles(mapping.stamp, old, put.item):
        mapped_sample.dual[obstacle] += 1
        mapped_sample.note(obstacle, old_key(mapping, old))
    _check_expiry(mapped_sample, stated_expiry(mapping, put.table), put.item, old_key(mapping, old))
    _add_units(mapped_sample, put.table, shape, put.item)
    return True


def _check_index_keys(mapped_sample: MappedSample, mapping: Mapping, old: Item, attributes: Collection[str]) -> None:
    entity = entity_of(mapping, old)
    for attribute in sorted(set(attributes) & old.keys() - entity.own):
        mapped_sample.carried_index_keys[entity.name, attribute] += 1
    for attribute, name in looks_made(entity, old, attributes):
        mapped_sample.look_made[entity.name, attribute, name] += 1


def _check_inverse(mapped_sample: MappedSample, mapping: Mapping, old: Item, put: Put) -> None:
    if not equal(inverse(mapping, put.item, put.table), old):
        mapped_sample.inverse_failures += 1
        mapped_sample.note("inverse", old_key(mapping, old))


def _check_collision(mapped_sample: MappedSample, seen: set[str], place: str, key: Item) -> None:
    if place in seen:
        mapped_sample.collisions += 1
        mapped_sample.note("collision", key)
    seen.add(place)


def _check_expiry(mapped_sample: MappedSample, attribute: str | None, v2: Item, key: Item) -> None:
    if attribute in v2 and never_expires(v2[attribute]):
        mapped_sample.never_expire += 1
        mapped_sample.note("never_expires", key)


def _add_units(mapped_sample: MappedSample, table: str, shape: TableShape, v2: Item) -> None:
    size, units = item_bytes(v2), write_units(v2, json_bytes(v2))
    indexes = [(name, key) for name, key in shape.indexes.items() if is_in(v2, key)]
    mapped_sample.v2_sizes.append(size)
    mapped_sample.index_entries += len(indexes)
    mapped_sample.index_bytes += size * len(indexes)
    places = [("", (shape.key.partition,)), *((name, key.partition) for name, key in indexes)]
    for index, partition in places:
        value = ", ".join(str(next(iter(v2[name].values()))) for name in partition)
        mapped_sample.write_units[table, index, value] += units
