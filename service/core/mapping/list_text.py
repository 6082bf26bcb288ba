"""Lists in text: a JSON array, DynamoDB's own JSON, or values separated by commas."""

import base64
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from service.core.item.numbers import fits, number_text
from service.core.item.size import MAX_CONTAINERS, containers
from service.core.item.wire import AttributeValue


def parse_list(text: str) -> AttributeValue:
    """The list in ``text``, as an L.

    A JSON array gives its elements; when all of them are DynamoDB's JSON (``[{"S": "AI"}]``), those values. Any other text is
    split at commas, the values trimmed, and empty ones dropped. A text with NaN, Infinity, half a surrogate pair, an empty name,
    or deeper nesting than DynamoDB allows does not count as JSON.
    """
    return _json_list(text) or {"L": [{"S": value.strip()} for value in text.split(",") if value.strip()]}


_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,4})?")


class _NotStorable(ValueError):
    """JSON that DynamoDB cannot hold."""


class _Digits(str):
    """A JSON number as it was written, distinguishable from a JSON string."""

    __slots__ = ()


def _refuse_constant(name: str) -> Any:
    raise _NotStorable(name)


def _checked_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if any(name == "" for name, _ in pairs):
        raise _NotStorable("empty name")
    return dict(pairs)


_DECODER = json.JSONDecoder(
    parse_float=_Digits, parse_int=_Digits, parse_constant=_refuse_constant, object_pairs_hook=_checked_object
)


def _json_list(text: str) -> AttributeValue | None:
    if not text.lstrip().startswith("["):
        return None
    try:
        elements = _DECODER.decode(text.strip())
        # An escape such as \\ud800 decodes to half a character, which UTF-8, and so DynamoDB, cannot hold.
        if "\\u" in text:
            json.dumps(elements, ensure_ascii=False).encode()
        in_wire_form = all(map(_is_attribute_value, elements))
        value = {"L": elements if in_wire_form else [_wire(element) for element in elements]}
        # Measured on the result, so that the outcome does not depend on how deep Python's own stack is.
        return value if containers(value) <= MAX_CONTAINERS else None
    except (ValueError, RecursionError):
        return None


def _wire(element: Any) -> AttributeValue:
    if isinstance(element, _Digits):
        return _wire_number(element)
    if isinstance(element, str):
        return {"S": element}
    if element is None:
        return {"NULL": True}
    if isinstance(element, bool):
        return {"BOOL": element}
    if isinstance(element, list):
        return {"L": [_wire(inner) for inner in element]}
    return {"M": {name: _wire(inner) for name, inner in element.items()}}


def _wire_number(digits: str) -> AttributeValue:
    # A number that DynamoDB cannot hold becomes text with the same digits.
    return {"N": number_text(Decimal(digits))} if _is_number(str(digits)) else {"S": str(digits)}


def _is_attribute_value(element: Any) -> bool:
    if not (isinstance(element, dict) and len(element) == 1):
        return False
    ((tag, content),) = element.items()
    check = _CONTENT_CHECKS.get(tag)
    return check is not None and check(content)


def _is_text(content: Any) -> bool:
    return type(content) is str


def _is_number(content: Any) -> bool:
    return _is_text(content) and _NUMBER.fullmatch(content) is not None and fits(Decimal(content))


def _is_binary(content: Any) -> bool:
    try:
        return _is_text(content) and base64.b64encode(base64.b64decode(content, validate=True)).decode() == content
    except ValueError:
        return False


def _set_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    def is_set(content: Any) -> bool:
        return isinstance(content, list) and bool(content) and all(map(check, content)) and _distinct(content)

    return is_set


def _distinct(elements: list[str]) -> bool:
    return len(set(elements)) == len(elements)


_CONTENT_CHECKS: dict[str, Callable[[Any], bool]] = {
    "S": _is_text,
    "N": _is_number,
    "B": _is_binary,
    "BOOL": lambda content: isinstance(content, bool),
    "NULL": lambda content: content is True,
    "L": lambda content: isinstance(content, list) and all(map(_is_attribute_value, content)),
    "M": lambda content: isinstance(content, dict) and all(map(_is_attribute_value, content.values())),
    "SS": _set_of(_is_text),
    "NS": lambda content: (
        _set_of(_is_number)(content) and _distinct([number_text(Decimal(digits)) for digits in content])
    ),
    "BS": _set_of(_is_binary),
}
