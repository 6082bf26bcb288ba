"""Write units: what inserting an item takes, at the base table and again in each index that it is in.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html and, of indexes,
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html; DynamoDB Local says the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil

import orjson

from service.core.entity import KeySchema
from service.core.size import item_bytes
from service.core.wire import Item

WRITE_UNIT_BYTES = 1024


def write_units(item: Item) -> int:
    """What writing ``item`` takes at one place. Its JSON is never shorter than its size, and quicker to measure."""
    length = len(orjson.dumps(item))
    return 1 if length <= WRITE_UNIT_BYTES else ceil(item_bytes(item) / WRITE_UNIT_BYTES)


def indexes_of(item: Item, indexes: Mapping[str, KeySchema]) -> Iterator[tuple[str, KeySchema]]:
    """Those of ``indexes`` that ``item`` is in: it has all attributes of their keys."""
    return ((name, key) for name, key in indexes.items() if all(attribute in item for attribute in key.names))


@dataclass(frozen=True, slots=True)
class InsertUnits:
    """base: at the base table. everywhere: with the indexes, where it is as large, because all projections are ALL."""

    base: int
    everywhere: int


def insert_units(item: Item, indexes: Mapping[str, KeySchema]) -> InsertUnits:
    """What inserting ``item`` takes, in a table with ``indexes``."""
    units = write_units(item)
    return InsertUnits(units, units * (1 + sum(1 for _ in indexes_of(item, indexes))))
