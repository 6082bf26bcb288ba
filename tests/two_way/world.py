"""One small migration in two directions under a seed: tables whose streams have a shard for every few keys, and the truth."""

from collections import Counter
from collections.abc import Callable, Collection, Sized
from dataclasses import dataclass, field
from random import Random

import orjson

from service.control.activity import ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine
from service.control.quarantine_cache import QuarantineCache
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.change import parse_record
from service.core.item.stamp import own_stamp
from service.core.item.wire import Item
from service.core.item.write import TransactItem, Write
from service.core.mapping.mapping import Mapping
from service.core.phases.acting import Side
from service.core.rules.ledger import is_write_of
from service.dynamodb.protocol import Fence, WriteOutcome
from service.sync.sinks.context import SinkContext
from service.sync.sinks.ledger_access import LedgerAccess
from tests.convergence.trampoline import Trampoline, Turn
from tests.fakes.memory import MemoryDynamoDB
from tests.fakes.memory_stream import FIRST_SEQUENCE, MemoryStream, Shard
from tests.fakes.memory_table import Table

WRITER_HORIZON = 300
"""Steps (the clock's seconds) after which nothing that a superseded process has sent can still arrive."""

GENERATION = 1
CONTROL = "control"
SHARD_SEQUENCES = 10**6
"""Sequence numbers of a shard of v2: more than any run needs."""


class ScatteredStream(MemoryStream):
    """Keys of one partition in several shards, as once DynamoDB has split a partition between sort keys.

    Sequence numbers of different shards have no order in time: here those of a later shard are all higher.
    """

    def __init__(self, arn: str, shards: int) -> None:
        super().__init__(arn, shards)
        self._keys: dict[str, int] = {}

    def append(self, partition: str, key: bytes, old: bytes | None, new: bytes | None) -> str:
        shard = self._shard_of(key.decode())
        self.next_sequence = FIRST_SEQUENCE + self._roots.index(shard) * SHARD_SEQUENCES + len(shard.records)
        return super().append(key.decode(), key, old, new)

    def _shard_of(self, partition: str) -> Shard:
        """By turns, in the order in which keys appear."""
        return self._roots[self._keys.setdefault(partition, len(self._keys)) % len(self._roots)]


class WatchedDynamoDB(MemoryDynamoDB):
    """Calls ``after_v2_write`` after each accepted write of v2, and ``stored`` after each change of any item."""

    after_v2_write: Callable[[], None] | None = None
    stored: Callable[[str, bytes, bytes | None, bytes | None], None] | None = None
    """Called with table, key, and the item before and after."""
    v2_tables: Collection[str] = ()
    twice: Callable[[], bool] | None = None
    """Whether the answer to a write is lost, and the client sends it again."""

    def apply(self, *writes: TransactItem) -> bool:
        accepted = super().apply(*writes)
        if accepted and self.after_v2_write is not None and any(write.table in self.v2_tables for write in writes):
            self.after_v2_write()
        return accepted

    async def _write(self, operation: str, write: Write, fence: Fence | None) -> bool:
        accepted = await super()._write(operation, write, fence)
        return self.apply(write) if self.twice is not None and self.twice() else accepted

    async def try_write(self, write: Write, *, fence: Fence | None = None) -> WriteOutcome:
        accepted = await super()._write("write", write, fence)
        if self.twice is None or not self.twice():
            return "written" if accepted else "refused"
        return "written" if self.apply(write) else "unknown"

    def _store(self, shape: Table, key: bytes, new: bytes | None) -> None:
        old = shape.items.get(key)
        super()._store(shape, key, new)
        if self.stored is not None and old != new:
            self.stored(shape.name, key, old, new)


class Steps:
    """A clock whose time is the number of steps made."""

    def __init__(self) -> None:
        self.made = 0

    def now(self) -> float:
        return float(self.made)

    def monotonic(self) -> float:
        return float(self.made)

    async def sleep(self, seconds: float) -> None:
        await Turn()


