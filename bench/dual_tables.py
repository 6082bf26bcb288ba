"""A migration in ``dual`` on a server, its sinks, and a count of what they ask for."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

from bench.site import delete_all, settings_of, write_all
from service.app import App, _tune_gc
from service.clock import SystemClock
from service.control.state import MigrationState, change_state, in_forward, with_stream, with_v2_stream
from service.control.table import ControlTable
from service.control.workers import LaneName
from service.core.item.change import Change, parse_record
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import copy_write
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.gathered import GatheredStore
from service.dynamodb.protocol import AskedWrite, Fence
from service.dynamodb.table_description import NewTable
from service.dynamodb.tables import Tables
from service.environment import load_configured_mapping
from service.log import configure_log
from service.sync.sinks.context import ledger_access, sink_context
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.sync.sinks.reverse import ReverseSink
from service.telemetry.metrics import CapacityKind, Metrics, Result


@dataclass
class Counted:
    """Implements ``Meter``: counts requests by operation, and write units by table. The metrics of production are counted, too."""

    metrics: Metrics
    requests: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)

    def clear(self) -> None:
        self.requests.clear()
        self.write_units.clear()

    def count_request(self, operation: str, result: Result, seconds: float) -> None:
        self.requests[operation] += 1
        self.metrics.count_request(operation, result, seconds)

    def count_units(self, table: str, kind: CapacityKind, units: float) -> None:
        self.metrics.count_units(table, kind, units)
        if kind == "write":
            self.write_units[table] += units  # type: ignore[assignment]  # a Counter adds floats, too

    def count_retry(self, reason: str) -> None:
        raise AssertionError(f"a request was sent again: {reason}")


class CountingClient(DynamoDBClient):
    """Counts the units of updates that go together, which DynamoDB Local does not report: one each, for an entry below 1 KB."""

    counted: Counted

    async def try_write_many(self, table: str, asked: Sequence[AskedWrite], *, fence: Fence | None = None) -> None:
        await super().try_write_many(table, asked, fence=fence)
        self.counted.write_units[table] += len(asked)


class Dual:
    """A migration in ``dual``, the application that writes its old table, and the sinks that carry its changes."""

    def __init__(self, app: App, state: MigrationState, counted: Counted) -> None:
        self.app = app
        self.state = state
        self.counted = counted
        self.old = app.mapping.old
        self._read: dict[str, str | None] = {}
        self._changes = 0

    async def change(self, places: Sequence[tuple[str, Item]]) -> None:
        """Update each of the items at ``places`` (table and key), as the application. Both sides have the attribute."""
        self._changes += 1
        changed = {"updated_at": {"S": f"2018-01-01T00:{self._changes // 60:02}:{self._changes % 60:02}Z"}}
        await write_all(self.app, (Update(table, key, changed) for table, key in places))

    def require_carried(self) -> None:
        """Raises AssertionError when a change has ended in another way than that it was carried, or passed."""
        outcomes = {outcome for lane in ("forward", "reverse") for outcome in self.app.metrics.outcomes(lane)}
        assert outcomes <= {"applied", "own"}, outcomes

    async def new_changes(self, table: str) -> list[Change]:
        """The changes of a table since the last call, in order."""
        assert self.state.stream_arn is not None
        arn = self.state.stream_arn if table == self.old.table else self.state.v2_streams[table]
        shards = (await self.app.store.describe_stream(arn)).shards
        return [change for shard in shards for change in await self._of_shard(table, arn, shard.shard_id)]

    async def _of_shard(self, table: str, arn: str, shard_id: str) -> list[Change]:
        store, changes, last = self.app.store, list[Change](), self._read.get(shard_id)
        kind = "TRIM_HORIZON" if last is None else "AFTER_SEQUENCE_NUMBER"
        iterator: str | None = await store.shard_iterator(arn, shard_id, kind, last)
        while iterator is not None:
            page = await store.get_records(iterator)
            changes += [parse_record(record, table=table, shard_id=shard_id) for record in page.records]
            iterator = page.next_iterator if page.records else None
        self._read[shard_id] = changes[-1].sequence if changes else last
        return changes

    async def skip(self) -> None:
        """Pass over what the streams show so far."""
        for table in (self.old.table, *self.app.mapping.tables):
            await self.new_changes(table)

    def guarded(self) -> GuardedSink:
        """The sink of the guarded rule."""
        events = _Events(self._count("forward"))
        stores = replace(self.app.stores, store=GatheredStore(self.app.store))
        context = GuardedSinkContext(stores, self.state.generation, fence=_unfenced, events=events)
        return GuardedSink(context, self.app.settings.sync_concurrency)

    def forward(self) -> ForwardSink:
        """The forward sink of the ledger rule."""
        context = sink_context(self.app, self.state, "old", self._count("forward"))
        return ForwardSink(ledger_access(self.app, self.state, _unfenced), context, self.app.settings.sync_concurrency)

    def reverse(self) -> ReverseSink:
        """The reverse sink of the ledger rule."""
        context = sink_context(self.app, self.state, "v2", self._count("reverse"))
        return ReverseSink(ledger_access(self.app, self.state, _unfenced), context, self.app.settings.sync_concurrency)

    def _count(self, direction: LaneName) -> Callable[[str], None]:
        return partial(self.app.metrics.count_write, direction)


@dataclass(frozen=True)
class _Events:
    """Implements ``SinkEvents``: outcomes are counted, as in production."""

    count: Callable[[str], None]

    def tombstone(self, put: Put) -> None: ...

    def left(self, table: str, key: Item, how: str) -> None: ...

    def taken_over(self) -> int:
        return 0


def _unfenced() -> None:
    """A benchmark is never superseded."""


@asynccontextmanager
async def opened(url: str, items: Sequence[Item]) -> AsyncIterator[Dual]:
    """A migration in ``dual`` with the old ``items``, copied to v2."""
    settings = settings_of(url)
    configure_log(settings)
    clock, mapping = SystemClock(), load_configured_mapping(settings)
    names = (mapping.old.table, *mapping.tables, settings.control_table)
    counted = Counted(Metrics(names, migration=mapping.old.table))
    async with CountingClient.open(settings, counted, clock) as store:
        store.counted = counted
        tables = Tables(ControlPlane(settings), store, clock, mapping, settings.control_table)
        control = ControlTable(store, settings.control_table)
        app = App(settings, mapping, clock, counted.metrics, store, control, tables)
        _tune_gc()
        await delete_all(app)
        await _make(tables, mapping)
        await write_all(app, (Put(mapping.old.table, item) for item in items))
        await write_all(app, (copy_write(mapping, item, 1) for item in items))
        yield Dual(app, await _in_dual(app), counted)


async def _make(tables: Tables, mapping: Mapping) -> None:
    await asyncio.to_thread(tables.plane.create_table, NewTable(mapping.old.table, mapping.old.key_names))
    await tables.make_missing()
    await tables.enable_old_stream()
    await tables.enable_v2_streams()


async def _in_dual(app: App) -> MigrationState:
    old = await app.tables.enable_old_stream()
    v2 = {table: await app.tables.v2_stream(table) for table in app.mapping.tables}

    def change(state: MigrationState) -> MigrationState:
        state = in_forward(with_stream(state, old), 0.0)
        for table, arn in v2.items():
            state = with_v2_stream(state, table, arn)
        return replace(state, phase="dual", rule="ledger", epoch=1)

    return await change_state(app.control, app.mapping, 0.0, change)
