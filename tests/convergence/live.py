"""The real sink, quarantine, engine, checkpoints and backfill copier on the in-memory table, under a conductor."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from backfill.throttle import ThrottleWaits, WriteLimits
from backfill.window import Window
from backfill.window_copier import RequestSlots, Target, WindowCopier
from service.control.checkpoints import Checkpoints
from service.control.quarantine import Quarantine
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.mapping.mapping import Mapping
from service.core.rules.quarantine import Left
from service.dynamodb.protocol import Fence
from service.errors import Poison
from service.streams.embedded import EmbeddedEngine
from service.streams.passed import stream_start
from service.streams.requests import StreamRequests
from service.streams.retry import StreamRetry
from service.sync.guarded_retry import GuardedRetry
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.sync.upkeep.retry import Retrier
from tests.builders.mappings import crm
from tests.convergence.application import old_key, random_item
from tests.convergence.conductor import Conductor, Killed
from tests.convergence.invariants import GENERATION, Violated
from tests.convergence.world import empty_tables
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

P = TypeVar("P", bound="Process")
CURSED = {"S": "cursed"}
"""A company that DynamoDB refuses to store on v2, until ``Live.mend``."""


@dataclass(frozen=True)
class Pace:
    """The settings of the engine and of the retries."""

    shard_read_seconds: float = 0.25
    poll_interval_seconds: float = 0.5
    checkpoint_every_seconds: float = 1.0
    shard_discovery_seconds: float = 2.0
    verify_seconds: float = 300.0
    verify_age_seconds: float = 900.0
    verify_keys_per_second: float = 1000.0


@dataclass
class Live:
    """The state that everything in one run shares."""

    mapping: Mapping
    rng: Random
    numbers: int = 2
    cursed: bool = True
    owner: int = 0
    processes: list["Process"] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.conductor = Conductor(self.rng)
        self.memory = empty_tables(self.mapping)
        self.memory.create_table("control", ("pk", "sk"))
        self.arn = self.memory.stream(self.mapping.old.table).arn

    async def save_start(self, *, whole: bool) -> None:
        """Save the stream's start, as create-tables does. ``whole``: all is replayed, as if no shard could be read."""
        checkpoints = Checkpoints(ControlTable(self.memory, "control"), self.arn, self.mapping.hash)
        start = await stream_start(self.memory, self.arn, _Instant(), Pace().shard_read_seconds, read_open=not whole)
        for shard_id, position in start.positions.items():
            await checkpoints.save(shard_id, position)

    def take_over(self) -> "Sync":
        """Start a new sync process. The previous one continues until it is killed or its save is refused."""
        self.owner += 1
        return self.add(Sync(self))

    def add(self, process: P) -> P:
        """Count a process among those of the run."""
        self.processes.append(process)
        return process

    def split(self) -> None:
        """Split an open shard of the old table's stream."""
        stream = self.memory.stream(self.mapping.old.table)
        open_shards = [shard.shard_id for shard in stream.describe(None).shards if shard.ending is None]
        stream.split(self.rng.choice(open_shards), self.rng.choice((1, 2)))

    async def application(self, writes: int) -> None:
        """Make writes of every kind, among them some that cannot be carried."""
        for _ in range(writes):
            await self.conductor.request()
            number = self.rng.randrange(self.numbers)
            if self.rng.random() < 0.3:
                self.memory.apply(Delete(self.mapping.old.table, old_key(number)))
            else:
                self.put_old({**random_item(self.rng, number), **self.rng.choice(({}, {}, BAD, REFUSED))})

    def put_old(self, item: Item) -> None:
        """The application writes an old item."""
        self.memory.apply(Put(self.mapping.old.table, item))

    def mend(self) -> None:
        """DynamoDB stores every company from now on, and the application corrects the entities that the mapping does not know."""
        self.cursed = False
        for item in self.memory.items(self.mapping.old.table):
            self.put_old({**item, "entity_type": {"S": "DEAL"}})

    def quarantine(self) -> Quarantine:
        """The quarantine, read through a connection that waits for no turn."""
        return Quarantine(ControlTable(self.memory, "control"), self.conductor)

    async def retry_all(self) -> None:
        """Retry every key in quarantine, as the operator does."""
        stores = Stores(self.memory, ControlTable(self.memory, "control"), self.mapping, self.conductor)
        retry = GuardedRetry(stores, GENERATION, "operator", 10.0)
        for key_id in await self.quarantine().heads():
            await retry.retry(key_id)


async def started(seed: int) -> Live:
    """The state of a run of ``seed``, with some old items, and the stream's start saved."""
    random.seed(seed)  # the jitter's
    live = Live(crm(), Random(seed))
    for number in range(live.numbers):
        if live.rng.random() < 0.7:
            live.put_old(random_item(live.rng, number))
    whole = seed % 4 > 0
    if not whole:
        live.split()
        live.put_old(random_item(live.rng, live.rng.randrange(live.numbers)))
    await live.save_start(whole=whole)
    return live