@dataclass(frozen=True, slots=True)
class MemorySearch:
    """Implements ``StampSearch`` on the streams in memory."""

    world: "World"

    async def has(self, table: str, key: Item, version: str) -> bool:
        """Whether a record after the saved positions has the stamp."""
        await Turn()
        found = False
        for shard in self.world.shards(table):
            position = self.world.positions.get((table, shard), 0)
            for record in self.world.memory.stream(table).read(shard, position, 10_000).records:
                change = parse_record(record, table=table, shard_id=shard)
                for image in (change.old, change.new):
                    stamp = own_stamp(image, change.key, self.world.mapping.stamp)
                    found |= change.key == key and stamp is not None and is_write_of(stamp.version, version)
        return found


class Died(Exception):
    """A superseded process ends: its own clock stops it."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Implements ``Superseded``: waits until every process that was superseded has died."""

    world: "World"
    table: str
    worker: str

    async def silent(self, *, any_worker: bool = False) -> None:
        """Return once no superseded process reads the table's stream. Raises Died in one that is superseded itself."""
        while any(self._superseded()):
            if not self.worker.endswith(f" {self.world.owners[self.table]}"):
                raise Died
            await Turn()

    def _superseded(self) -> list[str]:
        world, prefix = self.world, f"sync {self.table} "
        owner = f" {world.owners[self.table]}"
        return [name for name in world.stage.names() if name.startswith(prefix) and not name.endswith(owner)]


@dataclass(frozen=True, slots=True)
class AppWrite:
    """A write of the application that was acknowledged."""

    side: Side
    key: Item
    """Of the item written."""
    before: Item | None
    """The item at the key before the write."""
    after: Item | None
    """The item at the key after the write."""
    written: int
    """Index into the memory's log of all writes."""
    moving: bool = False
    """A delete on v2 while the item lives, or is about to live, at another key."""
    initial: bool = False
    """The item that is on both sides at the start."""


