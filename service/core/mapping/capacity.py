"""Write units: what inserting an item consumes, at the base table and again in each index that it is in.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and, for indexes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html. DynamoDB Local reports the same units.
"""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

import orjson

from service.core.item.size import item_bytes
from service.core.item.wire import Item
from service.core.mapping.entity import IndexSchema

WRITE_UNIT_BYTES = 1024


def write_units(item: Item) -> int:
    """The write units of ``item`` in one table or index. Its JSON is never shorter than its size, and quicker to measure."""
    length = len(orjson.dumps(item))
    return 1 if length <= WRITE_UNIT_BYTES else ceil(item_bytes(item) / WRITE_UNIT_BYTES)


def is_in(item: Item, key: IndexSchema) -> bool:
    """Whether ``item`` is in the index with that key: it has all the key's attributes."""
    return all(name in item for name in key.names)


class InsertUnits(NamedTuple):
    """The write units of one insert."""

    base: int
    """At the base table."""
    everywhere: int
    """At the base table and in the indexes. The item is as large there, because all projections are ALL."""


def insert_units(item: Item, indexes: Mapping[str, IndexSchema]) -> InsertUnits:
    """The write units of inserting ``item`` into a table with ``indexes`` (index name to key)."""
    units, places = write_units(item), 1
    for key in indexes.values():
        places += is_in(item, key)
    return InsertUnits(units, units * places)
