"""DynamoDB-JSON as data: a map that holds an attribute value, as a tool stores it that marshals twice, and as JSON text has it.

A map holds an attribute value when it has exactly one name, a type word (S, N, B, BOOL, NULL, L, M, SS, NS, BS), and its value has
the shape that the type needs in DynamoDB's JSON:

- S: text; N: text that is a number as DynamoDB holds it; BOOL: true or false; NULL: true
- B: a binary, or text that is base64
- L: a list, and M: a map, of maps that hold attribute values themselves; both may be empty
- SS, NS, BS: a list of at least one text, number in text, or binary, no two equal; or a set of them

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html (data type descriptors)
"""

import base64
import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from service.core.item.numbers import fits, number_text
from service.core.item.wire import AttributeValue

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


def unmarshalled(value: AttributeValue, own: AbstractSet[str] = frozenset()) -> AttributeValue | None:
    """The attribute value that ``value`` holds as data; None when it is no map, or a map that holds none.

    ``own``: names that such a map may have as its own attributes. A map whose one name is among them holds no attribute value,
    however much it looks like it.
    """
    content = value.get("M")
    if content is None or len(content) != 1:
        return None
    ((tag, inner),) = content.items()
    read = None if tag in own else _READERS.get(tag)
    read_content = None if read is None else read(inner)
    return None if read_content is None else {tag: read_content}


def unmarshalled_elements(elements: list[AttributeValue], own: AbstractSet[str] | None) -> list[AttributeValue]:
    """The elements of a list, with the values that they hold in their place, however often they were marshalled.

    ``own``: the names of the fields that its maps have; each element counts by itself then. None: nothing is known of the maps,
    and only when all elements hold a value these count. The very same list when nothing is in place of another.
    """
    while True:
        held = [unmarshalled(element, own or frozenset()) for element in elements]
        if not any(held) or (own is None and None in held):
            return elements
        elements = [was if value is None else value for was, value in zip(elements, held, strict=True)]


def unmarshalled_map(content: dict[str, AttributeValue]) -> dict[str, AttributeValue] | None:
    """The attribute values that the values of a map hold, by name; None when one of them holds none."""
    values = {name: unmarshalled(value) for name, value in content.items()}
    return None if None in values.values() else values  # type: ignore[return-value]  # there is no None


def is_number(text: str) -> bool:
    """Whether ``text`` is a number as JSON and DynamoDB write it, and DynamoDB can hold it."""
    return _NUMBER.fullmatch(text) is not None and fits(Decimal(text))


def _text(value: AttributeValue) -> str | None:
    return value.get("S")


def _number(value: AttributeValue) -> str | None:
    text = _text(value)
    return text if text is not None and is_number(text) else None


def _binary(value: AttributeValue) -> str | None:
    if "B" in value:
        return str(value["B"])
    text = _text(value)
    try:
        canonical = text is not None and base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return None
    return text if canonical else None


def _true(value: AttributeValue) -> bool | None:
    return value.get("BOOL") or None


def _elements(value: AttributeValue) -> list[AttributeValue] | None:
    values = [unmarshalled(element) for element in value["L"]] if "L" in value else [None]
    return None if None in values else values  # type: ignore[return-value]  # there is no None


def _attributes(value: AttributeValue) -> dict[str, AttributeValue] | None:
    return unmarshalled_map(value["M"]) if "M" in value else None


def _set_of(
    read: Callable[[AttributeValue], str | None], form: Callable[[str], str] = str
) -> Callable[[AttributeValue], list[str] | None]:
    """Reads a set whose elements ``read`` reads. ``form``: the form that equal elements share."""

    def read_set(value: AttributeValue) -> list[str] | None:
        elements = [element for element in map(read, _members(value)) if element is not None]
        distinct = {form(element) for element in elements}
        return elements if elements and len(distinct) == len(_members(value)) else None

    return read_set


def _members(value: AttributeValue) -> list[AttributeValue]:
    """The elements of a list, or of a set of texts or binaries; of anything else none."""
    if "L" in value:
        return list(value["L"])
    return [{tag[0]: element} for tag in ("SS", "BS") for element in value.get(tag, ())]


_READERS: dict[str, Callable[[AttributeValue], Any]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": lambda value: value.get("BOOL"),
    "NULL": _true,
    "L": _elements,
    "M": _attributes,
    "SS": _set_of(_text),
    "NS": _set_of(_number, lambda digits: number_text(Decimal(digits))),
    "BS": _set_of(_binary),
}
"""By type word: from the value under it to the content of the attribute value; None when it has not the type's shape."""
