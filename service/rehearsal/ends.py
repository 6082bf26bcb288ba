"""Both sides and the conflict log as they are at the end, for the judgement."""

from collections.abc import AsyncIterator

from service.app import App
from service.control.conflicts import Conflicts
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import old_key
from service.rehearsal.judgement import LoggedChange
from service.rehearsal.keys import key_text

PAGE_ITEMS = 200


async def old_side(app: App) -> dict[str, Item]:
    """Every old item by its key, without stamps; tombstones left out."""
    mapping = app.mapping
    items = [item async for item in _items(app, mapping.old.table) if mapping.old.entity in item]
    return {key_text(old_key(mapping, item)): _bare(item, mapping.stamp) for item in items}


async def v2_side(app: App) -> dict[str, Item]:
    """Every v2 item in old form, by its old key; tombstones left out."""
    mapping, found = app.mapping, {}
    for table, shape in mapping.tables.items():
        async for item in _items(app, table):
            if item.keys() - {*shape.key_names, mapping.stamp}:
                old = inverse(mapping, item, table)
                found[key_text(old_key(mapping, old))] = old
    return found


async def logged_changes(app: App) -> list[LoggedChange]:
    """Every change in the conflict log, resolved or not."""
    conflicts = Conflicts(app.control)
    kept = [await conflicts.load(name) for name in await conflicts.heads()]
    return [
        LoggedChange(key_text(one.key), one.change.change.old, one.change.change.new)
        for one in kept
        if one.change is not None
    ]


async def _items(app: App, table: str) -> AsyncIterator[Item]:
    start: Item | None = None
    while True:
        page = await app.store.scan(table, segment=0, segments=1, start=start, limit=PAGE_ITEMS)
        for item in page.items:
            yield item
        start = page.last_key
        if start is None:
            return


def _bare(item: Item, stamp: str) -> Item:
    return {name: value for name, value in item.items() if name != stamp}
