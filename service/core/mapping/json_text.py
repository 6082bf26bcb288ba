"""Lists and maps in text: JSON, DynamoDB's own JSON, or, for a list, values separated by commas."""

import json
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from service.core.item.numbers import number_text
from service.core.item.size import MAX_CONTAINERS, containers
from service.core.item.wire import AttributeValue
from service.core.mapping.marshalled import is_number, unmarshalled, unmarshalled_elements, unmarshalled_map


def parse_list(text: str, own: AbstractSet[str] | None = None) -> AttributeValue:
    """The list in ``text``, as an L.

    A JSON array gives its elements, or the values that they hold when they are DynamoDB's JSON (``[{"S": "AI"}]``, see
    ``unmarshalled_elements`` also for ``own``). Any other text is split at commas, the values trimmed, and empty ones dropped. A
    text with NaN, Infinity, half a surrogate pair, an empty name, or deeper nesting than DynamoDB allows does not count as JSON.
    """
    value = _json_value(text, "[", lambda array: {"L": unmarshalled_elements(array["L"], own)})
    return value or {"L": [{"S": part.strip()} for part in text.split(",") if part.strip()]}


def parse_map(text: str) -> AttributeValue | None:
    """The map in ``text``, as an M; None when there is none.

    A JSON object gives its attributes; when it is DynamoDB's JSON of a map (``{"M": {"a": {"S": "x"}}}``), or all its values are
    DynamoDB's JSON (``{"a": {"S": "x"}}``), those values. What counts as JSON is as for ``parse_list``.
    """
    return _json_value(text, "{", _map)


def _map(document: AttributeValue) -> AttributeValue:
    value = unmarshalled(document)
    if value is not None and "M" in value:
        return value
    attributes = unmarshalled_map(document["M"])
    return document if attributes is None else {"M": attributes}


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


def _json_value(text: str, opening: str, read: Callable[[AttributeValue], AttributeValue]) -> AttributeValue | None:
    """What ``read`` makes of the JSON in ``text``, which begins with ``opening``; None when it is no JSON."""
    if not text.lstrip().startswith(opening):
        return None
    try:
        document = _DECODER.decode(text.strip())
        # An escape such as \\ud800 decodes to half a character, which UTF-8, and so DynamoDB, cannot hold.
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode()
        value = read(_wire(document))
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
    return {"N": number_text(Decimal(digits))} if is_number(str(digits)) else {"S": str(digits)}
