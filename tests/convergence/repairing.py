"""The validator's repair in steps: v2 first, then the old item, then a write on condition that v2 is as it was read."""

from service.core.item.wire import Item
from service.core.mapping.transform import forward
from service.core.rules import guarded as apply_rule
from tests.convergence.application import CREATED, old_item, old_key
from tests.convergence.trampoline import turn
from tests.convergence.world import World

HELD = (0, 0, 30)
"""Steps between the decision and the write: at once, or as long as a pause of its machine."""


class Repair:
    """One repair of one v2 key, registered while it is under way."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.number = world.rng.randrange(world.numbers)
        self.old_key = old_key(self.number)
        self.picky = world.rng.random() < 0.6

    async def run(self) -> None:
        """Register, read, write, unregister."""
        while not self._begins():
            await turn()
        self.world.repairs[self.name] = self.world.now
        table, key = self._place()
        v2, old = await self.read(table, key)
        write = apply_rule.repair_write(self.world.mapping, table, key, v2, old)
        for _ in range(self.world.rng.choice(HELD)):
            await turn()
        if write is not None:
            await self.world.memory.write(write)
        del self.world.repairs[self.name]

    def _begins(self) -> bool:
        """Whether it begins now: at random after the backfill; a picky one only while the application's last write is not on v2."""
        if not self.world.backfill_finished:
            return False
        if not self.picky or not self.world.is_alive("app"):
            return self.world.rng.random() < 0.3
        old = self.world.memory.item(self.world.mapping.old.table, self.old_key)
        v2 = self.world.memory.item(*self._place())
        return old is not None and v2 is None

    def _place(self) -> tuple[str, Item]:
        """Where the old item belongs now, or one of the other places where it may have been."""
        now = self.world.memory.item(self.world.mapping.old.table, self.old_key)
        if now is None or (not self.picky and self.world.rng.random() < 0.3):
            now = old_item(self.number, self.world.rng.choice(CREATED), {})
        place = forward(self.world.mapping, now)
        return place.table, place.key

    async def read(self, table: str, key: Item) -> tuple[Item | None, Item | None]:
        """The v2 item *before* the old item: the other order overwrites a newer change for good."""
        v2 = await self.world.memory.get(table, key)
        return v2, await self.world.memory.get(self.world.mapping.old.table, self.old_key)
