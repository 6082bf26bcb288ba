"""Reads both sides of many items of the ledger together, the v2 places first and then the old items."""

from collections.abc import Sequence

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key
from service.core.rules.agreement import BothSides
from service.core.rules.authorship import live
from service.core.rules.images import old_form
from service.core.rules.ledger import Place
from service.core.rules.ledger_writes import PlaceReading
from service.dynamodb.protocol import ItemStore
from service.errors import Poison

Asked = tuple[Item, Sequence[Place]]
"""An old key, and the v2 places to read."""


async def read_both_sides(store: ItemStore, mapping: Mapping, asked: Sequence[Asked]) -> list[BothSides]:
    """Both sides of each item, in the order of ``asked``; v2 is read first, as ``core.rules.verdict.lasts`` needs it."""
    wanted: dict[str, dict[str, Item]] = {}
    for _, places in asked:
        for place in places:
            wanted.setdefault(place.table, {})[place.text] = place.key
    v2: dict[str, Item] = {}
    for table, keys in wanted.items():
        v2 |= await _read(store, table, mapping.tables[table].key_names, list(keys.values()))
    names = mapping.old.key_names
    olds = {Place(mapping.old.table, key).text: key for key, _ in asked}
    old = await _read(store, mapping.old.table, names, list(olds.values()))
    return [
        BothSides(
            tuple(PlaceReading(place, _of_item(mapping, key, place, v2.get(place.text))) for place in places),
            old.get(Place(mapping.old.table, key).text),
        )
        for key, places in asked
    ]


def _of_item(mapping: Mapping, key: Item, place: Place, item: Item | None) -> Item | None:
    """The item at a place, unless it represents another old item than that at ``key``: its id was wrong once, and is corrected."""
    if item is None or not live(item, place.key, mapping.stamp):
        return item
    try:
        other = old_key(mapping, old_form(mapping, place, item)) != key
    except Poison:
        return item
    return None if other else item


async def _read(store: ItemStore, table: str, names: tuple[str, ...], keys: list[Item]) -> dict[str, Item]:
    items = await store.get_many(table, keys) if keys else []
    return {Place(table, {name: item[name] for name in names}).text: item for item in items}
