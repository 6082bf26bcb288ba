"""An answer's JSON as Python values, also where a text in it has half a surrogate pair.

Half a pair (``"\\ud83d"``) is no Unicode: orjson refuses it, and with it the whole page of items or stream records. DynamoDB Local
stores it and gives it back (seen with 3.3.0; the standard allows a parser either,
https://www.rfc-editor.org/rfc/rfc8259#section-8.2). So an attribute that has one anywhere is marked as unreadable
(``core.item.wire``), and everything beside it is read as ever.
"""

import json
import re
from typing import Any

import orjson

from service.core.item.wire import UNREADABLE

HALF_PAIR = re.compile("[\ud800-\udfff]")
CONTENT_TYPES: dict[str, type] = {
    "S": str, "N": str, "B": str, "BOOL": bool, "NULL": bool, "L": list, "M": dict, "SS": list, "NS": list, "BS": list,
}  # fmt: skip
"""The content of an attribute value, by its type tag."""


def answer_of(content: bytes) -> dict[str, Any]:
    """The answer. Raises orjson.JSONDecodeError when it is not JSON."""
    try:
        answer: dict[str, Any] = orjson.loads(content)
    except orjson.JSONDecodeError as refused:
        answer = _with_marks(content, refused)
    return answer


def _with_marks(content: bytes, refused: orjson.JSONDecodeError) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = json.loads(content)
    except ValueError:
        raise refused from None
    if not _has_half_pair(answer):
        raise refused
    marked: dict[str, Any] = _marked(answer)
    return marked


def _marked(value: Any) -> Any:
    if isinstance(value, list):
        return [_marked(element) for element in value]
    if isinstance(value, str):
        return _escaped(value)
    if not isinstance(value, dict):
        return value
    if _is_attribute_value(value):
        return {UNREADABLE: _escaped(json.dumps(value))} if _has_half_pair(value) else value
    return {_escaped(name): _of_name(name, content) for name, content in value.items()}


def _of_name(name: str, content: Any) -> Any:
    """What a name stands for: an attribute whose name is unreadable is so too."""
    if HALF_PAIR.search(name) and isinstance(content, dict) and _is_attribute_value(content):
        return {UNREADABLE: json.dumps(content)}
    return _marked(content)


def _is_attribute_value(value: dict[str, Any]) -> bool:
    if len(value) != 1:
        return False
    ((tag, content),) = value.items()
    if not isinstance(content, CONTENT_TYPES.get(tag, ())):
        return False
    return tag != "M" or all(isinstance(inner, dict) for inner in value[tag].values())


def _has_half_pair(value: Any) -> bool:
    if isinstance(value, str):
        return HALF_PAIR.search(value) is not None
    if isinstance(value, dict):
        return any(_has_half_pair(name) or _has_half_pair(content) for name, content in value.items())
    return isinstance(value, list) and any(_has_half_pair(element) for element in value)


def _escaped(text: str) -> str:
    r"""The text with each half of a pair as it is written in JSON: ``\ud83d``."""
    return HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text)
