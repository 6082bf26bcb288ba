"""An application for any mapping, on the data plane: it reads and writes either side by the mapping's own transforms."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime

from service.clock import Clock
from service.core.item.compare import same_or_absent
from service.core.item.stamp import TOMBSTONE, without_stamp
from service.core.item.wire import AttributeValue, Item, key_text
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Delete, Equals, Exists, Put, Update
from service.core.mapping.inverse import inverse
from service.core.mapping.made import made_again
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of, forward, old_key, v2_place
from service.core.phases.acting import Side
from service.core.rules.images import old_image
from service.core.rules.verdict import is_tombstone_at
from service.dynamodb.protocol import ItemStore
from service.errors import Retryable
from service.rehearsal.application import ItemExists, Missing

ATTEMPTS = 20
"""At one update on v2, while others change the item."""

LONGEST_WAIT_SECONDS = 0.5
"""Before another attempt; drawn evenly from 0, so that writers do not return together."""


class MappedApplication:
    """Implements ``application.Application`` and ``counting.CountingApplication``.

    It remembers each item as it last was, and so its place on v2, as an application's links would.

    items: those that it knows at the start.
    """

    def __init__(self, store: ItemStore, mapping: Mapping, clock: Clock, items: Iterable[Item]) -> None:
        self._store = store
        self._mapping = mapping
        self._clock = clock
        self._last = {key_text(old_key(mapping, item)): item for item in items}

    async def read(self, side: Side, key: Item) -> Item | None:
        """The item as the old table has it, without a stamp."""
        if side == "old":
            item = await self._read_old(key)
        else:
            live = await self._find(key)
            item = inverse(self._mapping, live[1], live[0]) if live is not None else None
        if item is not None:
            self._remember(item)
        return item

    async def create(self, side: Side, item: Item) -> None:
        """Write a new item. Raises ItemExists."""
        item = {**item, **self._token(item)}
        v2 = forward(self._mapping, item)
        table, whole = (self._mapping.old.table, item) if side == "old" else (v2.table, v2.item)
        if not await self._store.write(Put(table, whole, _vacant(self._mapping, side, item))):
            raise ItemExists
        self._remember(item)

    async def update(self, side: Side, key: Item, values: Item) -> None:
        """Set attributes; on v2 the whole item is made anew with them. Raises Missing, Retryable (contended)."""
        if side == "v2":
            await self._update_v2(key, values)
            return
        last = self._recall(key)
        condition = _live(self._mapping, side, last)
        values = self._with_made(last, {**values, **self._token(last)})
        if not await self._store.write(Update(self._mapping.old.table, key, values, (), condition)):
            raise Missing

    async def delete(self, side: Side, key: Item) -> None:
        """Delete the item. Raises Missing."""
        table, place = self._mapping.old.table, key
        if side == "v2":
            live = await self._find(key)
            if live is None:
                raise Missing
            table, place = live[0], self._v2_key(*live)
        condition = _live(self._mapping, side, self._recall(key))
        if not await self._store.write(Delete(table, place, condition)):
            raise Missing

    async def compare_and_set(
        self, side: Side, key: Item, name: str, was: AttributeValue | None, value: AttributeValue
    ) -> bool:
        """Set an attribute if it still is what it was (None: absent). Raises Missing."""
        if side == "v2":
            live = await self._find(key)
            if live is None:
                raise Missing
            same = same_or_absent(inverse(self._mapping, live[1], live[0]).get(name), was)
            return same and await self._replace(*live, {name: value})
        last = self._recall(key)
        still = Absent((name,)) if was is None else Equals((name,), was)
        condition = AllOf((_live(self._mapping, side, last), still))
        return await self._store.write(
            Update(self._mapping.old.table, key, {name: value, **self._token(last)}, (), condition)
        )

    async def duplicate(self, side: Side, key: Item, new: Item) -> None:
        """Copy the item, with whatever stamp it has, to the key and the required fields of ``new``. Raises Missing, ItemExists."""
        table, item = await self._raw(side, key)
        stamp = {name: item[name] for name in (self._mapping.stamp,) if name in item}
        entity = entity_of(self._mapping, new)
        required = {name for rule in entity.key_rules if rule.required for name in rule.names[:1]}
        model = without_stamp(item if side == "old" else inverse(self._mapping, item, table), self._mapping.stamp)
        renamed = {name: new[name] for name in (*self._mapping.old.key_names, *required)}
        old = made_again(entity, model, model | renamed)
        v2 = forward(self._mapping, old)
        table, whole = (table, old) if side == "old" else (v2.table, v2.item)
        copied = Put(table, {**whole, **stamp}, _vacant(self._mapping, side, old))
        if not await self._store.write(copied):
            raise ItemExists
        self._remember(old)

    async def _raw(self, side: Side, key: Item) -> tuple[str, Item]:
        """Table and item of the live item, stamp included. Raises Missing."""
        if side == "v2":
            live = await self._find(key)
        else:
            item = await self._store.get(self._mapping.old.table, key)
            live = (self._mapping.old.table, item) if item is not None and old_image(self._mapping, item) else None
        if live is None:
            raise Missing
        return live

    async def _read_old(self, key: Item) -> Item | None:
        """The old item without its stamp; None for a tombstone."""
        item: Item | None = await self._store.get(self._mapping.old.table, key)
        return old_image(self._mapping, item)

    async def _update_v2(self, key: Item, values: Item) -> None:
        for _ in range(ATTEMPTS):
            live = await self._find(key)
            if live is None:
                raise Missing
            if await self._replace(*live, values):
                return
            await self._clock.sleep(random.uniform(0, LONGEST_WAIT_SECONDS))
        raise Retryable(f"item {key_text(key)} changes all the time", reason="contended")

    async def _replace(self, table: str, was: Item, values: Item) -> bool:
        """Change the item if it is still as it was read; to another key, in one transaction. The stamp stays with it."""
        old = inverse(self._mapping, was, table)
        v2 = forward(self._mapping, {**old, **values, **self._token(old)})
        stamp = {name: was[name] for name in (self._mapping.stamp,) if name in was}
        key, whole = self._v2_key(table, was), {**v2.item, **stamp}
        # that nothing was added, too: an item without a change token shows nothing else of another writer's first increment
        still = (Equals((name,), value) for name, value in was.items())
        as_read = AllOf((*still, *(Absent((name,)) for name in sorted(whole.keys() - was.keys()))))
        if (v2.table, v2.key) == (table, key):
            changed = {name: value for name, value in whole.items() if was.get(name) != value}
            removed = tuple(was.keys() - whole.keys())
            written = await self._store.write(Update(table, key, changed, removed, as_read))
        else:
            put = Put(v2.table, whole, _vacant(self._mapping, "v2", old))
            written = await self._store.transact([put, Delete(table, key, as_read)])
        if written:
            self._remember({**old, **values})
        return written

    async def _find(self, key: Item) -> tuple[str, Item] | None:
        """Table and item of the live v2 item: at the remembered place, or where the old item leads."""
        last = self._recall(key)
        for item in (last, await self._read_old(key)):
            if item is None:
                continue
            table, v2_key = v2_place(self._mapping, item)
            v2 = await self._store.get(table, v2_key)
            if v2 is not None and not is_tombstone_at(self._mapping, table, v2):
                return table, v2
        return None

    def _remember(self, item: Item) -> None:
        self._last[key_text(old_key(self._mapping, item))] = item

    def _recall(self, key: Item) -> Item:
        """The item as it last was. Raises Missing when this application has never had it."""
        try:
            return self._last[key_text(key)]
        except KeyError:
            raise Missing from None

    def _v2_key(self, table: str, item: Item) -> Item:
        return {name: item[name] for name in self._mapping.tables[table].key_names}

    def _with_made(self, last: Item, values: Item) -> Item:
        """The values with what the old application makes of them: of its own knowledge of the item, as an application does."""
        entity = entity_of(self._mapping, last)
        after = made_again(entity, last, last | values)
        return values | {
            name: after[name] for name in entity.old_made if name in after and after[name] != last.get(name)
        }

    def _token(self, item: Item) -> Item:
        """The change token, which every write renews, where it is a time as text."""
        entity = entity_of(self._mapping, item)
        if entity.change_token is None or entity.fields[entity.change_token].type != "string":
            return {}
        return {
            entity.fields[entity.change_token].names[0]: {
                "S": datetime.fromtimestamp(self._clock.now(), UTC).isoformat()
            }
        }


def _live(mapping: Mapping, side: Side, item: Item) -> Condition:
    """The condition that there is an item and no tombstone."""
    witness = _witness(mapping, side, item)
    if witness is not None:
        return Exists((witness,))
    return AllOf((Exists((_partition_key(mapping, side, item),)), Absent((mapping.stamp, TOMBSTONE))))


def _vacant(mapping: Mapping, side: Side, item: Item) -> Condition:
    """The condition that there is no item, or a tombstone."""
    witness = _witness(mapping, side, item)
    if witness is not None:
        return Absent((witness,))
    return AnyOf((Absent((_partition_key(mapping, side, item),)), Exists((mapping.stamp, TOMBSTONE))))


def _witness(mapping: Mapping, side: Side, item: Item) -> str | None:
    """An attribute that every live item of this entity has, and no tombstone; None: there is none beside the key."""
    entity = entity_of(mapping, item)
    required = [rule for rule in entity.key_rules if rule.required]
    if side == "v2":
        return next((rule.name for rule in required if rule.name not in entity.key), None)
    return next(iter([*entity.constants(), *(name for rule in required for name in rule.names[:1])]), None)


def _partition_key(mapping: Mapping, side: Side, item: Item) -> str:
    return mapping.old.partition_key if side == "old" else next(iter(entity_of(mapping, item).key))