@dataclass(slots=True)
class World:
    """The state that everything in one run shares."""

    rng: Random
    mapping: Mapping
    memory: WatchedDynamoDB
    stage: Trampoline
    clock: Steps = field(default_factory=Steps)
    rule: str = "ledger"
    """As in ``Acting``."""
    epoch: int = 1
    entered: bool = True
    """The application may write v2."""
    unique: bool = True
    """Each write of the application has a value of its own, so that it can be followed."""
    positions: dict[tuple[str, str], int] = field(default_factory=dict)
    """Saved, by table and shard: how many records are applied."""
    owners: Counter[str] = field(default_factory=Counter)
    """By table, the number of the process that holds the lease."""
    idle: set[str] = field(default_factory=set)
    """Names of the processes that have read their shard to its end."""
    early_tombstones: set[str] = field(default_factory=set)
    """Versions of the tombstones written before the application may write v2; the purger removes them after their grace."""
    saving: float = 1.0
    """How likely a position is saved before a shard is read to its end."""
    dying: float = 0.1
    """How likely a superseded process dies at each of its steps."""
    moving: float = 0.25
    """How likely a change of the application moves the item."""
    app: list[AppWrite] = field(default_factory=list)
    made: set[tuple[str, str]] = field(default_factory=set)
    """Table and sequence number of each record that the application has made."""
    read: set[tuple[str, str]] = field(default_factory=set)
    """Table and sequence number of each record that a sink has applied."""
    writing: bool = False
    """The application is writing at this moment."""
    lives: int = 0
    """How many live items v2 had before the write that is being made."""
    entities: tuple[str, ...] = ("DEAL",)
    """Those that this run uses."""
    pages: int = 0
    """The most records that a process reads at once and applies key by key; 0: it applies one or two, one after the other."""
    late: dict[str, int] = field(default_factory=dict)
    """The step before which a table's stream is not read."""
    values: int = 0
    """How many values the applications have made, each only once."""
    mapping_merges: bool = False
    """Whether the mapping says of some fields that both sides count them or extend them (``merge``)."""
    any_form: bool = False
    """Whether the old side of a random history writes a field in forms that v2 cannot have."""
    creating: bool = False
    """Whether the applications of a random history also create, delete and move hot items."""
    ends: list[tuple[int, str]] = field(default_factory=list)
    """The step at which a superseded process ends at last, and its name."""
    counts: Counter[str] = field(default_factory=Counter)
    in_flight: dict[str, set[str]] = field(default_factory=dict)
    """By worker, the places whose records it is applying."""

    @property
    def old(self) -> str:
        return self.mapping.old.table

    @property
    def tables(self) -> list[str]:
        """The old table and the v2 tables that this run uses."""
        return [self.old, *self.v2_tables]

    @property
    def v2_tables(self) -> list[str]:
        return [self.mapping.entities[name].table for name in self.entities]

    def write(self, side: Side, write: TransactItem, key: Item, *, moving: bool = False) -> bool:
        """The application writes; the item before and after the write is recorded."""
        table = self.old if side == "old" else self.v2_tables[0]
        before = self.memory.item(table, key)
        made = len(self.memory.written)
        self.writing = True
        accepted = self.memory.apply(write)
        self.writing = False
        if accepted and len(self.memory.written) > made:
            self.app.append(AppWrite(side, key, before, self.memory.item(table, key), made, moving))
            self.made.add((table, self.memory.written[made].sequence))
        return accepted

    def act(self, *writes: TransactItem) -> bool:
        """An application writes, all or nothing."""
        made = len(self.memory.written)
        self.writing = True
        accepted = self.memory.apply(*writes)
        self.writing = False
        self.made |= {(write.table, write.sequence) for write in self.memory.written[made:]}
        return accepted

    @property
    def control(self) -> ControlTable:
        """The control table."""
        return ControlTable(self.memory, CONTROL)

    def history(self, table: str) -> list[Item]:
        """Every item that a table has ever held, written by an application or by the sync."""
        images = [orjson.loads(write.new) for write in self.memory.written if write.table == table and write.new]
        return [image for image in images if "id" in image]

    def live(self) -> list[Item]:
        """The live items in v2."""
        return [item for table in self.v2_tables for item in self.memory.items(table) if "id" in item]

    def access(self, worker: str, table: str) -> LedgerAccess:
        """What a sink of the ledger rule reads and writes with. ``worker``: the process; ``table``: whose stream it reads."""
        control = self.control
        return LedgerAccess(
            Stores(self.memory, control, self.mapping, self.clock),
            Ledger(control, self.clock, self.old, self.epoch),
            Conflicts(control),
            lambda: None,
            worker,
            MemorySearch(self),
            Silence(self, table, worker),
            purge_at_once=self.rule == "ledger",
            retried=lambda reason: self.counts.update([reason]),
            in_flight=self.in_flight.setdefault(worker, set()),
            both_written=self.rule == "ledger",
        )

    def context(self, activity: ActivityRecorder, count: Callable[[str], None]) -> SinkContext:
        """The context of a sink of the ledger rule."""
        quarantine = Quarantine(self.control, self.clock)
        cache = QuarantineCache(quarantine, self.clock)
        return SinkContext(quarantine, cache, activity, dict.fromkeys(self.tables, GENERATION), count)

    def shards(self, table: str) -> list[str]:
        """The shards of a table's stream; they never end here."""
        return [shard.shard_id for shard in self.memory.stream(table).describe(None).shards]

    def length(self, table: str, shard: str) -> int:
        """How many records a shard holds."""
        return len(self.records(table, shard))

    def records(self, table: str, shard: str) -> Sized:
        """A shard's records. Records that are written later appear in it too."""
        return self.memory.stream(table)._all[shard].records

    def all_read(self) -> bool:
        """Whether every record is applied and saved."""
        return all(
            self.positions.get((table, shard), 0) == self.length(table, shard)
            for table in self.tables
            for shard in self.shards(table)
        )


async def turn(operation: str, subject: object) -> None:
    """Hand the turn to another actor before every request."""
    await Turn()


def new_world(seed: int, mapping: Mapping, entities: tuple[str, ...] = ("DEAL",)) -> World:
    """Empty tables for some entities; the v2 keys of each lie in two shards."""
    rng = Random(seed)
    memory = WatchedDynamoDB()
    world = World(rng, mapping, memory, Trampoline(rng), unique=rng.random() < 0.6, entities=entities)
    world.saving, world.moving = rng.choice((1.0, 0.3, 0.1)), rng.choice((0.25, 0.7))
    world.dying = rng.choice((0.1, 0.02))
    memory.create_table(CONTROL, ("pk", "sk"))
    memory.create_table(world.old, mapping.old.key_names)
    for table in world.v2_tables:
        memory.create_table(table, mapping.tables[table].key_names)
        memory.tables[table].stream = ScatteredStream(memory.stream(table).arn, 2)
    memory.v2_tables = world.v2_tables
    memory.before = turn
    return world
