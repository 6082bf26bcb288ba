"""Reads the old item that an operator gives, in a file or as text, to resolve a conflict."""

import json
from pathlib import Path

from service.core.item.json_text import item_from_json
from service.core.item.wire import Item
from service.core.mapping.made import made_again
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key_text
from service.errors import Misconfigured, Poison

MAX_FILE_BYTES = 2**22
"""Several times what an item of 400 KB takes as JSON."""


def read_item_file(path: Path, mapping: Mapping, key: Item) -> Item:
    """The old item in the file, as ``item_of_text`` takes it.

    Raises Misconfigured with one line that names the file, and what is wrong in it and where.
    """
    return item_of_text(_text(path), str(path), mapping, key)


def item_of_text(text: str, name: str, mapping: Mapping, key: Item) -> Item:
    """The old item in ``text``, in DynamoDB's JSON or plain JSON. It must have the key ``key``, and a transform. It gets the
    attributes that are made of others, where it has none.

    Raises Misconfigured with one line that says by ``name`` where the text is from, and what is wrong in it and where.
    """
    try:
        item = item_from_json(text, mapping.old.key_names[0])
    except json.JSONDecodeError as error:
        raise Misconfigured(f"{name}:{error.lineno}: not JSON: {error.msg}", remedy=f"correct {name}") from error
    except ValueError as error:
        raise Misconfigured(f"{name}: {error}", remedy=f"correct {name}") from error
    _check_item(name, mapping, item, key)
    entity = mapping.entity_of(item)
    return item if entity is None else made_again(entity, None, item) | item


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Misconfigured(f"{path} is larger than {MAX_FILE_BYTES} bytes", remedy="give a file with one old item")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{path}: {error}", remedy="give a file in UTF-8") from error
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}", remedy="name a file with the old item") from error


def _check_item(name: str, mapping: Mapping, item: Item, key: Item) -> None:
    if any(item.get(part) != value for part, value in key.items()):
        raise Misconfigured(
            f"{name}: it describes the old item {old_key_text(mapping, item)}, not {old_key_text(mapping, key)}",
            remedy="give the item of the conflict, with its key attributes",
        )
    if mapping.stamp in item:
        raise Misconfigured(f"{name}: {mapping.stamp} is tablesplit's own attribute", remedy="leave it out")
    try:
        forward(mapping, item)
    except Poison as poison:
        raise Misconfigured(f"{name}: {poison.message}", remedy=f"correct {name}") from poison
