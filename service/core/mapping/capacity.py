"""Write units: what inserting an item takes, at the base table and again in each index that it is in.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and, of indexes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html; DynamoDB Local says the same.
"""

from collections.abc import Mapping
from math import ceil
from typing import NamedTuple

import orjson

from service.core.item.size import item_bytes
from service.core.item.wire import Item
from service.core.mapping.entity import KeySchema

WRITE_UNIT_BYTES = 1024


def write_units(item: Item) -> int:
    """What writing ``item`` takes at one place. Its JSON is never shorter than its size, and quicker to measure."""
    length = len(orjson.dumps(item))
    return 1 if length <= WRITE_UNIT_BYTES else ceil(item_bytes(item) / WRITE_UNIT_BYTES)


def is_in(item: Item, key: KeySchema) -> bool:
    """Whether ``item`` is in the index with that key: it has all its attributes."""
    return key.partition in item and (key.sort is None or key.sort in item)


class InsertUnits(NamedTuple):
    """base: at the base table. everywhere: with the indexes, where it is as large, because all projections are ALL."""

    base: int
    everywhere: int


def insert_units(item: Item, indexes: Mapping[str, KeySchema]) -> InsertUnits:
    """What inserting ``item`` takes, in a table with ``indexes``."""
    units, places = write_units(item), 1
    for key in indexes.values():
        places += is_in(item, key)
    return InsertUnits(units, units * places)
