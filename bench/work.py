"""Measures one piece of work in a process of its own.

``python -m bench.work ours|plain copy|apply|validate URL ITEMS`` prints the figures as JSON.
"""

import asyncio
import gc
import json
import resource
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from backfill.display import LogLines
from backfill.options import BackfillOptions
from backfill.segment_copier import BackfillContext
from backfill.worker import run_backfill
from bench import plain_boto3
from bench.items import many_items
from service.app import GC_THRESHOLDS
from service.clock import SystemClock
from service.config import Settings
from service.control.state import change_state, in_forward, with_stream
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put, TransactItem, Write
from service.core.mapping.mapping import Mapping
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.protocol import Fence, Page
from service.environment import load_configured_mapping, use_local_credentials
from service.log import configure_log
from service.metrics import Metrics
from service.sync.sinks.guarded import GuardedSink, GuardedSinkContext
from service.validation.options import ValidationOptions
from service.validation.validator import ValidationContext, validate
from tests.fakes.memory import MemoryDynamoDB

PAGE = 1_000
"""Changes in one GetRecords page."""


class Routed:
    """An ItemStore that keeps the control table in this process, so that only the work on the application's tables is measured."""

    def __init__(self, client: DynamoDBClient, control: str) -> None:
        self._client = client
        self._memory = MemoryDynamoDB()
        self._memory.create_table(control, ("pk", "sk"))
        self._control = control

    def _store(self, table: str) -> Any:
        return self._memory if table == self._control else self._client

    async def scan(self, table: str, **page: Any) -> Page:
        found: Page = await self._store(table).scan(table, **page)
        return found

    async def query(self, table: str, key: Item, **page: Any) -> Page:
        found: Page = await self._store(table).query(table, key, **page)
        return found

    async def get(self, table: str, key: Item) -> Item | None:
        item: Item | None = await self._store(table).get(table, key)
        return item

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        items: list[Item] = await self._store(table).get_many(table, keys)
        return items

    async def write(self, write: Write, *, patient: bool = True, fence: Fence | None = None) -> bool:
        done: bool = await self._store(write.table).write(write, patient=patient, fence=fence)
        return done

    async def insert_many(
        self, table: str, items: Sequence[Item], key_names: tuple[str, ...], **how: Any
    ) -> list[bool]:
        done: list[bool] = await self._store(table).insert_many(table, items, key_names, **how)
        return done

    async def transact(self, items: Sequence[TransactItem], *, fence: Fence | None = None) -> bool:
        done: bool = await self._store(items[0].table).transact(items, fence=fence)
        return done


@dataclass(frozen=True)
class Bench:
    """tablesplit's parts, and the pieces of work that are measured. Each returns how many items it has worked on."""

    settings: Settings
    mapping: Mapping
    store: Routed
    control: ControlTable
    clock: SystemClock
    metrics: Metrics

    @property
    def stores(self) -> Stores:
        return Stores(self.store, self.control, self.mapping, self.clock)

    async def copy(self, _: int) -> int:
        context = BackfillContext(
            self.stores, self.settings, self.metrics, BackfillOptions(), LogLines(self.clock), asyncio.Event()
        )
        report = await run_backfill(context)
        return report.outcomes.items

    async def apply(self, items: int) -> int:
        changes = changes_of(self.mapping, items)
        sink = self._sink()
        for start in range(0, len(changes), PAGE):
            await sink.apply("shard", changes[start : start + PAGE])
        return len(changes)

    async def validate(self, _: int) -> int:
        context = ValidationContext(self.stores, self.settings, self.metrics)
        report = await validate(context, ValidationOptions(index_sample=0), asyncio.Event())
        assert report.equal, report.to_text()
        return sum(counts["old"] for counts in report.to_json()["counts"].values())

    def _sink(self) -> GuardedSink:
        stores = Stores(self.store, self.control, self.mapping, self.clock)
        context = GuardedSinkContext(stores, generation=1, fence=_unfenced, events=_Counted(self.metrics))
        return GuardedSink(context, self.settings.sync_concurrency)


@dataclass(frozen=True)
class _Counted:
    """Implements ``SinkEvents``: outcomes are counted, as in production."""

    metrics: Metrics

    def count(self, outcome: str) -> None:
        self.metrics.count_write("forward", outcome)

    def tombstone(self, put: Put) -> None: ...

    def taken_over(self) -> int:
        return 0


def changes_of(mapping: Mapping, items: int) -> list[Change]:
    """An update of each item."""
    return [
        Change(
            table=mapping.old.table,
            shard_id="shard",
            sequence=str(10**21 + number),
            key={name: item[name] for name in mapping.old.key_names},
            old=item,
            new={**item, "updated_at": {"S": "2018-01-01T00:00:00Z"}},
        )
        for number, item in enumerate(many_items(items))
    ]


def _unfenced() -> None:
    """A benchmark is never superseded."""


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Bench]:
    """tablesplit with a started migration, connected to the server at ``url``."""
    settings = Settings(endpoint_url=url, log_level="error", settle_seconds=0)
    configure_log(settings)
    clock, metrics = SystemClock(), Metrics()
    mapping = load_configured_mapping(settings)
    async with DynamoDBClient.open(settings, metrics, clock) as client:
        store = Routed(client, settings.control_table)
        control = ControlTable(store, settings.control_table)
        now = clock.now()
        await change_state(control, mapping, now, lambda state: in_forward(with_stream(state, "stream"), now))
        yield Bench(settings, mapping, store, control, clock, metrics)


async def ours(work: str, url: str, items: int) -> dict[str, float]:
    """The figures of tablesplit for one piece of work."""
    async with opened(url) as bench:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        cpu, wall = time.process_time(), time.perf_counter()
        done = await getattr(bench, work)(items)
        return figures(done, time.process_time() - cpu, time.perf_counter() - wall)


def plain(work: str, url: str, items: int) -> dict[str, float]:
    """The figures of plain boto3 for one piece of work."""
    mapping = load_configured_mapping(Settings())
    dynamodb = plain_boto3.client(url)
    given = [changes_of(mapping, items)] if work == "apply" else []
    cpu, wall = time.process_time(), time.perf_counter()
    done = getattr(plain_boto3, work)(dynamodb, mapping, *given)
    return figures(done, time.process_time() - cpu, time.perf_counter() - wall)


def figures(items: int, cpu: float, wall: float) -> dict[str, float]:
    """Microseconds of CPU for an item, items per second, and the peak memory of the process in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"items": items, "cpu_us": cpu / items * 1e6, "items_per_second": items / wall, "peak_mb": peak}


def main() -> None:
    """Do one piece of work and print its figures."""
    program, work, url, items = sys.argv[1:]
    use_local_credentials()
    done = asyncio.run(ours(work, url, int(items))) if program == "ours" else plain(work, url, int(items))
    print(json.dumps(done))


if __name__ == "__main__":
    main()
