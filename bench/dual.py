"""Measures what a change of the old table costs in ``dual``, on DynamoDB Local: requests, write units, changes per second.

``python -m bench.dual [ITEMS]``. The sinks apply what the streams show, page by page: forward the changes of the old table,
then reverse the records that forward has written. The guarded rule applies as many changes of the same items for comparison.
"""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from bench.items import many_items
from service.app import App
from service.clock import SystemClock
from service.config import Settings, load_configured_mapping, use_local_credentials
from service.control.state import MigrationState, change_state, in_forward, with_stream, with_v2_stream
from service.control.table import ControlTable
from service.core.item.change import Change, parse_record
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.guarded import copy_write
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.dynamodb.tables import Tables
from service.log import configure_log
from service.metrics import Metrics
from service.rehearsal.servers.local_servers import dynamodb_local
from service.streams.engine import ShardSink
from service.sync.sinks.context import ledger_access, sink_context
from service.sync.sinks.forward import ForwardSink
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.sync.sinks.reverse import ReverseSink

T = TypeVar("T")

ITEMS = 1000
HOT = 200
"""Changes of the hot item."""
AT_ONCE = 32
PAGE = 1_000


@dataclass
class Counted:
    """Implements ``Meter``: counts requests by operation, and units by table."""

    requests: Counter[str] = field(default_factory=Counter)
    write_units: Counter[str] = field(default_factory=Counter)
    refused: int = 0

    def count_request(self, operation: str, result: str, seconds: float) -> None:  # noqa: ARG002
        self.requests[operation] += 1
        self.refused += result == "condition"

    def count_units(self, table: str, kind: str, units: float) -> None:
        if kind == "write":
            self.write_units[table] += units  # type: ignore[assignment]  # a Counter adds floats, too

    def count_retry(self, reason: str) -> None:
        self.requests[f"retry {reason}"] += 1


@dataclass(frozen=True)
class Cost:
    """What it took to apply some changes."""

    name: str
    changes: int
    seconds: float
    cpu_seconds: float
    requests: Counter[str]
    write_units: Counter[str]

    def __str__(self) -> str:
        requests, units = self.requests.total() / self.changes, self.write_units.total() / self.changes
        rate, cpu = self.changes / self.seconds, self.cpu_seconds / self.changes * 1e6
        return (
            f"{self.name:34} {self.changes:5} changes {requests:6.2f} requests {units:6.2f} write units a change "
            f"{rate:6.0f} changes/s {cpu:6.0f} us CPU  {dict(self.requests)} {dict(self.write_units)}"
        )


class Dual:
    """A migration in ``dual`` on a server, and the sinks that carry its changes."""

    def __init__(self, app: App, state: MigrationState, counted: Counted) -> None:
        self.app = app
        self.state = state
        self.counted = counted
        self._read: dict[str, str | None] = {}

    async def change_old(self, keys: Sequence[Item], text: str) -> None:
        """Update each of the old items at ``keys``, as the application."""
        for some in batched(keys, AT_ONCE):
            await asyncio.gather(*[self._update(key, f"{text} {number}") for number, key in enumerate(some)])

    async def _update(self, key: Item, text: str) -> None:
        write = Update(
            self.app.mapping.old.table, key, {"notes": {"S": text}, "updated_at": {"S": "2018-01-01T00:00:00Z"}}
        )
        await self.app.store.write(write)

    async def new_changes(self, table: str, arn: str) -> list[Change]:
        """The changes of a table since the last call, in order."""
        store, changes = self.app.store, []
        for shard in (await store.describe_stream(arn)).shards:
            last = self._read.get(shard.shard_id)
            kind = "TRIM_HORIZON" if last is None else "AFTER_SEQUENCE_NUMBER"
            iterator: str | None = await store.shard_iterator(arn, shard.shard_id, kind, last)
            while iterator is not None:
                page = await store.get_records(iterator)
                if not page.records:
                    break
                found = [parse_record(record, table=table, shard_id=shard.shard_id) for record in page.records]
                changes += found
                self._read[shard.shard_id] = found[-1].sequence
                iterator = page.next_iterator
        return changes

    async def skip(self) -> None:
        """Forget what the streams show so far."""
        for table, arn in self._streams().items():
            await self.new_changes(table, arn)

    def _streams(self) -> dict[str, str]:
        assert self.state.stream_arn is not None
        return {self.app.mapping.old.table: self.state.stream_arn, **self.state.v2_streams}

    async def measured(self, name: str, sink: ShardSink, tables: Sequence[str], changes: int) -> Cost:
        """Apply what the streams of ``tables`` show anew, for so many changes of the application."""
        pages = [
            page for table in tables for page in batched(await self.new_changes(table, self._streams()[table]), PAGE)
        ]
        self.counted.requests.clear()
        self.counted.write_units.clear()
        wall, cpu = time.perf_counter(), time.process_time()
        for page in pages:
            await sink.apply("shard", page)
        took = time.perf_counter() - wall, time.process_time() - cpu
        return Cost(name, changes, *took, self.counted.requests.copy(), self.counted.write_units.copy())

    def guarded(self) -> GuardedSink:
        context = GuardedSinkContext(self.app.stores, self.state.generation, fence=_unfenced, events=_Events())
        return GuardedSink(context, self.app.settings.sync_concurrency)

    def forward(self) -> ForwardSink:
        context = sink_context(self.app, self.state, "old", _ignored)
        return ForwardSink(ledger_access(self.app, self.state, _unfenced), context, self.app.settings.sync_concurrency)

    def reverse(self) -> ReverseSink:
        context = sink_context(self.app, self.state, "v2", _ignored)
        return ReverseSink(ledger_access(self.app, self.state, _unfenced), context, self.app.settings.sync_concurrency)

    async def carried(self, name: str, sinks: tuple[ForwardSink, ReverseSink], changes: int) -> list[Cost]:
        """Forward's part, reverse's part, and both together."""
        forward, reverse = sinks
        there = await self.measured(f"{name}, forward", forward, [self.app.mapping.old.table], changes)
        back = await self.measured(f"{name}, reverse", reverse, list(self.app.mapping.tables), changes)
        both = Cost(
            name,
            changes,
            there.seconds + back.seconds,
            there.cpu_seconds + back.cpu_seconds,
            there.requests + back.requests,
            there.write_units + back.write_units,
        )
        return [there, back, both]


