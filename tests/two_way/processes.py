"""Sync processes in steps: each shard's records in order, each applied by the real sinks before its position is saved."""

from service.applier import Applier
from service.core import apply_rule
from service.core.change import Change, parse_record
from service.forward_ledger import ForwardLedger
from service.reverse_ledger import ReverseLedger
from tests.convergence.trampoline import Turn
from tests.two_way.world import GENERATION, World


class Process:
    """Owner number ``number`` of a table's stream: an actor for each shard. A superseded one goes on and saves nothing."""

    def __init__(self, world: World, table: str, number: int) -> None:
        self.world = world
        self.table = table
        self.number = number
        self.rule = world.rule
        self._sink = self._new_sink()

    def start(self) -> None:
        """Let its workers take part."""
        for shard in self.world.shards(self.table):
            self.world.stage.start(self.name(shard), self.run(shard))

    def name(self, shard: str) -> str:
        return f"sync {self.table} {shard} {self.number}"

    def _new_sink(self) -> ForwardLedger | ReverseLedger | None:
        world = self.world
        if self.table == world.old:
            return ForwardLedger(world.parts("old"), 1) if self.rule != "guarded" else None
        return ReverseLedger(world.parts("v2"), 1) if self.rule == "ledger" else None

    @property
    def superseded(self) -> bool:
        return self.world.owners[self.table] != self.number

    async def run(self, shard: str) -> None:
        """Read on for ever; a superseded process dies at any time."""
        place, me = (self.table, shard), self.name(shard)
        position = self.world.positions.get(place, 0)
        while not (self.superseded and self.world.rng.random() < 0.1):
            if position == self.world.length(self.table, shard):
                self.world.idle.add(me)
                await Turn()
                continue
            self.world.idle.discard(me)
            size = self.world.rng.choice((1, 1, 2))
            changes = self._records(shard, position, size)
            await self._apply(changes)
            position += len(changes)
            await Turn()
            if not self.superseded:
                self.world.positions[place] = position

    def _records(self, shard: str, position: int, size: int) -> list[Change]:
        stream = self.world.memory.stream(self.table)
        page = stream.read(shard, position, size)
        return [parse_record(record, table=self.table, shard_id=shard) for record in page.records]

    async def _apply(self, changes: list[Change]) -> None:
        if self._sink is not None:
            for change in changes:
                await self._sink.apply_key([change])
        elif self.table == self.world.old:
            await self._guarded(changes)

    async def _guarded(self, changes: list[Change]) -> None:
        """The guarded rule, with the changes of a page coalesced."""
        for write in apply_rule.change_writes(self.world.mapping, changes, GENERATION):
            await Applier(self.world.memory, fence=lambda: None, count=lambda _: None).apply([write])


def take_over(world: World, table: str) -> None:
    """A new owner of a table's stream; the one before goes on and does not know it."""
    world.owners[table] += 1
    Process(world, table, world.owners[table]).start()


def kill(world: World, table: str) -> None:
    """Kill the owner's workers where they stand, as kill -9 does."""
    for name in list(world.stage.names()):
        if name.startswith(f"sync {table} ") and name.endswith(f" {world.owners[table]}"):
            world.stage.kill(name)
            world.idle.discard(name)


def superseded_alive(world: World, table: str) -> bool:
    """Whether a superseded process can still write."""
    return any(
        name.startswith(f"sync {table} ") and not name.endswith(f" {world.owners[table]}")
        for name in world.stage.names()
    )
