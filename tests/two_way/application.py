"""Both applications in the two-way tests: each writes one item on its side, from what it can read there."""

from typing import Any

from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.inverse import inverse
from service.core.mapping.transform import forward
from tests.convergence.trampoline import Turn
from tests.two_way.world import World

CREATED = ("2024-01-15", "2024-02-15")
"""Two months, hence two v2 keys."""

FIELDS = ("title", "stage", "note")
"""Two mapped fields and an attribute that the mapping does not name."""

REUSED = ("a", "b")
PAUSES = (0, 0, 1, 3, 10, 30)
KEY: Item = {"pk": {"S": "DEAL#1"}, "sk": {"S": "METADATA"}}


class Application:
    """One side's writers, as one actor. Each write is one step, with pauses in between."""

    def __init__(self, world: World, writes: int) -> None:
        self.world = world
        self.rng = world.rng
        self.left = writes

    async def pause(self) -> None:
        for _ in range(self.rng.choice(PAUSES)):
            await Turn()

    def value(self) -> dict[str, Any]:
        """A value that no other write has, or one of a few that occur again."""
        return {"S": f"w{len(self.world.app)}"} if self.world.unique else {"S": self.rng.choice(REUSED)}

    def fresh(self) -> Item:
        """A whole old item with new values."""
        named = {**KEY, "entity_type": {"S": "DEAL"}, "id": {"S": "1"}, "created_at": {"S": self.rng.choice(CREATED)}}
        return {**named, **{name: self.value() for name in FIELDS if self.rng.random() < 0.8}}

    def changed(self, item: Item) -> Item:
        """An old item with one field changed, added or removed, or moved to the other month."""
        if self.rng.random() < self.world.moving:
            return {**item, "created_at": {"S": self.rng.choice(CREATED)}}
        name = self.rng.choice(FIELDS)
        if name in item and self.rng.random() < 0.2:
            return {other: value for other, value in item.items() if other != name}
        return {**item, name: self.value()}


class OldApplication(Application):
    """Puts (which remove the stamp), updates (which keep it), deletes, and puts of earlier images with their stamp."""

    async def run(self) -> None:
        while self.left:
            await self.pause()
            self._write()
            self.left -= 1
            await Turn()

    def _write(self) -> None:
        world = self.world
        now = world.memory.item(world.old, KEY)
        live = now is not None and "id" in now
        kind = self.rng.choice(("put", "update", "update", "delete", "back"))
        if kind == "back":
            self._put_back()
        elif kind == "delete" and live:
            world.write("old", Delete(world.old, KEY), KEY)
        elif kind == "update" and live and now is not None:
            world.write("old", Put(world.old, self.changed(now)), KEY)
        elif kind == "put" or not live:
            world.write("old", Put(world.old, self.fresh()), KEY)

    def _put_back(self) -> None:
        """An image of any time, stamp included, as it was or changed."""
        images = self.world.history(self.world.old)
        if images:
            image = self.rng.choice(images)
            self.world.write("old", Put(self.world.old, self.rng.choice((image, self.changed(image)))), KEY)


class V2Application(Application):
    """The same on v2, where an item moves by a put and a delete, in either order or at once."""

    async def run(self) -> None:
        while not self.world.entered:
            await Turn()
        while self.left:
            await self.pause()
            await self._write()
            self.left -= 1
            await Turn()

    async def _write(self) -> None:
        live = self._live()
        kind = self.rng.choice(("put", "update", "update", "delete", "move", "back", "create"))
        if kind == "back":
            self._put_back()
        elif kind == "create":  # without reading first, and perhaps at another key
            self._put(self.fresh(), None)
        elif live is None:
            if kind in ("put", "update"):
                self._put(self.fresh(), None)
        elif kind == "delete":
            self._delete(live)
        elif kind == "put":
            await self._replace(live, self.fresh(), None)
        else:
            stamp = live.get(self.world.mapping.stamp)
            await self._replace(live, self.changed(self._old_form(live)), stamp)

    async def _replace(self, present: Item, old: Item, stamp: dict[str, Any] | None) -> None:
        """Put an item in place of one that was read before; if its key is another, delete the one at the first key."""
        v2 = forward(self.world.mapping, old)
        if v2.key == self._key(present):
            self._put(old, stamp)
            return
        first = self.rng.choice(("put", "delete", "both"))
        if first == "delete":
            self._delete(present, moving=True)
            await self.pause()
            self._put(old, None)
            return
        self._put(old, None)
        if first == "put":
            await self.pause()
        self._delete(present, moving=True)

    def _put(self, old: Item, stamp: dict[str, Any] | None) -> None:
        mapping = self.world.mapping
        v2 = forward(mapping, old)
        item = v2.item if stamp is None else {**v2.item, mapping.stamp: stamp}
        self.world.write("v2", Put(v2.table, item), v2.key)

    def _delete(self, item: Item, *, moving: bool = False) -> None:
        key = self._key(item)
        now = self.world.memory.item(self.world.v2_tables[0], key)
        if now is not None and "id" in now:
            elsewhere = sum("id" in other for other in self.world.memory.items(self.world.v2_tables[0])) > 1
            self.world.write("v2", Delete(self.world.v2_tables[0], key), key, moving=moving or elsewhere)

    def _put_back(self) -> None:
        """An image of any time, stamp included, as it was or changed; at its key."""
        world = self.world
        images = world.history(world.v2_tables[0])
        if images:
            image = self.rng.choice(images)
            changed = forward(world.mapping, self.changed(self._old_form(image)))
            if changed.key == self._key(image) and self.rng.random() < 0.5:
                image = {**changed.item, **self._stamp_of(image)}
            world.write("v2", Put(world.v2_tables[0], image), self._key(image))

    def _stamp_of(self, item: Item) -> Item:
        return {name: value for name, value in item.items() if name == self.world.mapping.stamp}

    def _live(self) -> Item | None:
        """One of the live items on v2."""
        live = [item for item in self.world.memory.items(self.world.v2_tables[0]) if "id" in item]
        return self.rng.choice(live) if live else None

    def _key(self, item: Item) -> Item:
        return {name: item[name] for name in self.world.mapping.tables[self.world.v2_tables[0]].key_names}

    def _old_form(self, item: Item) -> Item:
        bare = {name: value for name, value in item.items() if name != self.world.mapping.stamp}
        return inverse(self.world.mapping, bare, self.world.v2_tables[0])
