"""The demonstration: a whole migration there and back while an application writes and sync is killed. It leaves nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from backfill.report import BackfillReport
from service.app import App
from service.config import Settings
from service.core.item.wire import Item
from service.migration.start import create_and_start
from service.migration.status.status import Status
from service.rehearsal.by_mapping import MappedApplication
from service.rehearsal.demo.items import old_items
from service.rehearsal.demo.kill import KillOfSync
from service.rehearsal.demo.watch import Screen, Watch
from service.rehearsal.report import RehearsalReport
from service.rehearsal.run import Rehearsal, RehearsalPlan
from service.rehearsal.servers.local_servers import local_server
from service.rehearsal.sync_process import SyncProcess, sync_process
from service.rehearsal.tables import load_items, own_tables
from service.rehearsal.write_log import WriteLog
from service.tasks import task_group
from service.validation.options import ValidationOptions
from service.validation.report import Report

OPPORTUNITIES = 250
"""As many as moto's server copies and compares in seconds."""

WRITTEN = ("LEAD", "DEAL")
"""The entities that the application writes. Resources and pipelines stay as they were loaded."""

SHARED_ITEMS = 4
"""Items that every writer starts with, about."""

INDEX_SAMPLE = 10
"""Items of each entity that are looked up in their indexes. Few, because moto reads a whole index for each lookup."""

MIXED_SECONDS = 2.0
"""How long writers are on both sides, and sync is away."""

COPY = {"lease_seconds": 60.0, "request_timeout_seconds": 20.0}
"""The copy's own settings: it ends when a busy server does not answer in time, while sync just takes its lease anew. No move waits
for it, because it has ended before the first."""

NEXT = {
    True: "draft a mapping of your own table, which is only read: tablesplit mapping init --output my-mapping.yaml",
    False: "run it once more; if it fails again, report all of its output",
}
"""What to do after the demonstration, by whether it went well."""

QUICK = {
    "shard_discovery_seconds": 0.2,
    "poll_interval_seconds": 0.25,
    "settle_seconds": 0.5,
    "segments": 2,
    "page_items": 100,
    "lease_seconds": 3.0,
    "heartbeat_seconds": 0.5,
    "request_timeout_seconds": 1.5,
    "clock_margin_seconds": 0.0,
    "purge_grace_seconds": 12.0,
    "gate_lag_low_seconds": 1.0,
    "gate_quiet_seconds": 1.0,
    "verify_seconds": 5.0,
    "log_level": "error",
}


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The result of a demonstration."""

    rehearsal: RehearsalReport
    backfill: BackfillReport
    status: Status
    """As it was at the end."""

    validation: Report
    """The comparison of all items at the end."""

    killed: float
    """Seconds from the kill -9 of sync until everything was carried again."""

    seconds: float
    """How long all of it took."""

    @property
    def ok(self) -> bool:
        """Both sides are equal, no write is lost, and no writer waited for a phase."""
        return self.rehearsal.ok

    def to_json(self) -> dict[str, Any]:
        """The document of `demo --json`."""
        return {
            "result": "ok" if self.ok else "different",
            "seconds": round(self.seconds, 1),
            "killed_seconds": round(self.killed, 1),
            **self.rehearsal.to_json(),
            "backfill": self.backfill.to_json(),
            "status": self.status.to_json(),
            "validation": self.validation.to_json(),
        }

    def to_text(self) -> str:
        """The comparison, the moves, the tally of writes, the verdict, and in the last line what to do next."""
        return "\n".join(
            [self.validation.to_text().rstrip(), self.rehearsal.to_text(), self._verdict(), f"next: {NEXT[self.ok]}"]
        )

    def _verdict(self) -> str:
        if not self.ok:
            return "demo: FAILED, writes are lost or the two sides differ"
        return (
            f"demo: OK {self.backfill.outcomes.items} items copied, cut over and rolled back to dual under "
            f"{self.rehearsal.tally.acknowledged} live writes and a kill -9 of sync, 0 lost, 0 differences, {self.seconds:.0f} s"
        )


async def run_demo(settings: Settings, screen: Screen, stop: asyncio.Event) -> DemoReport:
    """Run the whole demonstration on the server that the settings name, in tables of its own, which are deleted at the end."""
    with local_server(settings.demo_server) as endpoint:
        quick = settings.model_copy(update={**QUICK, "endpoint_url": endpoint, "streams_endpoint_url": None})
        async with own_tables(quick, "tablesplit-demo") as app:
            changed = {
                **QUICK,
                "endpoint_url": endpoint,
                "streams_endpoint_url": endpoint,
                "control_table": app.settings.control_table,
            }
            async with sync_process(app, changed) as sync:
                return await _demonstrate(app, sync, screen, stop)


async def _demonstrate(app: App, sync: SyncProcess, screen: Screen, stop: asyncio.Event) -> DemoReport:
    items, log = list(old_items(OPPORTUNITIES)), WriteLog()
    watch = Watch(app, screen, log, sync)
    watch.say(f"loading {len(items)} items into the old table")
    await load_items(app, items)
    await create_and_start(app)
    watch.say("v2 tables made, stream positions saved; sync and live writers start")
    fault = KillOfSync(app, sync, log, watch)
    async with task_group() as tasks:
        watching = tasks.create_task(watch.run())
        plan = _plan(app, items, log, sync, fault, watch)
        rehearsed = await Rehearsal(app, plan, watch.say, stop).run()
        watching.cancel()
    return DemoReport(
        rehearsed.report, rehearsed.backfill, rehearsed.status, rehearsed.validation, fault.seconds, watch.seconds
    )


def _plan(
    app: App, items: Sequence[Item], log: WriteLog, sync: SyncProcess, fault: KillOfSync, watch: Watch
) -> RehearsalPlan:
    """The writers start with the same few leads and deals, so that their writes meet, and share one record of each item's place."""
    written = [item for item in items if app.mapping.entity_name_of(item) in WRITTEN]
    shared = written[:: max(1, len(written) // SHARED_ITEMS)]
    application = MappedApplication(app.store, app.mapping, app.clock, shared)

    @asynccontextmanager
    async def process(_: App) -> AsyncIterator[None]:
        await sync.start()
        yield
        await sync.stop()

    return RehearsalPlan(
        lambda: application,
        shared,
        counting=application,
        validation=ValidationOptions(index_sample=INDEX_SAMPLE),
        sync=process,
        fault=fault.away,
        mixed_seconds=MIXED_SECONDS,
        brief=True,
        copy_settings=COPY,
        display=watch,
        log=log,
    )
