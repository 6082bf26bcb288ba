"""The old items on which a mapping is tried: out of a file, or out of the old table, which is only read.

All of them as the application sees them: without a stamp of ours, and no tombstones.
"""

import asyncio
from pathlib import Path

from service.app import App
from service.core.item.json_items import items_from_json
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key_text
from service.core.rules.images import old_image
from service.errors import Misconfigured, Refused
from service.migration.first_pages import first_pages

MAX_FILE_BYTES = 2**26
"""Some hundred thousand items: all of them are in memory at once."""


def items_in(path: Path, mapping: Mapping) -> list[Item]:
    """The items in the file, in DynamoDB's JSON (``items_from_json``). Raises Misconfigured with one line."""
    try:
        items = items_from_json(_text(path), mapping.old.partition_key)
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}", remedy="correct the file: old items in DynamoDB's JSON") from error
    images = [_image(mapping, item) for item in items]
    return [image for image in images if image is not None]


def item_in(path: Path, mapping: Mapping) -> Item:
    """The one item in the file. Raises Misconfigured with one line."""
    items = items_in(path, mapping)
    if len(items) != 1:
        raise Misconfigured(f"{path} has {len(items)} items", remedy="give a file with one; `mapping test` takes many")
    return items[0]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            remedy = "give a part of it, such as its first lines"
            raise Misconfigured(f"{path} is larger than {MAX_FILE_BYTES} bytes", remedy=remedy)
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise Misconfigured(f"cannot read {path}: {error.strerror}", remedy="name a file with old items") from error


def _image(mapping: Mapping, item: Item) -> Item | None:
    """The item as the application sees it, also when it stays behind; None for a tombstone."""
    seen = mapping.leaves_out(item) or not item.keys() >= {*mapping.old.key_names}
    return item if seen else old_image(mapping, item)


async def find_item(app: App, key: Item) -> Item | None:
    """The item of the old table at ``key``, by one GetItem; None when there is none."""
    item = await app.store.get(app.mapping.old.table, key)
    return _image(app.mapping, item) if item is not None else None


async def item_at(app: App, key: Item) -> Item:
    """The same. Raises Refused when there is none."""
    image = await find_item(app, key)
    if image is None:
        shown = old_key_text(app.mapping, key)
        raise Refused(f"old table {app.mapping.old.table} has no item {shown}", remedy="correct the key")
    return image


async def one_of_each_entity(app: App, sample: int, stop: asyncio.Event) -> list[Item]:
    """The first item of each entity, and of none, among the first ``sample`` items of a Scan; ends early when ``stop`` is set."""
    found: dict[str, Item] = {}
    async for page in first_pages(app.store, app.mapping.old.table, sample, stop):
        for image in (_image(app.mapping, item) for item in page.items):
            if image is not None:
                found.setdefault(app.mapping.entity_name_of(image), image)
        if found.keys() >= app.mapping.entities.keys():
            break
    return list(found.values())
