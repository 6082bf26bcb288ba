"""An item from JSON that a person wrote: DynamoDB's own JSON, or plain JSON."""

import base64
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from service.core.item.numbers import MAX_DIGITS, fits, number_text
from service.core.item.wire import AttributeValue, Item


def item_from_json(text: str, key_name: str) -> Item:
    """The item that ``text`` describes.

    In DynamoDB's JSON each attribute is an object of one type and its value. When the value of the key attribute ``key_name`` is
    not an object, the text is plain JSON: strings, numbers, booleans, null, lists and objects become S, N, BOOL, NULL, L and M.
    Raises ValueError, which names the attribute that is wrong, or JSONDecodeError, which names the line.
    """
    try:
        return _parsed(text, key_name)
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


def _parsed(text: str, key_name: str) -> Item:
    content = parsed_json(text)
    if not isinstance(content, dict):
        raise ValueError("it must hold one JSON object, the item")
    read = attribute_value if isinstance(content.get(key_name), dict) else _plain
    return {name: read(value, name) for name, value in content.items()}


def parsed_json(text: str) -> Any:
    """The JSON value in ``text``, its numbers as Decimals.

    Raises ValueError for a name that is given twice and for half a surrogate pair, and JSONDecodeError, which names the line.
    """
    content = json.loads(
        text, parse_int=_digits, parse_float=_digits, parse_constant=_digits, object_pairs_hook=_without_repeats
    )
    if "\\u" in text and _halves(content):
        raise ValueError("it has half a surrogate pair, which DynamoDB cannot hold")
    return content


def attribute_value(value: Any, where: str) -> AttributeValue:
    """The attribute value that the JSON value is in DynamoDB's JSON. Raises ValueError, which names ``where`` it is wrong."""
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f'{where}: one type and its value are needed, like {{"S": "text"}}')
    ((kind, content),) = value.items()
    if kind not in _READ:
        raise ValueError(f"{where}: {kind!r} is not a DynamoDB type (one of {', '.join(_READ)})")
    return {kind: _READ[kind](content, where)}


def _halves(content: Any) -> bool:
    """Whether an escape such as ``\\ud800`` stands for half a character."""
    try:
        json.dumps(content, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        return True
    return False


def _digits(text: str) -> Decimal:
    """The number; NaN for an exponent that no Decimal can hold."""
    try:
        return Decimal(text)
    except ArithmeticError:
        return Decimal("nan")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is given twice in one object")
    return content


def _plain(value: Any, where: str) -> AttributeValue:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case Decimal():
            return {"N": _number(value, where)}
        case list():
            return {"L": [_plain(element, f"{where}[{index}]") for index, element in enumerate(value)]}
    return {"M": {name: _plain(inner, f"{where}.{name}") for name, inner in value.items()}}


def _text(content: Any, where: str) -> str:
    if not isinstance(content, str):
        raise ValueError(f"{where}: text is needed")
    return content


def _number(content: Any, where: str) -> str:
    try:
        number = Decimal(content) if isinstance(content, str | Decimal) else Decimal("nan")
    except ArithmeticError:
        number = Decimal("nan")
    if not number.is_finite() or not fits(number):
        raise ValueError(f"{where}: not a number that DynamoDB can hold (at most {MAX_DIGITS} digits)")
    return number_text(number)  # as DynamoDB gives it back


def _binary(content: Any, where: str) -> str:
    text = _text(content, where)
    try:
        base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"{where}: base64 text is needed") from error
    return text


def _boolean(content: Any, where: str) -> bool:
    if not isinstance(content, bool):
        raise ValueError(f"{where}: true or false is needed")
    return content


def _null(content: Any, where: str) -> bool:
    if content is not True:
        raise ValueError(f"{where}: NULL takes true")
    return True


def _list(content: Any, where: str) -> list[AttributeValue]:
    if not isinstance(content, list):
        raise ValueError(f"{where}: L takes a list")
    return [attribute_value(element, f"{where}[{index}]") for index, element in enumerate(content)]


def _map(content: Any, where: str) -> Item:
    if not isinstance(content, dict):
        raise ValueError(f"{where}: M takes an object")
    return {name: attribute_value(inner, f"{where}.{name}") for name, inner in content.items()}


def _set(read: Callable[[Any, str], str], comparable: Callable[[str], object] = str) -> Callable[[Any, str], list[str]]:
    """Reads a set whose members ``read`` reads. ``comparable`` turns a member into what DynamoDB compares."""

    def read_set(content: Any, where: str) -> list[str]:
        if not isinstance(content, list) or not content:
            raise ValueError(f"{where}: a set takes a list that is not empty")
        members = [read(member, f"{where}[{index}]") for index, member in enumerate(content)]
        if len(set(map(comparable, members))) < len(members):
            raise ValueError(f"{where}: the set has a member twice")
        return members

    return read_set


_READ: dict[str, Callable[[Any, str], Any]] = {
    "S": _text,
    "N": _number,
    "B": _binary,
    "BOOL": _boolean,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _set(_text),
    "NS": _set(_number, Decimal),
    "BS": _set(_binary),
}
