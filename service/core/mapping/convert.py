"""Converters: from an attribute of any type to a field of a declared type. These are the rules for dirty values.

There is a converter for each field type, one for lists whose maps have fields of their own, and one for the mapping's own
functions (hooks). Each takes an attribute value and returns the field's value: the very same object when nothing needs to change,
None when it cannot be converted, and then the field takes its default. Absent values never reach a converter.
"""

import base64
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import partial
from typing import Any

from service.core.item.numbers import is_whole, is_zero, number_text, parse_number, truncated, unquoted
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.dates import moment_of, number_of_moment
from service.core.mapping.json_text import parse_list, parse_map
from service.core.mapping.marshalled import unmarshalled, unmarshalled_elements
from service.errors import Poison

Converter = Callable[[AttributeValue], AttributeValue | None]

ElementField = tuple[str, str, AttributeValue | None]
"""Name, type and default of a field inside the maps of a list."""

TYPE_TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})

_TRUE, _FALSE = {"true", "yes", "1"}, {"false", "no", "0"}


def is_absent(value: AttributeValue | None) -> bool:
    """Whether an attribute counts as absent: not there, NULL, or an empty string."""
    return value is None or value.get("S") == "" or "NULL" in value


def text_of(value: AttributeValue | None) -> str:
    """A value as text, for keys and string fields: S as it is, N as its digits, BOOL as true or false, any other as empty text."""
    if value is None:
        return ""
    if "S" in value:
        return str(value["S"])
    if "N" in value:
        return str(value["N"])
    if "BOOL" in value:
        return "true" if value["BOOL"] else "false"
    return ""


def to_string(value: AttributeValue) -> AttributeValue | None:
    """S as it is, N and BOOL as text; None for any other type."""
    if "S" in value:
        return value
    text = text_of(value)
    return {"S": text} if text else None


def to_number(value: AttributeValue) -> AttributeValue | None:
    """N as it is, S that is a number (``numbers.parse_number``) as that number; None for anything else."""
    if "N" in value:
        return value
    text = value.get("S", "")
    if is_whole(text):
        return {"N": text}
    number = parse_number(text)
    return None if number is None else {"N": number_text(number)}


def to_int(value: AttributeValue) -> AttributeValue | None:
    """As ``to_number``, with the fraction cut off."""
    converted = to_number(value)
    if converted is None or converted["N"].isdigit():
        return converted
    number = Decimal(converted["N"])
    whole = truncated(number)
    return converted if whole == number else {"N": number_text(whole)}


def to_boolean(value: AttributeValue) -> AttributeValue | None:
    """BOOL as it is; N is false when it is 0; S when it is true/false, yes/no or 1/0, in any case, surrounded by white space or
    quotes or not; None for anything else."""
    if "BOOL" in value:
        return value
    if "N" in value:
        return {"BOOL": not is_zero(value["N"])}
    word = unquoted(value["S"]).lower() if "S" in value else ""
    return {"BOOL": word in _TRUE} if word in _TRUE | _FALSE else None


def to_date(value: AttributeValue) -> AttributeValue | None:
    """S as it is when it is a date (``dates.moment_of``); None for anything else."""
    return value if "S" in value and moment_of("date", value["S"]) else None


def to_epoch(kind: str, value: AttributeValue) -> AttributeValue | None:
    """For ``epoch`` and ``epoch_ms``: N as it is, S that is a number as that number, S that is a date as its whole seconds or
    milliseconds; None for anything else, and outside the years 1 to 9999 (``dates.moment_of``)."""
    text = value.get("N") or value.get("S")
    moment = None if text is None else moment_of(kind, text)
    if text is None or moment is None or "N" in value:
        return None if moment is None else value
    number = parse_number(text)
    return {"N": str(number_of_moment(kind, moment)) if number is None else number_text(number)}


def to_list(value: AttributeValue, own: AbstractSet[str] | None = None) -> AttributeValue | None:
    """L as it is, S as ``json_text.parse_list`` reads it, a set as its members in order; None for any other type.

    Elements that are DynamoDB-JSON as data become the values that they hold (``marshalled.unmarshalled_elements``, also for
    ``own``). So does a map that is a whole list as data.
    """
    if "L" in value:
        elements = unmarshalled_elements(value["L"], own)
        return value if elements is value["L"] else {"L": elements}
    if "S" in value:
        return parse_list(value["S"], own)
    if "M" in value:
        held = unmarshalled(value)
        return to_list(held, own) if held is not None and held.keys() <= {"L", "M"} else None
    if "SS" in value:
        return {"L": [{"S": text} for text in sorted(value["SS"])]}
    if "NS" in value:
        return {"L": [{"N": digits} for digits in sorted(value["NS"], key=Decimal)]}
    if "BS" in value:
        return {"L": [{"B": content} for content in sorted(value["BS"], key=base64.b64decode)]}
    return None