class _Events:
    """Implements ``SinkEvents`` without effect."""

    def count(self, outcome: str) -> None: ...

    def tombstone(self, put: Put) -> None: ...

    def taken_over(self) -> int:
        return 0


def _ignored(outcome: str) -> None: ...


def batched(values: Sequence[T], size: int) -> list[Sequence[T]]:
    """``values`` in parts of at most ``size``."""
    return [values[start : start + size] for start in range(0, len(values), size)]


def _unfenced() -> None:
    """A benchmark is never superseded."""


@asynccontextmanager
async def opened(url: str, items: Sequence[Item]) -> AsyncIterator[Dual]:
    """A migration in ``dual`` with the old ``items``, copied to v2."""
    settings = Settings(endpoint_url=url, log_level="error", settle_seconds=0)
    configure_log(settings)
    clock, counted, mapping = SystemClock(), Counted(), load_configured_mapping(settings)
    plane = ControlPlane(settings)
    async with DynamoDBClient.open(settings, counted, clock) as store:
        control = ControlTable(store, settings.control_table)
        tables = Tables(plane, store, clock, mapping, settings.control_table)
        await asyncio.to_thread(plane.create_table, NewTable(mapping.old.table, mapping.old.key_names))
        await tables.make_missing()
        await tables.enable_old_stream()
        await tables.enable_v2_streams()
        await _fill(store, [Put(mapping.old.table, item) for item in items])
        await _fill(store, [copy_write(mapping, item, 1) for item in items])
        app = App(settings, mapping, clock, Metrics(), store, control, tables)
        yield Dual(app, await _in_dual(app), counted)


async def _fill(store: DynamoDBClient, puts: Sequence[Put]) -> None:
    for some in batched(puts, AT_ONCE):
        await asyncio.gather(*[store.write(put) for put in some])


async def _in_dual(app: App) -> MigrationState:
    old = await app.tables.enable_old_stream()
    v2 = {table: await app.tables.v2_stream(table) for table in app.mapping.tables}

    def change(state: MigrationState) -> MigrationState:
        state = in_forward(with_stream(state, old), 0.0)
        for table, arn in v2.items():
            state = with_v2_stream(state, table, arn)
        return replace(state, phase="dual", rule="ledger", epoch=1)

    return await change_state(app.control, app.mapping, 0.0, change)


async def run(url: str, number: int) -> list[Cost]:
    """Measure ``number`` changes of as many items, and HOT changes of one."""
    items = list(many_items(number))
    async with opened(url, items) as dual:
        old = dual.app.mapping.old
        keys = [{name: item[name] for name in old.key_names} for item in items]
        await dual.skip()
        await dual.change_old(keys, "guarded")
        costs = [await dual.measured("guarded", dual.guarded(), [old.table], number)]
        await dual.skip()
        sinks = dual.forward(), dual.reverse()
        for name in ("dual, first change", "dual"):
            await dual.change_old(keys, name)
            costs += await dual.carried(name, sinks, number)
        for name in ("hot item", "hot item again"):
            for count in range(HOT):
                await dual.change_old(keys[-1:], f"{name} {count}")
            costs += await dual.carried(name, sinks, HOT)
        found = [
            len(str(item))
            for item in (
                await dual.app.store.scan(dual.app.control.table, segment=0, segments=1, start=None, limit=1000)
            ).items
        ]
        return costs


def main() -> None:
    """Measure, and print."""
    use_local_credentials()
    number = int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS
    with dynamodb_local() as url:
        for cost in asyncio.run(run(url, number)):
            print(cost)


if __name__ == "__main__":
    main()
