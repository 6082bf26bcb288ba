"""The demonstration: a whole migration there, back, and there again while an application writes; it leaves nothing."""

import asyncio
from collections.abc import Callable, Sequence
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
from service.rehearsal.run import Rehearsal, RehearsalPlan
from service.rehearsal.servers.local_servers import local_server
from service.rehearsal.tables import load_items, own_tables
from service.validation.options import ValidationOptions
from service.validation.report import Report

MOTO_OPPORTUNITIES = 400
"""What moto's server copies, compares and moves over in two minutes; every other server gets all of them."""

ALL_OPPORTUNITIES = 1_000_000
WRITTEN = ("LEAD", "DEAL")
"""The entities that the application writes. Resources and pipelines stay as they were loaded."""

SHARED_ITEMS = 4
INDEX_SAMPLE = 10
"""Items of each entity looked up in their indexes: moto reads a whole index for each."""

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

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What came of it. validation: the comparison of everything at the end."""

    rehearsal: RehearsalReport
    backfill: BackfillReport
    status: Status
    validation: Report
    seconds: float

    @property
    def ok(self) -> bool:
        """Both sides are equal, no write is lost, and no writer has waited for a phase."""
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
        """The comparison, the moves, the ledger of writes, and the verdict in the last line."""
        ledger = self.rehearsal.ledger
        verdict = (
            f"demo: OK {self.backfill.outcomes.items} items copied, cut over, rolled back and cut over again under "
            f"{ledger.acknowledged} live writes, 0 lost, 0 differences, {self.seconds:.0f} s"
            if self.ok
            else "demo: FAILED, writes are lost or the two sides differ"
        )
        return "\n".join([self.validation.to_text().rstrip(), self.rehearsal.to_text(), verdict])


async def run_demo(settings: Settings, say: Say, stop: asyncio.Event) -> DemoReport:
    """The whole demonstration on the server that the settings name. Tables get names of their own and are deleted at the end."""
    with local_server(settings.demo_server) as endpoint:
        quick = settings.model_copy(update={**QUICK, "endpoint_url": endpoint})
        opportunities = MOTO_OPPORTUNITIES if settings.demo_server == "moto" else ALL_OPPORTUNITIES
        async with own_tables(quick, "tablesplit-demo") as app:
            return await _Demo(app, list(old_items(opportunities)), say, stop).run()


class _Demo:
    """One run: the steps in their order."""

    def __init__(self, app: App, items: Sequence[Item], say: Say, stop: asyncio.Event) -> None:
        self.app = app
        self.items = items
        self.stop = stop
        self.began = app.clock.monotonic()
        self._say = say

    async def run(self) -> DemoReport:
        self._say(f"loading {len(self.items)} items into the old table")
        await load_items(self.app, self.items)
        await create_and_start(self.app)
        self._say("v2 tables made, stream positions saved; sync and live writers start")
        rehearsed = await Rehearsal(self.app, self._plan(), self._say, self.stop).run()
        seconds = self.app.clock.monotonic() - self.began
        return DemoReport(rehearsed.report, rehearsed.backfill, rehearsed.status, rehearsed.validation, seconds)

    def _plan(self) -> RehearsalPlan:
        """The writers share a few leads and deals, so that their writes meet, and what is known of where each item is."""
        known = [item for item in self.items if item[self.app.mapping.old.entity]["S"] in WRITTEN]
        shared = known[:: max(1, len(known) // SHARED_ITEMS)]
        application = MappedApplication(self.app.store, self.app.mapping, self.app.clock, shared)
        return RehearsalPlan(lambda: application, shared, validation=ValidationOptions(index_sample=INDEX_SAMPLE))
