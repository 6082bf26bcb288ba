"""Reads the old item that an operator gives in a file to resolve a conflict."""

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
    """The old item in the file, in DynamoDB's JSON or plain JSON. It must have the key ``key``, and a transform. It gets the
    attributes that are made of others, where it has none.

    Raises Misconfigured with one line that names the file, and what is wrong in it and where.
    """
    try:
        item = item_from_json(_text(path), mapping.old.key_names[0])
    except json.JSONDecodeError as error:
        raise Misconfigured(f"{path}:{error.lineno}: not JSON: {error.msg}", remedy="correct the file") from error
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}", remedy="correct the file") from error
    _check_item(path, mapping, item, key)
    entity = mapping.entity_of(item)
    return item if entity is None else made_again(entity, None, item) | item


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise Misconfigured(f"{path} is larger than {MAX_FILE_BYTES} bytes", remedy="give a file with one old item")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}", remedy="name a file with the old item") from error


def _check_item(path: Path, mapping: Mapping, item: Item, key: Item) -> None:
    if any(item.get(name) != value for name, value in key.items()):
        raise Misconfigured(
            f"{path}: it describes the old item {old_key_text(mapping, item)}, not {old_key_text(mapping, key)}",
            remedy="give the item of the conflict, with its key attributes",
        )
    if mapping.stamp in item:
        raise Misconfigured(f"{path}: {mapping.stamp} is tablesplit's own attribute", remedy="leave it out")
    try:
        forward(mapping, item)
    except Poison as poison:
        raise Misconfigured(f"{path}: {poison.message}", remedy="correct the file") from poison
