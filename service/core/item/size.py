"""DynamoDB's limits on one item: its size in bytes, how deep it nests, how long its keys are.

Sizes: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html (item sizes) and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html (400 KB, 32 levels, key lengths). AWS documents
the size of a number as approximate. tablesplit takes the upper end, so it quarantines an item at the very limit before DynamoDB
would refuse it.
"""

from collections.abc import Iterable

import orjson

from service.core.item.wire import AttributeValue, Item

MAX_ITEM_BYTES = 400 * 1024
MAX_CONTAINERS = 31
"""32 levels: 31 lists or maps inside each other, and a value in the innermost. DynamoDB Local counts the same way."""
MAX_PARTITION_KEY_BYTES = 2048
MAX_SORT_KEY_BYTES = 1024
MAX_NUMBER_BYTES = 21
CONTAINER_BYTES = 3


KeyLimits = tuple[tuple[str, int], ...]
"""Attributes of keys, each with the most bytes that its value may take."""


def key_limits(names: Iterable[str], partition_attributes: int) -> KeyLimits:
    """``names``: the attributes of a key, those of the partition key first. Each has the limit of its part of the key."""
    return tuple(
        (name, MAX_PARTITION_KEY_BYTES if place < partition_attributes else MAX_SORT_KEY_BYTES)
        for place, name in enumerate(names)
    )


def item_bytes(item: Item) -> int:
    """The size of an item in bytes: the UTF-8 length of every attribute name plus the size of its value."""
    return sum(_text_bytes(name) + value_bytes(value) for name, value in item.items())


def json_bytes(item: Item) -> int:
    """The length of an item's JSON: never less than its size in bytes, and quicker to measure."""
    return len(orjson.dumps(item))


def value_bytes(value: AttributeValue) -> int:
    """The size of one attribute value in bytes. A list or map takes 3 bytes plus 1 for each element."""
    ((kind, content),) = value.items()
    if kind in ("BOOL", "NULL"):
        return 1
    if kind == "M":
        return CONTAINER_BYTES + len(content) + item_bytes(content)
    if kind == "L":
        return CONTAINER_BYTES + len(content) + sum(map(value_bytes, content))
    elements = content if len(kind) == 2 else [content]
    return sum(map(_MEASURES[kind[0]], elements))


def containers(value: AttributeValue) -> int:
    """How many lists and maps lie inside each other in ``value``: 0 for a scalar or a set."""
    if "M" in value:
        return 1 + max(map(containers, value["M"].values()), default=0)
    if "L" in value:
        return 1 + max(map(containers, value["L"]), default=0)
    return 0


def _text_bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _number_bytes(text: str) -> int:
    return min(len(text) // 2 + 2, MAX_NUMBER_BYTES)


def _binary_bytes(base64_text: str) -> int:
    return len(base64_text) * 3 // 4 - base64_text.count("=", -2)


_MEASURES = {"S": _text_bytes, "N": _number_bytes, "B": _binary_bytes}
