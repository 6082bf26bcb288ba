"""The whole way in one command: tables, backfill, catching up with the stream, a full comparison."""

import asyncio
from dataclasses import dataclass
from typing import Any

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from service.app import App
from service.copying import copy_old_table
from service.errors import Interrupted
from service.start import Started, create_and_start
from service.sync import sync_lanes
from service.validating import run_validation
from service.validation.options import ValidationOptions
from service.validation.report import Report
from service.workers import BEAT_SECONDS, Workers

CATCH_UP_SECONDS = 15.0
"""How long one question whether sync has caught up may take; it is asked until the answer is yes."""


@dataclass(frozen=True, slots=True)
class FullMigration:
    """What each step answered."""

    started: Started
    backfill: BackfillReport
    validation: Report

    @property
    def ok(self) -> bool:
        """Both sides are equal."""
        return self.validation.equal

    def to_json(self) -> dict[str, Any]:
        """The document of `full-migration --json`."""
        return {
            "result": "equal" if self.ok else "different",
            "create_tables": self.started.to_json(),
            "backfill": self.backfill.to_json(),
            "validation": self.validation.to_json(),
        }

    def to_text(self) -> str:
        """Step by step; the last line is the verdict."""
        return "\n".join([self.started.to_text(), self.backfill.to_text(), self.validation.to_text().rstrip()])


async def run_full_migration(app: App, options: BackfillOptions, stop: asyncio.Event) -> FullMigration:
    """Run every step. Raises Interrupted when ``stop`` is set.

    Sync is done here; where another process does it this one stands by, and takes over should the other have been killed.
    """
    started = await create_and_start(app)
    async with sync_lanes(app):
        copied = await copy_old_table(app, options, stop)
        await catch_up(app, stop)
        validation = await run_validation(app, ValidationOptions(), stop)
    return FullMigration(started, copied, validation)


async def catch_up(app: App, stop: asyncio.Event) -> None:
    """Return once every change that was in the stream when this was called has been applied. Raises Interrupted."""
    workers = Workers(app.control, app.clock)
    while not await workers.caught_up(CATCH_UP_SECONDS):
        if stop.is_set():
            raise Interrupted("stopped while catching up", remedy="go on with: tablesplit full-migration")
        await raise_failure(app)
        await app.clock.sleep(BEAT_SECONDS)  # while no worker owns the stream yet, the answer is an immediate no


async def raise_failure(app: App) -> None:
    """Raises Interrupted when a worker says that its lane has stopped: catching up would wait for ever."""
    for worker, beat in (await Workers(app.control, app.clock).heard()).items():
        if beat.forward.role == "stopped" and beat.forward.failure is not None:
            raise Interrupted(
                f"sync worker {worker} has stopped: {beat.forward.failure}", remedy="mend that, then run this again"
            )
