"""DynamoDB's own JSON: the form in which items travel from the read to the write.

An attribute value is a dict of one entry, from type tag to content: ``{"S": "x"}``, ``{"N": "85"}``, ``{"B": "<base64>"}``,
``{"BOOL": True}``, ``{"NULL": True}``, ``{"L": [...]}``, ``{"M": {...}}``, ``{"SS": [...]}``, ``{"NS": [...]}``, ``{"BS": [...]}``.
Items and values are never changed in place: several threads share them.
"""

from collections.abc import Mapping
from typing import Any

import orjson

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

UNREADABLE = "unreadable"
"""The tag of a value that has half a surrogate pair somewhere: no type of DynamoDB's. Its content is the value as JSON text, with
the halves escaped. Such an item is never written: it goes to quarantine."""


def unreadable_names(item: Item) -> list[str]:
    """The attributes that cannot be read."""
    return [name for name, value in item.items() if UNREADABLE in value]


def plain_key(key: Item) -> dict[str, str]:
    """A key without type tags, for people: strings as they are, numbers as their digits, binaries as base64.

    In the order of the names: a stream gives the attributes of a key in any order.
    """
    return {name: next(iter(value.values())) for name, value in sorted(key.items())}


def shown_key(key: Item) -> str:
    """A key in one line, for people: ``pk=LEAD#7 sk=METADATA``."""
    return plain_key_text(plain_key(key))


def plain_key_text(plain: Mapping[str, str]) -> str:
    """``shown_key`` of a key that is in a document, as ``plain_key`` made it."""
    return " ".join(f"{name}={value}" for name, value in plain.items())


def key_text(key: Item) -> str:
    """A key as text, to look items up by: equal text means equal key, in whatever order its attributes are."""
    return orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()
