"""Incidents and phase moves of a two-way run. It knows which processes are alive and what they have read; it does not guess."""

from service.core.item.stamp import is_bare_tombstone
from service.core.rules.guarded import purge_write
from tests.convergence.trampoline import Turn
from tests.two_way.processes import end, kill, superseded, take_over
from tests.two_way.world import World


async def trouble(world: World, incidents: int) -> None:
    """Crashes and take-overs, at any time."""
    for _ in range(incidents):
        for _ in range(world.rng.randint(1, 25)):
            await Turn()
        table = world.rng.choice(world.tables)
        if world.rng.random() < 0.5:
            kill(world, table)
        take_over(world, table)


class Entering:
    """The first move into `dual`, step by step (DESIGN section 6)."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def run(self) -> None:
        for _ in range(self.world.rng.choice((0, 10, 60))):
            await Turn()
        await self._until_busy()
        await self.switch()
        await self.horizon()
        await self.drain()
        await self.observe()
        self.purge()
        await self.arm()
        await self.horizon()
        self._note_tombstones()
        self.world.entered = True

    async def _until_busy(self) -> None:
        """Wait for a while until forward has changes in hand: the hard cases are those in which it leaves some of them undone."""
        for _ in range(self.world.rng.choice((0, 200))):
            if any(
                name.startswith(f"sync {self.world.old} ") for name in set(self.world.stage.names()) - self.world.idle
            ):
                return
            await Turn()

    def purge(self) -> None:
        """Purge some of the guarded rule's tombstones: their records have been read, and no superseded process is alive."""
        world = self.world
        table, mapping = world.v2_tables[0], world.mapping
        for item in world.memory.items(table):
            if world.rng.random() < 0.5 and is_bare_tombstone(item, mapping.tables[table].key_names, mapping.stamp):
                world.memory.apply(purge_write(mapping, table, item))

    def _note_tombstones(self) -> None:
        world = self.world
        for table in world.v2_tables:
            stamps = [item[world.mapping.stamp]["M"] for item in world.memory.items(table) if "id" not in item]
            world.early_tombstones |= {stamp["v"]["S"] for stamp in stamps}

    async def switch(self) -> None:
        """Forward changes to the ledger rule, from its saved positions, and reverse notes; the previous owners may live on for a
        while."""
        self.world.rule = "entering"
        self._restart(self.world.tables)

    async def horizon(self) -> None:
        """Wait until no superseded process can write: its own clock stops it, at whichever step it is."""
        world = self.world
        while names := [name for table in world.tables for name in superseded(world, table)]:
            if world.rng.random() < 0.05:
                end(world, world.rng.choice(names))
            await Turn()

    async def drain(self) -> None:
        """Wait until forward has applied, by the new rule, every record that the old stream has now."""
        await self._until_read([self.world.old])

    async def observe(self) -> None:
        """Wait until reverse has read every record of what the guarded rule has written."""
        await self._until_read(self.world.v2_tables)

    async def arm(self) -> None:
        """Reverse carries from now on."""
        self.world.rule = "ledger"
        self._restart(self.world.tables)

    def _restart(self, tables: list[str]) -> None:
        for table in tables:
            if self.world.rng.random() < 0.6:
                kill(self.world, table)
            take_over(self.world, table)

    async def _until_read(self, tables: list[str]) -> None:
        world = self.world
        ends = {(table, shard): world.length(table, shard) for table in tables for shard in world.shards(table)}
        while any(world.positions.get(place, 0) < end for place, end in ends.items()):
            await Turn()