def to_map(value: AttributeValue) -> AttributeValue | None:
    """M as it is, S as ``json_text.parse_map`` reads it; None for anything else."""
    if "M" in value:
        return value
    return parse_map(value["S"]) if "S" in value else None


def to_any(value: AttributeValue) -> AttributeValue:
    """Any value as it is."""
    return value


def to_binary(value: AttributeValue) -> AttributeValue | None:
    """B as it is; None for anything else."""
    return value if "B" in value else None


CONVERTERS: dict[str, Converter] = {
    "string": to_string,
    "int": to_int,
    "number": to_number,
    "boolean": to_boolean,
    "date": to_date,
    "epoch": partial(to_epoch, "epoch"),
    "epoch_ms": partial(to_epoch, "epoch_ms"),
    "list": to_list,
    "map": to_map,
    "any": to_any,
    "binary": to_binary,
}
"""The converter of each field type of the mapping."""

CLEAN: dict[str, tuple[str, Callable[[Any], object] | None]] = {
    "string": ("S", None),
    "int": ("N", str.isdigit),
    "number": ("N", None),
    "boolean": ("BOOL", None),
    "date": ("S", partial(moment_of, "date")),
    "epoch": ("N", partial(moment_of, "epoch")),
    "epoch_ms": ("N", partial(moment_of, "epoch_ms")),
    "list": ("L", lambda elements: unmarshalled_elements(elements, None) is elements),
    "map": ("M", None),
    "binary": ("B", None),
}
"""By field type, which values are *clean*: the type tag, and what must hold of the content, which is not empty. The converter
gives such a value back as it is, so it need not be called. Of any other value the converter decides."""

MAPS_STAY = ("map", "any")
"""The types of fields that take any map as it is."""


def element_converter(fields: Sequence[ElementField]) -> Converter:
    """A converter like ``to_list`` that also converts ``fields`` in each map of the list, by the rules of the outer fields.

    An inner attribute with a field that takes no maps, and that is DynamoDB-JSON as data, is first the value that it holds. Inner
    attributes without a field, and elements that are not maps, stay as they are.
    """
    own = frozenset(name for name, _, _ in fields)

    def convert(value: AttributeValue) -> AttributeValue | None:
        converted = to_list(value, own)
        if converted is None:
            return None
        elements = [_converted_element(element, fields) for element in converted["L"]]
        return converted if elements == converted["L"] else {"L": elements}

    return convert


def _converted_element(element: AttributeValue, fields: Sequence[ElementField]) -> AttributeValue:
    if "M" not in element:
        return element
    content: Item = dict(element["M"])
    for name, kind, default in fields:
        original = content.pop(name, None)
        value = None if original is None else _converted_inner(kind, original)
        value = default if value is None else value
        if value is not None:
            content[name] = value
    return {"M": content}


def _converted_inner(kind: str, original: AttributeValue) -> AttributeValue | None:
    value = original
    while kind not in MAPS_STAY and (held := unmarshalled(value)) is not None:
        value = held
    return None if is_absent(value) else CONVERTERS[kind](value)


def hook_converter(name: str, resolve: Callable[[str], Any]) -> Converter:
    """The mapping's own function ``module:function``, checked at each call.

    When it raises, or returns anything but an attribute value or None, the item is Poison (``transform_failed``): a mistake in a
    hook sends that item to quarantine and does not stop the run.
    """
    function = resolve(name)

    def convert(value: AttributeValue) -> AttributeValue | None:
        try:
            converted = function(value)
        except Exception as error:
            raise Poison(f"{name} failed: {type(error).__name__}: {error}", reason="transform_failed") from error
        if converted is not None and not _is_attribute_value(converted):
            raise Poison(f"{name} gave {converted!r}, not an attribute value or None", reason="transform_failed")
        return converted  # type: ignore[no-any-return]

    return convert


def _is_attribute_value(converted: Any) -> bool:
    return isinstance(converted, dict) and len(converted) == 1 and converted.keys() <= TYPE_TAGS
