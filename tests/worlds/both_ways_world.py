"""The tables of the validation tests under the ledger rule, with both directions applying the records of the streams."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, Self

import orjson
import pytest

from service.config import Settings
from service.control.activity import Activities, ActivityRecorder
from service.control.conflicts import Conflicts
from service.control.ledger import Ledger
from service.control.quarantine import Quarantine
from service.control.quarantine_cache import QuarantineCache
from service.control.state import change_state, load_started_state
from service.control.stores import Stores
from service.control.workers import Beat, LaneBeat, Workers
from service.core.item.change import Change, parse_record
from service.core.item.stamp import own_stamp
from service.core.item.wire import Item
from service.core.item.write import Delete, Put, Update
from service.core.phases.acting import Acting, Side
from service.core.rules.ledger import is_write_of
from service.dynamodb.protocol import Fence
from service.sync.ledger_retry import LedgerRetry
from service.sync.sinks.context import SinkContext
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.ledger_access import LedgerAccess
from service.sync.sinks.reverse import ReverseSink
from tests.builders.small_crm import GENERATION, lead_key, old_key
from tests.worlds.validation_world import World


@dataclass
class Silence:
    """Implements ``Superseded``: counts how often a sink has waited."""

    waits: int = 0
    until_silent: list[Callable[[], Coroutine[Any, Any, None]]] = field(default_factory=list)
    """What happens while the sink waits."""

    async def silent(self, *, any_worker: bool = False) -> None:
        self.waits += 1
        for happens in self.until_silent:
            await happens()


@dataclass(frozen=True)
class MemorySearch:
    """Implements ``StampSearch`` on the streams in memory, from the records that are applied."""

    world: "BothWays"

    async def has(self, table: str, key: Item, version: str) -> bool:
        found = (change for change in self.world.unread(table) if change.key == key)
        stamps = [
            own_stamp(image, key, self.world.mapping.stamp) for change in found for image in (change.old, change.new)
        ]
        return any(stamp is not None and is_write_of(stamp.version, version) for stamp in stamps)


class BothWays(World):
    """``carry`` applies the records of both streams, as the lanes would. ``epoch``: that of the ledger entries that it makes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.epoch = 1
        self.both_written = False
        self.read: Counter[tuple[str, str]] = Counter()
        self.counts: Counter[str] = Counter()
        self.left: list[tuple[str, str]] = []
        """The tables of the keys that have left quarantine, and how they have."""
        self.silence = Silence()
        self.conflicts = Conflicts(self.control)
        self.quarantine = Quarantine(self.control, self.clock)

    @classmethod
    async def carried(cls, old: Item) -> Self:
        """A migration whose one old item was carried to v2."""
        world = cls()
        world.db.apply(Put("old", old))
        await world.carry()
        return world

    def put_on_both_sides(self, old: Item | None, v2: Item | None) -> None:
        """Put the items on both sides, with no record of them left to read."""
        for table, item in (("old", old), ("leads", v2)):
            if item is not None:
                self.db.apply(Put(table, item))
        self.skip()

    def skip(self) -> None:
        """Count every record in the streams as applied, without applying it: a gap."""
        for place in self._ends():
            self.read[place] = self._ends()[place]

    async def carry(self) -> None:
        """Let both directions apply the records of their streams, until none is left."""
        while any(self.read[place] < end for place, end in self._ends().items()):
            for table, shard in self._ends():
                await self.carry_from(table, shard)

    async def both_ways(
        self, settled: Callable[[], Coroutine[Any, Any, None]] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Run a validation both ways, and return its document."""
        self.settled = settled or self.carry  # type: ignore[method-assign]  # what the sync does between two comparisons
        return (await self.validate(settled=True, both_ways=True, **options)).to_json()

    def access(self, fence: Fence = lambda: None, worker: str = "w") -> LedgerAccess:
        """What a sink of ``worker`` reads and writes with."""
        return LedgerAccess(
            Stores(self.db, self.control, self.mapping, self.clock),
            Ledger(self.control, self.clock, "old", self.epoch),
            self.conflicts,
            fence,
            worker,
            MemorySearch(self),
            self.silence,
            purge_at_once=True,
            retried=lambda _: None,
            in_flight=set(),
            both_written=self.both_written,
        )

    def context(self, side: Side) -> SinkContext:
        return SinkContext(
            self.quarantine,
            QuarantineCache(self.quarantine, self.clock),
            ActivityRecorder(Activities(self.control), side, self.clock, quiet=False),
            {"old": GENERATION, "leads": GENERATION},
            count=lambda outcome: self.counts.update([outcome]),
            left=lambda table, _key, how: self.left.append((table, how)),
        )

    async def settled_now(self) -> bool:
        """The sync applies what is in the streams."""
        await self.carry()
        return True

    def ledger_retry(self, worker: str = "w") -> LedgerRetry:
        """The retry of keys in quarantine, with a sync that reads on when it is asked to."""
        return LedgerRetry(self.access(worker=worker), self.context("old"), self.settled_now)

    def forward_sink(self, worker: str = "w") -> ForwardSink:
        return ForwardSink(self.access(worker=worker), self.context("old"), 1)

    def reverse_sink(self, worker: str = "w") -> ReverseSink:
        return ReverseSink(self.access(worker=worker), self.context("v2"), 1)

    def old_lead(self, name: str = "a") -> Item | None:
        """The old lead as the application sees it."""
        item = self.db.item("old", old_key("LEAD", name))
        return None if item is None else {key: value for key, value in item.items() if key != self.mapping.stamp}

    def v2_lead(self, name: str = "a", month: str = "2024-05") -> Item | None:
        return self.db.item("leads", lead_key(name, month))

    def remove(self, table: str, key: Item) -> None:
        """The application deletes an item."""
        self.db.apply(Delete(table, key))

    def expire(self, table: str, key: Item) -> None:
        """DynamoDB deletes an item by TTL. The record's identity is as the API reference writes it."""
        self.remove(table, key)
        (shard,) = self.db.stream(table)._all.values()
        sequence, record = shard.records[-1]
        identity = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
        shard.records[-1] = (sequence, orjson.dumps({**orjson.loads(record), "userIdentity": identity}))

    async def carry_from(self, table: str, shard: str | None = None, worker: str = "w") -> None:
        """Let ``worker`` apply the records of one stream."""
        (shard,) = [shard] if shard else list(self.db.stream(table)._all)
        changes = self.unread(table)
        end = self.read[table, shard] + len(changes)
        sink = self.forward_sink(worker) if table == "old" else self.reverse_sink(worker)
        await sink.apply(shard, changes)
        self.read[table, shard] = max(end, self.read[table, shard])

    async def killed(self, table: str, when: Callable[[Any], bool], *, after: bool = False) -> Any:
        """A worker that applies the records of a stream is killed before (or ``after``) the first write that ``when`` is true of;
        the write."""
        writes: list[Any] = []

        async def die(operation: str, subject: object) -> None:
            if isinstance(subject, Put | Update | Delete) and when(subject):
                self.db.before = self.db.after = None
                writes.append(subject)
                raise ConnectionError("killed")

        setattr(self.db, "after" if after else "before", die)
        with suppress(ConnectionError):
            await self.carry_from(table)
        (write,) = writes
        return write

    async def clock_runs(self, work: Coroutine[Any, Any, None]) -> None:
        """Do some work in which the sync pauses."""
        task = asyncio.ensure_future(work)
        await self.clock.until(task.done)
        await task

    def written(self, table: str, since: int = 0) -> list[str]:
        """The keys of all writes of a table that changed something, from index ``since`` of the log of writes."""
        return [write.key.decode() for write in self.db.written[since:] if write.table == table]

    def unread(self, table: str) -> list[Change]:
        """The changes of the table's stream, which has one shard, that are not applied yet."""
        ((shard, content),) = self.db.stream(table)._all.items()
        records = [orjson.loads(record) for _, record in content.records[self.read[table, shard] :]]
        return [parse_record(record, table=table, shard_id=shard) for record in records]

    def _ends(self) -> dict[tuple[str, str], int]:
        return {
            (table, shard): len(shard_records.records)
            for table in ("old", "leads")
            for shard, shard_records in self.db.stream(table)._all.items()
        }


class Lanes:
    """Both lanes as one worker: they carry twice a second and report it. ``acting``: what they apply by (None: as in the state);
    ``reads``: whether they make rounds."""

    def __init__(self, world: BothWays) -> None:
        self.world = world
        self.acting: Acting | None = None
        self.reads = True

    async def run(self) -> None:
        number = rounds = 0
        while True:
            number += 1
            if self.reads:
                await self.world.carry()
                rounds += 1
            acting = self.acting or (await load_started_state(self.world.control, self.world.mapping)).acting
            self.world.epoch = acting.epoch
            lane_beat = LaneBeat(role="owner", acting=acting, rounds=rounds)
            beat = Beat(number, self.world.clock.now(), lane_beat, lane_beat)
            await Workers(self.world.control, self.world.clock).report("w", beat)
            await self.world.clock.sleep(0.5)


async def in_dual(world: BothWays, **changes: Any) -> None:
    """Put the migration into ``dual``, in the ledger's first epoch, with ``changes`` to that state."""
    dual: dict[str, Any] = {"phase": "dual", "rule": "ledger", "epoch": 1, **changes}
    await change_state(world.control, world.mapping, 0.0, lambda was: replace(was, **dual))


def dual_for_commands(monkeypatch: pytest.MonkeyPatch) -> BothWays:
    """The migration; each command opens it in place of the configured one."""
    world = BothWays()

    async def describe(name: str) -> str:
        return name

    @asynccontextmanager
    async def open_app(_: object) -> AsyncIterator[Any]:
        await in_dual(world)
        settings = Settings(control_table="control", endpoint_url="http://localhost:8000")
        tables = SimpleNamespace(describe=describe)
        yield SimpleNamespace(
            settings=settings, mapping=world.mapping, clock=world.clock, control=world.control, tables=tables
        )

    monkeypatch.setattr("service.cli.run.open_app", open_app)
    monkeypatch.setattr("service.cli.run.load_settings", Settings)
    return world
