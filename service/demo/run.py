"""The demonstration: load the old table, migrate it while writers change it, catch up, compare everything, leave nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import Any

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from service.app import App, open_app
from service.config import Settings, load_configured_mapping
from service.copying import copy_old_table
from service.core.wire import Item
from service.core.write import Put
from service.demo.items import old_items
from service.demo.writers import LiveWriter
from service.dynamodb.descriptions import NewTable
from service.dynamodb.waits import until_active, until_deleted
from service.full_migration import catch_up
from service.identity import worker_id
from service.local_servers import local_server
from service.snapshot import take_snapshot
from service.start import create_and_start
from service.status import Status
from service.sync import sync_lanes
from service.tasks import task_group
from service.validating import run_validation
from service.validation.options import ValidationOptions
from service.validation.report import Report

MOTO_OPPORTUNITIES = 1_800
"""What moto's server copies and compares in a minute; every other server gets all of them."""

ALL_OPPORTUNITIES = 1_000_000
WRITERS = 2
ITEMS_OF_A_WRITER = 150
WRITER_PAUSE_SECONDS = 0.05
LOADING_AT_ONCE = 16
INDEX_SAMPLE = 10
"""Items of each entity looked up in their indexes: moto reads a whole index for each."""

QUICK = {
    "shard_discovery_seconds": 0.5,
    "poll_interval_seconds": 0.25,
    "settle_seconds": 1.0,
    "segments": 2,
    "page_items": 500,
    "lease_seconds": 30.0,
    "log_level": "warning",
}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What came of it. writes: acknowledged by the old table while it was migrated, by kind."""

    writes: Counter[str]
    backfill: BackfillReport
    status: Status
    validation: Report
    seconds: float

    @property
    def ok(self) -> bool:
        """Both sides are equal."""
        return self.validation.equal

    def to_json(self) -> dict[str, Any]:
        """The document of `demo --json`."""
        return {
            "result": "ok" if self.ok else "different",
            "seconds": round(self.seconds, 1),
            "writes": dict(self.writes),
            "backfill": self.backfill.to_json(),
            "status": self.status.to_json(),
            "validation": self.validation.to_json(),
        }

    def to_text(self) -> str:
        """Counts, lag, comparison, and the verdict in the last line."""
        written = ", ".join(f"{kind} {count}" for kind, count in sorted(self.writes.items()))
        verdict = (
            f"demo: OK {self.backfill.outcomes.items} items copied, {self.writes.total()} live writes followed, "
            f"0 differences, {self.seconds:.0f} s"
            if self.ok
            else "demo: FAILED, the two sides differ"
        )
        return "\n".join(
            [
                f"live writes while migrating: {written}",
                self.status.to_text(),
                self.validation.to_text().rstrip(),
                verdict,
            ]
        )


async def run_demo(settings: Settings, say: Say, stop: asyncio.Event) -> DemoReport:
    """The whole demonstration on the server that the settings name. Tables get names of their own and are deleted at the end."""
    with local_server(settings.demo_server) as endpoint:
        quick = settings.model_copy(update={**QUICK, "endpoint_url": endpoint})
        opportunities = MOTO_OPPORTUNITIES if settings.demo_server == "moto" else ALL_OPPORTUNITIES
        async with _own_tables(quick) as app:
            return await _Demo(app, list(old_items(opportunities)), say, stop).run()


@asynccontextmanager
async def _own_tables(settings: Settings) -> AsyncIterator[App]:
    prefix = f"tablesplit-demo-{token_hex(3)}"
    mapping = load_configured_mapping(settings, prefix=f"{prefix}-")
    own = settings.model_copy(update={"control_table": f"{prefix}-control"})
    async with open_app(own, mapping) as app:
        old = mapping.old
        table = NewTable(old.table, (old.partition_key, old.sort_key), stream=False)
        await asyncio.to_thread(app.tables.plane.create_table, table)
        await until_active(app.tables.plane, old.table, app.clock)
        try:
            yield app
        finally:
            await app.tables.drop()
            await asyncio.to_thread(app.tables.plane.delete_table, old.table)
            await until_deleted(app.tables.plane, old.table, app.clock)


class _Demo:
    """One run: the steps in their order."""

    def __init__(self, app: App, items: Sequence[Item], say: Say, stop: asyncio.Event) -> None:
        self.app = app
        self.items = items
        self.stop = stop
        self.began = app.clock.monotonic()
        self._say = say
        self.writers = [self._writer(number) for number in range(WRITERS)]

    async def run(self) -> DemoReport:
        await self._load()
        await create_and_start(self.app)
        self._say("v2 tables made, stream positions saved; sync and live writers start")
        async with sync_lanes(self.app):
            copied = await self._copy_under_writes()
            await catch_up(self.app, self.stop)
            self._say("caught up; comparing every item of both sides")
            validation = await run_validation(self.app, ValidationOptions(index_sample=INDEX_SAMPLE), self.stop)
            status = await take_snapshot(self.app)
        return DemoReport(self._writes(), copied, status, validation, self._elapsed())

    async def _load(self) -> None:
        self._say(f"loading {len(self.items)} items into the old table")
        waiting = iter(self.items)

        async def load() -> None:
            for item in waiting:
                await self.app.store.write(Put(self.app.mapping.old.table, item))

        async with task_group() as tasks:
            for _ in range(LOADING_AT_ONCE):
                tasks.create_task(load())

    async def _copy_under_writes(self) -> BackfillReport:
        quiet = asyncio.Event()
        async with task_group() as tasks:
            for writer in self.writers:
                tasks.create_task(writer.run(quiet, self.app.clock, WRITER_PAUSE_SECONDS))
            try:
                copied = await copy_old_table(self.app, BackfillOptions(owner=worker_id()), self.stop)
                self._say(f"backfill done: {copied.outcomes.items} items; writers go on while sync catches up")
                await catch_up(self.app, self.stop)
            finally:
                quiet.set()
        self._say(f"writers stopped after {self._writes().total()} writes")
        return copied

    def _writer(self, number: int) -> LiveWriter:
        own = self.items[number :: len(self.items) // ITEMS_OF_A_WRITER]
        return LiveWriter(self.app.store, self.app.mapping.old.table, own, seed=number)

    def _writes(self) -> Counter[str]:
        return sum((writer.counts for writer in self.writers), Counter[str]())

    def _elapsed(self) -> float:
        return self.app.clock.monotonic() - self.began
