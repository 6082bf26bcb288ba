"""Write units: what inserting an item consumes, at the base table and again in each index that it is in.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and, for indexes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html. DynamoDB Local reports the same units.
"""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

from service.core.item.size import item_bytes
from service.core.item.wire import Item
from service.core.mapping.entity import IndexSchema

WRITE_UNIT_BYTES = 1024


def write_units(item: Item, most_bytes: int) -> int:
    """The write units of ``item`` in one table or index. ``most_bytes``: at least its size in bytes, as ``size.json_bytes`` is."""
    return 1 if most_bytes <= WRITE_UNIT_BYTES else ceil(item_bytes(item) / WRITE_UNIT_BYTES)


def is_in(item: Item, key: IndexSchema) -> bool:
    """Whether ``item`` is in the index with that key: it has all the key's attributes."""
    return all(name in item for name in key.names)


class InsertUnits(NamedTuple):
    """The write units of one insert."""

    base: int
    """At the base table."""
    everywhere: int
    """At the base table and in the indexes. The item is as large there, because all projections are ALL."""


def insert_units(item: Item, most_bytes: int, indexes: Mapping[str, IndexSchema]) -> InsertUnits:
    """The write units of inserting ``item`` into a table with ``indexes`` (index name to key). ``most_bytes``: its size or more."""
    units, places = write_units(item, most_bytes), 1
    for key in indexes.values():
        places += is_in(item, key)
    return InsertUnits(units, units * places)
