"""One small migration under a seed: its tables, actors and saved positions, and the facts that the purger decides by."""

from dataclasses import dataclass, field
from random import Random

from service.core import shards as lineage
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.shards import Position
from tests.convergence.invariants import GENERATION
from tests.convergence.trampoline import Trampoline, turn
from tests.fakes.memory import MemoryDynamoDB


@dataclass(slots=True)
class World:
    """The state that everything in one run shares."""

    rng: Random
    mapping: Mapping
    memory: MemoryDynamoDB
    stage: Trampoline
    arn: str = ""
    positions: dict[str, Position] = field(default_factory=dict)
    """The saved checkpoints of the old table's stream, by shard."""
    page: Item | None = None
    """The saved checkpoint of the backfill: the last key whose page is acknowledged."""
    backfill_finished: bool = False
    owner: int = 0
    """Number of the process that holds the lease; every older one that is alive is superseded."""
    repairs: dict[str, int] = field(default_factory=dict)
    """By name, the repairs that are registered and have not ended, and the step at which each began."""
    now: int = 0
    """Steps made so far."""
    draining: bool = False
    generation: int = GENERATION
    numbers: int = 1

    def is_alive(self, prefix: str) -> bool:
        """Whether any actor whose name begins with ``prefix`` has not ended."""
        return any(name.startswith(prefix) for name in self.stage.names())


def empty_tables(mapping: Mapping) -> MemoryDynamoDB:
    """The old table with its stream, and the v2 tables."""
    memory = MemoryDynamoDB()
    memory.create_table(mapping.old.table, mapping.old.key_names)
    for name, shape in mapping.tables.items():
        indexes = {index: key.names for index, key in shape.indexes.items()}
        memory.create_table(name, shape.key_names, indexes=indexes)
    return memory


def new_world(seed: int, mapping: Mapping) -> World:
    """Empty tables, and the start of the old table's stream saved."""
    rng = Random(seed)
    memory = empty_tables(mapping)
    memory.before = turn
    world = World(rng, mapping, memory, Trampoline(rng), numbers=rng.choice((1, 1, 1, 2)))
    described = memory.stream(mapping.old.table).describe(None)
    world.arn = described.arn
    world.positions = lineage.first_positions({shard.shard_id: shard.parent_id for shard in described.shards}, 0.0)
    return world
