"""Sync processes in steps: they read a shard's records in order, and apply each by the real sinks before its position is saved."""

from service.core.item.change import Change, parse_record
from service.core.phases.acting import Side
from service.core.rules import guarded as apply_rule
from service.errors import Retryable
from service.sync.sinks.before_dual import EnteringSink, RogueWriteSink
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.guarded import apply_writes
from service.sync.sinks.key_order import by_key
from service.sync.sinks.reverse import ReverseSink
from tests.convergence.trampoline import Turn
from tests.two_way.witness import Witness
from tests.two_way.world import GENERATION, WRITER_HORIZON, Died, World


class Process:
    """Owner number ``number`` of a table's stream, as it reads one shard. A superseded one continues, but saves nothing."""

    def __init__(self, world: World, table: str, shard: str, number: int) -> None:
        self.world = world
        self.table = table
        self.shard = shard
        self.number = number
        self.rule = world.rule
        self._witness = Witness(world, self._side)
        self._sink = self._new_sink()
        self.name = f"sync {table} {shard} {number}"
        """The name of its actor."""

    def start(self) -> None:
        """Start it as an actor of the run."""
        self.world.stage.start(self.name, self.run())

    @property
    def _side(self) -> Side:
        return "old" if self.table == self.world.old else "v2"

    def _new_sink(self) -> ForwardSink | ReverseSink | EnteringSink | None:
        access = self.world.access(f"{self.table} {self.number}", self.table)
        context = self.world.context(self._witness, self._witness.count)
        if self.rule == "guarded":
            return None
        if self._side == "old":
            return ForwardSink(access, context, 1)
        if self.rule == "ledger":
            return ReverseSink(access, context, 1)
        rogue_writes = RogueWriteSink(self.world.mapping, self._witness)
        return EnteringSink(access, rogue_writes, context.generations, 1)

    @property
    def superseded(self) -> bool:
        return self.world.owners[self.table] != self.number

    async def run(self) -> None:
        """Read without end; a superseded process may die at each step."""
        position = self.world.positions.get((self.table, self.shard), 0)
        records, idle, next_turn = self.world.records(self.table, self.shard), self.world.idle, Turn()
        while not (self.superseded and self.world.rng.random() < self.world.dying):
            if self.world.clock.made < self.world.late.get(self.table, 0):
                idle.discard(self.name)
                await next_turn
                continue
            if position == len(records):  # most turns are these
                idle.add(self.name)
                await next_turn
                continue
            idle.discard(self.name)
            changes = self._records(position, self.world.rng.choice((1, 1, 2, *range(3, self.world.pages))))
            if self.superseded:
                await self._doze()
            try:
                await self.take(position, changes)
            except Died:
                return
            except Retryable:  # it begins again at the saved position, as a lane does
                self._sink = self._new_sink()
                position = self.world.positions.get((self.table, self.shard), 0)
            else:
                position += len(changes)

    async def _doze(self) -> None:
        """Pause with records read and not yet applied, as a paused virtual machine does."""
        for _ in range(self.world.rng.choice((0, 0, 30, 100))):
            await Turn()

    async def take(self, position: int, changes: list[Change]) -> None:
        """Apply the changes that were read at a position, and then save the position after them."""
        await self.apply(changes)
        await self.save(position + len(changes))

    async def save(self, position: int) -> None:
        """Save a position: every record before it is applied. A superseded process cannot; an owner does not save every one."""
        await Turn()
        at_end = position == self.world.length(self.table, self.shard)
        if not self.superseded and (at_end or self.world.rng.random() < self.world.saving):
            self.world.positions[self.table, self.shard] = position

    def _records(self, position: int, size: int) -> list[Change]:
        page = self.world.memory.stream(self.table).read(self.shard, position, size)
        return [parse_record(record, table=self.table, shard_id=self.shard) for record in page.records]

    async def apply(self, changes: list[Change]) -> None:
        """Apply changes of one shard, in their order."""
        if self._sink is not None and self.world.pages:
            for run in by_key(changes):
                await self._sink.apply_key(run)
            self.world.read |= {(change.table, change.sequence) for change in changes}
        elif self._sink is not None:
            for change in changes:
                await self._sink.apply_key([change])
                self._witness.judged(change)
                self.world.read.add((change.table, change.sequence))
        elif self.table == self.world.old:
            await self._guarded(changes)

    async def _guarded(self, changes: list[Change]) -> None:
        """The guarded rule, with the changes of a page coalesced."""
        for run in by_key(changes):
            for write in apply_rule.guarded_writes(self.world.mapping, run, GENERATION):
                await apply_writes(self.world.memory, [write], fence=lambda: None)


def take_over(world: World, table: str) -> None:
    """Start a new owner of a table's stream. The previous one continues without knowing that it is superseded."""
    world.owners[table] += 1
    world.ends += [(world.clock.made + WRITER_HORIZON, name) for name in superseded(world, table)]
    for shard in world.shards(table):
        Process(world, table, shard, world.owners[table]).start()


def kill(world: World, table: str) -> None:
    """Kill the owner's workers at once, as kill -9 does."""
    for name in list(world.stage.names()):
        if name.startswith(f"sync {table} ") and name.endswith(f" {world.owners[table]}"):
            end(world, name)


def end(world: World, name: str) -> None:
    """End one worker at once."""
    world.stage.kill(name)
    world.idle.discard(name)


def superseded(world: World, table: str) -> list[str]:
    """The workers that can still write although another process has taken over."""
    names = [name for name in world.stage.names() if name.startswith(f"sync {table} ")]
    return [name for name in names if not name.endswith(f" {world.owners[table]}")]
