"""Both sides and the conflict log as they are at the end of a rehearsal, for the tally."""

from collections.abc import AsyncIterator
from collections.abc import Mapping as Lookup

from service.app import App
from service.control.conflicts import Conflict, Conflicts
from service.core.item.wire import Item, key_text
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.rules.images import old_image
from service.core.rules.units import differing, old_units
from service.core.rules.verdict import is_tombstone_at
from service.rehearsal.tally import LoggedChange

PAGE_ITEMS = 200


async def old_side(app: App) -> dict[str, Item]:
    """Every live old item by its key, without stamps."""
    mapping = app.mapping
    images = [old_image(mapping, item) async for item in _scan(app, mapping.old.table)]
    return {key_text(old_key(mapping, image)): image for image in images if image is not None}


async def v2_side(app: App) -> dict[str, Item]:
    """Every live v2 item in old form, by its old key."""
    mapping = app.mapping
    items: dict[str, Item] = {}
    for table in mapping.tables:
        async for item in _scan(app, table):
            if not is_tombstone_at(mapping, table, item):
                old = inverse(mapping, item, table)
                items[key_text(old_key(mapping, old))] = old
    return items


def different_keys(mapping: Mapping, old: Lookup[str, Item], v2: Lookup[str, Item]) -> list[str]:
    """The old keys whose two sides, as ``old_side`` and ``v2_side`` give them, are not the same unit by unit."""
    keys = sorted(old.keys() | v2.keys())
    return [
        key
        for key in keys
        if key not in old or key not in v2 or differing(old_units(mapping, old[key]), old_units(mapping, v2[key]))
    ]


async def logged_changes(app: App) -> list[LoggedChange]:
    """Every change in the conflict log, resolved or not."""
    conflicts = Conflicts(app.control)
    entries = [await conflicts.load(conflict_id) for conflict_id in await conflicts.heads()]
    return [
        LoggedChange(key_text(entry.key), entry.change.change.old, entry.change.change.new, _lost(app.mapping, entry))
        for entry in entries
        if entry.change is not None
    ]


def _lost(mapping: Mapping, entry: Conflict) -> frozenset[str]:
    """The old attributes of the fields in which the change of a conflict lost."""
    entity = mapping.entities.get(entry.entity)
    fields = entity.fields if entity is not None else {}
    return frozenset(name for field in entry.fields for name in (fields[field].names if field in fields else (field,)))


async def _scan(app: App, table: str) -> AsyncIterator[Item]:
    start: Item | None = None
    while True:
        page = await app.store.scan(table, segment=0, segments=1, start=start, limit=PAGE_ITEMS)
        for item in page.items:
            yield item
        start = page.last_key
        if start is None:
            return
