"""Items in DynamoDB's JSON out of a text, in each of the forms in which people have them.

A JSON array of items; an object a line; one object. An object may be the item itself, ``{"Item": {...}}`` as DynamoDB's export and
`aws dynamodb get-item` write it
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html), or the answer of
`aws dynamodb scan`, ``{"Items": [...]}``.
"""

import json
from collections.abc import Iterator
from typing import Any

from service.core.item.json_text import attribute_value, parsed_json
from service.core.item.wire import Item


def items_from_json(text: str, key_name: str) -> list[Item]:
    """The items in ``text``, whose partition key is ``key_name``. Raises ValueError, which says where it is wrong and what."""
    try:
        return [_item(content, place) for place, content in _objects(text, key_name)]
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error


def _objects(text: str, key_name: str) -> Iterator[tuple[str, Any]]:
    """The items, not yet read, each with its place."""
    try:
        content = parsed_json(text)
    except json.JSONDecodeError as error:
        if error.msg != "Extra data":
            raise ValueError(f"line {error.lineno}: not JSON: {error.msg}") from error
        yield from _objects_of_lines(text, key_name)
        return
    whole = content.get("Items") if isinstance(content, dict) and key_name not in content else content
    contents = whole if isinstance(whole, list) else [content]
    for number, one in enumerate(contents, start=1):
        yield f"item {number}", _unwrapped(one, key_name)


def _objects_of_lines(text: str, key_name: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield f"line {number}", _unwrapped(parsed_json(line), key_name)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number}: not JSON: {error.msg}") from error
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error


def _unwrapped(content: Any, key_name: str) -> Any:
    wrapped = isinstance(content, dict) and key_name not in content and isinstance(content.get("Item"), dict)
    return content["Item"] if wrapped else content


def _item(content: Any, place: str) -> Item:
    if not isinstance(content, dict):
        raise ValueError(f"{place}: a JSON object is needed, the item")
    try:
        return {name: attribute_value(value, name) for name, value in content.items()}
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
