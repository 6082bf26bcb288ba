"""A table of the in-memory DynamoDB: its shape, what a write leaves in it, and which items it refuses as DynamoDB does."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from service.core.item.size import MAX_ITEM_BYTES, item_bytes
from service.core.item.wire import UNREADABLE, AttributeValue, Item
from service.core.item.write import Delete, Put, TransactItem, Update
from service.errors import Poison
from tests.fakes.memory_conditions import NUMBERS
from tests.fakes.memory_stream import MemoryStream

PLAIN = frozenset({"S", "B", "BOOL", "NULL"})


@dataclass(slots=True)
class Table:
    """A table: key attribute names, index name to key attribute names, items as JSON by key, and its stream.

    types: type tags of the key attributes that are no strings.
    """

    name: str
    key: tuple[str, ...]
    indexes: Mapping[str, tuple[str, ...]]
    stream: MemoryStream
    types: Mapping[str, str]
    items: dict[bytes, bytes] = field(default_factory=dict)


def left(shape: Table, key: bytes, write: TransactItem) -> bytes | None:
    """The state after ``write`` at ``key``. Raises Poison for an item that DynamoDB refuses."""
    present = shape.items.get(key)
    match write:
        case Put():
            return _checked(shape, write.item)
        case Update():
            return _checked(shape, _updated(present, write))
        case Delete():
            return None
    return present


def _updated(present: bytes | None, update: Update) -> Item:
    item = {**(orjson.loads(present) if present is not None else update.key), **update.set}
    return {name: value for name, value in item.items() if name not in update.remove}


def key_text(shape: Table, item: Item) -> bytes:
    """The item's key as text, equal for equal keys. Raises Poison when a key attribute is missing or empty."""
    for name in shape.key:
        _check_key_value(shape, name, item.get(name))
    return orjson.dumps([_as_stored(item[name]) for name in shape.key])


def _checked(shape: Table, item: Item) -> bytes:
    """The item as the table keeps it. Raises Poison for what DynamoDB refuses: bad index keys, over 400 KB."""
    for name in {name for names in shape.indexes.values() for name in names} & item.keys():
        _check_key_value(shape, name, item[name])
    text = orjson.dumps({name: _as_stored(value) for name, value in item.items()}, option=orjson.OPT_SORT_KEYS)
    if len(text) > MAX_ITEM_BYTES and item_bytes(item) > MAX_ITEM_BYTES:
        raise refusal(shape, "Item size has exceeded the maximum allowed size")
    return text


def _check_key_value(shape: Table, name: str, value: AttributeValue | None) -> None:
    if value is None or not value.get(shape.types.get(name, "S")):
        raise refusal(shape, f"key attribute {name} is missing, empty or of a wrong type")


def refusal(shape: Table, message: str) -> Poison:
    """The error that the data plane makes of DynamoDB's refusal of an item."""
    return Poison(f"write to {shape.name}: DynamoDB refuses the item: {message}", reason="refused_by_dynamodb")


def _as_stored(value: AttributeValue) -> AttributeValue:
    """The value in the one form that equal values share: numbers in plain digits without needless zeros, sets sorted."""
    ((tag, content),) = value.items()
    if tag in PLAIN or tag == UNREADABLE:  # what the application has written, as it is read
        return value
    return {tag: _STORED[tag](content)}


def _plain(number: str) -> str:
    exact = NUMBERS.create_decimal(number).normalize(NUMBERS)
    return "0" if exact.is_zero() else f"{exact:f}"


_STORED: dict[str, Callable[[Any], Any]] = {
    "N": _plain,
    "NS": lambda numbers: sorted(map(_plain, numbers)),
    "SS": sorted,
    "BS": sorted,
    "L": lambda elements: [_as_stored(element) for element in elements],
    "M": lambda content: {name: _as_stored(value) for name, value in content.items()},
}
