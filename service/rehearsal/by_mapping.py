"""An application for any mapping: what `examples/` does for the CRM, on the data plane, with the mapping's own transforms."""

from collections.abc import Iterable
from datetime import UTC, datetime

from service.clock import Clock
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, Delete, Equals, Put, Update
from service.core.item.write import Exists as Present
from service.core.mapping.entity import Entity
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of, forward, old_key, v2_place
from service.core.phases.acting import Side
from service.dynamodb.protocol import ItemStore
from service.errors import Retryable
from service.rehearsal.application import ItemExists, Missing
from service.rehearsal.keys import key_text

ATTEMPTS = 20


class MappedApplication:
    """Implements ``application.Application``. It remembers where it last saw an item on v2, as an application's links would.

    items: those that it knows to begin with.
    """

    def __init__(self, store: ItemStore, mapping: Mapping, clock: Clock, items: Iterable[Item]) -> None:
        self._store = store
        self._mapping = mapping
        self._clock = clock
        self._seen = {key_text(old_key(mapping, item)): item for item in items}

    async def read(self, side: Side, key: Item) -> Item | None:
        """The item as the old table has it, without a stamp."""
        if side == "old":
            item = await self._store.get(self._mapping.old.table, key)
            return self._remembered(self._shown(item))
        found = await self._find(key)
        return self._remembered(inverse(self._mapping, found[1], found[0])) if found is not None else None

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises Exists."""
        item = {**item, **self._token(item)}
        v2 = forward(self._mapping, item)
        table, whole = (self._mapping.old.table, item) if side == "old" else (v2.table, v2.item)
        if not await self._store.write(Put(table, whole, Absent((_witness(self._mapping, side, item),)))):
            raise ItemExists
        self._remembered(item)

    async def update(self, side: Side, key: Item, values: Item) -> None:
        """Set attributes; on v2 the whole item follows from them. Raises Missing, Retryable when it never stands still."""
        if side == "v2":
            await self._update_v2(key, values)
            return
        known = self._known(key)
        condition = Present((_witness(self._mapping, side, known),))
        values = {**values, **self._token(known)}
        if not await self._store.write(Update(self._mapping.old.table, key, values, (), condition)):
            raise Missing

    async def delete(self, side: Side, key: Item) -> None:
        """Raises Missing."""
        table, place = self._mapping.old.table, key
        if side == "v2":
            found = await self._find(key)
            if found is None:
                raise Missing
            table, place = found[0], self._v2_key(*found)
        if not await self._store.write(
            Delete(table, place, Present((_witness(self._mapping, side, self._known(key)),)))
        ):
            raise Missing

    async def _update_v2(self, key: Item, values: Item) -> None:
        for _ in range(ATTEMPTS):
            found = await self._find(key)
            if found is None:
                raise Missing
            if await self._replace(*found, values):
                return
        raise Retryable(f"item {key_text(key)} changes all the time", reason="contended")

    async def _replace(self, table: str, was: Item, values: Item) -> bool:
        """Change the item if it is as it was read; at another key, in one transaction. The stamp stays with it."""
        old = inverse(self._mapping, was, table)
        v2 = forward(self._mapping, {**old, **values, **self._token(old)})
        stamp = {name: was[name] for name in (self._mapping.stamp,) if name in was}
        place, whole = self._v2_key(table, was), {**v2.item, **stamp}
        as_read = AllOf(tuple(Equals((name,), value) for name, value in was.items()))
        if (v2.table, v2.key) == (table, place):
            changed = {name: value for name, value in whole.items() if was.get(name) != value}
            gone = tuple(was.keys() - whole.keys())
            written = await self._store.write(Update(table, place, changed, gone, as_read))
        else:
            put = Put(v2.table, whole, Absent((_witness(self._mapping, "v2", old),)))
            written = await self._store.transact([put, Delete(table, place, as_read)])
        if written:
            self._remembered({**old, **values})
        return written

    async def _find(self, key: Item) -> tuple[str, Item] | None:
        """Table and item of the live v2 item: where it was last seen, or where the old item says it is."""
        for item in (self._known(key), self._shown(await self._store.get(self._mapping.old.table, key))):
            table, place = v2_place(self._mapping, item) if item is not None else ("", {})
            found = await self._store.get(table, place) if item is not None else None
            if found is not None and _witness(self._mapping, "v2", self._known(key)) in found:
                return table, found
        return None

    def _shown(self, item: Item | None) -> Item | None:
        """An old item without its stamp; None for a tombstone."""
        if item is None or self._mapping.old.entity not in item:
            return None
        return {name: value for name, value in item.items() if name != self._mapping.stamp}

    def _remembered(self, item: Item | None) -> Item | None:
        if item is not None:
            self._seen[key_text(old_key(self._mapping, item))] = item
        return item

    def _known(self, key: Item) -> Item:
        """The item as it was last seen. Raises Missing when it never was."""
        try:
            return self._seen[key_text(key)]
        except KeyError:
            raise Missing from None

    def _v2_key(self, table: str, item: Item) -> Item:
        return {name: item[name] for name in self._mapping.tables[table].key_names}

    def _token(self, item: Item) -> Item:
        """The change token, which changes with every write, where it is a time as text."""
        token = entity_of(self._mapping, item).change_token
        if token is None or entity_of(self._mapping, item).fields[token].type != "string":
            return {}
        return {token: {"S": datetime.fromtimestamp(self._clock.now(), UTC).isoformat()}}


def _witness(mapping: Mapping, side: Side, item: Item) -> str:
    """An attribute that every live item of this entity has and no tombstone."""
    entity: Entity = entity_of(mapping, item)
    return mapping.old.entity if side == "old" else next(rule.name for rule in entity.key_rules if rule.required)
