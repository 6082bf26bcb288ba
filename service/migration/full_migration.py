"""A whole migration up to the cutover in one command: tables, backfill, catching up with the stream, a full validation."""

import asyncio
from dataclasses import dataclass
from typing import Any

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from service.app import App
from service.migration.backfill import copy_old_table
from service.migration.start import Started, create_and_start
from service.migration.status.snapshot import log_status
from service.migration.validation import run_validation
from service.sync.worker import catch_up, sync_lanes
from service.validation.options import ValidationOptions
from service.validation.report import Report


@dataclass(frozen=True, slots=True)
class FullMigration:
    """The result of each step."""

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
        """The steps in order; the last line is the verdict."""
        return "\n".join([self.started.to_text(), self.backfill.to_text(), self.validation.to_text().rstrip()])


async def run_full_migration(app: App, options: BackfillOptions, stop: asyncio.Event) -> FullMigration:
    """Run every step. Raises Interrupted when ``stop`` is set.

    This process syncs meanwhile. Where another process does, this one stands by, and takes over if the other is killed.
    """
    started = await create_and_start(app)
    async with sync_lanes(app, log_status(app)):
        copied = await copy_old_table(app, options, stop)
        await catch_up(app, stop)
        validation = await run_validation(app, ValidationOptions(), stop)
    return FullMigration(started, copied, validation)
