"""The demonstration: a whole migration there, back, and there again while an application writes. Nothing is left afterwards."""

import asyncio
from collections.abc import Sequence
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
from service.rehearsal.report import RehearsalReport
from service.rehearsal.run import Rehearsal, RehearsalPlan, Say
from service.rehearsal.servers.local_servers import local_server
from service.rehearsal.tables import load_items, own_tables
from service.validation.options import ValidationOptions
from service.validation.report import Report

MOTO_OPPORTUNITIES = 400
"""As many as moto's server copies, compares and moves over in two minutes. Every other server gets all of them."""

ALL_OPPORTUNITIES = 1_000_000
WRITTEN = ("LEAD", "DEAL")
"""The entities that the application writes. Resources and pipelines stay as they were loaded."""

SHARED_ITEMS = 4
"""Items that every writer starts with, about."""

INDEX_SAMPLE = 10
"""Items of each entity that are looked up in their indexes. Few, because moto reads a whole index for each lookup."""

QUICK = {
    "shard_discovery_seconds": 0.5,
    "poll_interval_seconds": 0.25,
    "settle_seconds": 1.0,
    "segments": 2,
    "page_items": 100,
    "lease_seconds": 6.0,
    "heartbeat_seconds": 1.5,
    "request_timeout_seconds": 3.0,
    "clock_margin_seconds": 0.0,
    "purge_grace_seconds": 12.0,
    "gate_lag_low_seconds": 2.0,
    "gate_quiet_seconds": 2.0,
    "log_level": "warning",
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
            **self.rehearsal.to_json(),
            "backfill": self.backfill.to_json(),
            "status": self.status.to_json(),
            "validation": self.validation.to_json(),
        }

    def to_text(self) -> str:
        """The comparison, the moves, the tally of writes, and the verdict in the last line."""
        acknowledged = self.rehearsal.tally.acknowledged
        verdict = (
            f"demo: OK {self.backfill.outcomes.items} items copied, cut over, rolled back and cut over again under "
            f"{acknowledged} live writes, 0 lost, 0 differences, {self.seconds:.0f} s"
            if self.ok
            else "demo: FAILED, writes are lost or the two sides differ"
        )
        return "\n".join([self.validation.to_text().rstrip(), self.rehearsal.to_text(), verdict])


async def run_demo(settings: Settings, say: Say, stop: asyncio.Event) -> DemoReport:
    """Run the whole demonstration on the server that the settings name, in tables of its own, which are deleted at the end."""
    with local_server(settings.demo_server) as endpoint:
        quick = settings.model_copy(update={**QUICK, "endpoint_url": endpoint, "streams_endpoint_url": None})
        opportunities = MOTO_OPPORTUNITIES if settings.demo_server == "moto" else ALL_OPPORTUNITIES
        async with own_tables(quick, "tablesplit-demo") as app:
            return await _demonstrate(app, list(old_items(opportunities)), say, stop)


async def _demonstrate(app: App, items: Sequence[Item], say: Say, stop: asyncio.Event) -> DemoReport:
    began = app.clock.monotonic()
    say(f"loading {len(items)} items into the old table")
    await load_items(app, items)
    await create_and_start(app)
    say("v2 tables made, stream positions saved; sync and live writers start")
    rehearsed = await Rehearsal(app, _plan(app, items), say, stop).run()
    seconds = app.clock.monotonic() - began
    return DemoReport(rehearsed.report, rehearsed.backfill, rehearsed.status, rehearsed.validation, seconds)


def _plan(app: App, items: Sequence[Item]) -> RehearsalPlan:
    """The writers start with the same few leads and deals, so that their writes meet, and share one record of each item's place."""
    written = [item for item in items if app.mapping.entity_name_of(item) in WRITTEN]
    shared = written[:: max(1, len(written) // SHARED_ITEMS)]
    application = MappedApplication(app.store, app.mapping, app.clock, shared)
    return RehearsalPlan(
        lambda: application,
        shared,
        counting=application,
        validation=ValidationOptions(index_sample=INDEX_SAMPLE),
    )