async def check_quarantined(live: Live) -> None:
    """I6: every old item that no mapping knows is counted in quarantine."""
    quarantine = live.quarantine()
    for item in live.memory.items(live.mapping.old.table):
        key = {name: item[name] for name in live.mapping.old.key_names}
        if item["entity_type"] == {"S": "GOBLIN"} and not await quarantine.holds(live.mapping.old.table, key):
            raise Violated(f"I6: {item} is neither on v2 nor in quarantine")


def replayed(module: str, run: Callable[[int], Coroutine[Any, Any, None]], seed: int) -> None:
    """Run one seed; a violation names the command that runs it again, by the function ``replay`` of ``module``."""
    try:
        asyncio.run(run(seed))
    except (Violated, AssertionError) as error:
        again = f"python -c 'from {module} import replay; replay({seed})'"
        raise Violated(f"seed {seed}: {error}\nagain: {again}") from error


def fails(replay: Callable[[int], None], seed: int) -> bool:
    """Whether a seed shows a violation."""
    try:
        replay(seed)
    except Violated:
        return True
    return False


BAD: Item = {"entity_type": {"S": "GOBLIN"}}
REFUSED: Item = {"company": CURSED}


@dataclass(frozen=True)
class _Uncounted:
    """Implements ``SinkEvents``; counts nothing."""

    taken_over: Callable[[], int]

    def count(self, outcome: str) -> None: ...

    def tombstone(self, put: Put) -> None: ...

    def left(self, table: str, key: Item, how: Left) -> None: ...


class _Instant(VirtualClock):
    """The clock of a start, which nothing else runs beside: it need not wait."""

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Process:
    """A process that can be killed: its requests go through its own view of the tables."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.dead = False
        self.store: MemoryDynamoDB = copy(live.memory)
        self.store.before = self._request
        self.control = ControlTable(self.store, "control")
        self.task = asyncio.create_task(self.main())

    def main(self) -> Coroutine[Any, Any, None]:
        """The work of the process."""
        raise NotImplementedError  # each kind of process has its own

    def sink(self, fence: Fence, taken_over: Callable[[], int] = lambda: 0) -> GuardedSink:
        """The real sink, which writes through this process's own view."""
        stores = Stores(self.store, self.control, self.live.mapping, self.live.conductor)
        return GuardedSink(GuardedSinkContext(stores, GENERATION, fence, _Uncounted(taken_over)), 3)

    async def kill(self) -> None:
        """End it as kill -9 does: a request that is under way is not made any more."""
        self.dead = True
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _request(self, _operation: str, subject: object) -> None:
        if self.dead:
            raise Killed
        await self.live.conductor.request(self)
        if self.dead:
            raise Killed
        if self.live.cursed and isinstance(subject, Put) and subject.item.get("company") == CURSED:
            raise Poison("DynamoDB refuses the item", reason="refused_by_dynamodb")


class Sync(Process):
    """A sync process: engine, sink, checkpoints."""

    def __init__(self, live: Live) -> None:
        self.token = live.owner
        super().__init__(live)

    def main(self) -> Coroutine[Any, Any, None]:
        """The engine, until it is killed or superseded."""
        self.engine = self._engine()
        return self.engine.run()

    def _engine(self) -> EmbeddedEngine:
        live = self.live
        requests = StreamRequests(self.store, live.arn, live.mapping.old.table, StreamRetry(live.conductor, _ignore))
        positions = Checkpoints(self.control, live.arn, live.mapping.hash, self.token)
        return EmbeddedEngine(requests, self.sink(_unfenced), positions, Pace())


class Backfill(Process):
    """One worker of the backfill: a window of the whole table, copied and quarantined by the real copier."""

    async def main(self) -> None:
        live = self.live
        waits = ThrottleWaits(live.conductor, lambda _reason, _seconds: None)
        target = Target(
            store=self.store,
            quarantine=Quarantine(self.control, live.conductor),
            limits=WriteLimits(live.conductor, waits, None),
            waits=waits,
            slots=RequestSlots(waits, 2),
            fence=_unfenced,
            clock=live.conductor,
            patience_seconds=60.0,
        )
        window = Window(10)
        page = await self.store.scan(live.mapping.old.table, segment=0, segments=1, start=None, limit=10)
        window.add(live.mapping, GENERATION, page)
        await WindowCopier(target, live.mapping, live.rng, _ignore).copy(window)


class Retries(Process):
    """A worker that retries every key in quarantine once, as the worker does that holds the lease."""

    async def main(self) -> None:
        live = self.live
        stores = Stores(self.store, self.control, live.mapping, live.conductor)
        retry = GuardedRetry(stores, GENERATION, "worker", 10.0)
        await Retrier(Quarantine(self.control, live.conductor), retry, live.conductor, Pace(), _ignore).retry_all()


def _unfenced() -> None:
    """No fence: a superseded process continues as long as it lives, which is the worst case."""


def _ignore(_event: object) -> None:
    """Count nothing."""
