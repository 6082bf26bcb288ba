"""The drill: cutover and rollback, timed, on a copy of a sample of the old table. The real tables are only read."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

from service.app import App
from service.clock import iso
from service.config import Settings
from service.core.item.wire import Item
from service.core.mapping.transform import entity_of, forward
from service.errors import Poison, Refused
from service.migration.first_pages import first_pages
from service.migration.start import create_and_start
from service.rehearsal.application import Application
from service.rehearsal.by_mapping import MappedApplication
from service.rehearsal.report import RehearsalReport
from service.rehearsal.run import Rehearsal, RehearsalPlan, Say
from service.rehearsal.tables import load_items, own_tables

TABLES = "tablesplit-drill"
SCANNED_PER_WANTED = 50
"""The Scan for rare entities ends after this many items for each item that is wanted of an entity."""

SHARED_ITEMS = 8
"""Items that every writer starts with, about."""

GATE_WAITS_AT_MOST_SECONDS = 5.0
"""The settings for how long lag must be low and a side quiet are cut to this: a drill need not be as cautious as an operator."""


@dataclass(frozen=True, slots=True)
class DrillReport:
    """The result of a drill."""

    copied: dict[str, int]
    """Items of the sample by entity."""

    rehearsal: RehearsalReport
    at: float
    """Epoch seconds."""

    stored: bool
    """Whether the report is in the control table."""

    @property
    def ok(self) -> bool:
        """No write was lost, both sides were equal, and no writer waited."""
        return self.rehearsal.ok

    def to_json(self) -> dict[str, Any]:
        """The document that `drill --json` prints and the control table stores."""
        result = "ok" if self.ok else "failed"
        return {"result": result, "at": iso(self.at), "copied": self.copied, **self.rehearsal.to_json()}

    def to_text(self) -> str:
        """What was copied, the moves, the tally of writes; the last line is the verdict."""
        copied = ", ".join(f"{count} {entity}" for entity, count in self.copied.items())
        kept = "in the control table, partition drill" if self.stored else "nowhere: there is no control table yet"
        verdict = "drill: OK, no write lost" if self.ok else "drill: FAILED, do not cut over"
        return "\n".join([f"copied {copied}", self.rehearsal.to_text(), f"report kept {kept}", verdict])


async def run_drill(app: App, sample: int, say: Say, stop: asyncio.Event) -> DrillReport:
    """Rehearse on copies of up to ``sample`` items of each entity, in tables that are deleted at the end, also when cancelled.

    Raises Refused when there is nothing to copy, Interrupted when ``stop`` is set on the way, and what a rehearsal raises.
    """
    await app.tables.old_table()
    items = await _sample_items(app, sample)
    if not items:
        raise Refused(
            f"old table {app.mapping.old.table} has no item that can be mapped", remedy="see: tablesplit preflight"
        )
    say(f"{len(items)} items read; all else happens in the drill's own tables")
    rehearsed = await _rehearse(app.settings, items, say, stop)
    copied = Counter(entity_of(app.mapping, item).name for item in items)
    stored = await app.tables.describe(app.settings.control_table) is not None
    report = DrillReport(dict(sorted(copied.items())), rehearsed, app.clock.now(), stored)
    if stored:
        await app.control.records("drill", dict[str, Any]).save(iso(report.at), report.to_json())
    return report


async def _sample_items(app: App, wanted: int) -> list[Item]:
    """The first items of a Scan, up to ``wanted`` of each entity, without stamps. Items that cannot be mapped are left out."""
    sampled: dict[str, list[Item]] = {name: [] for name in app.mapping.entities}
    async for page in first_pages(app.store, app.mapping.old.table, wanted * SCANNED_PER_WANTED):
        for item in page.items:
            _keep(app, sampled, item, wanted)
        if all(len(items) >= wanted for items in sampled.values()):
            break
    return [item for items in sampled.values() for item in items]


def _keep(app: App, sampled: dict[str, list[Item]], item: Item, wanted: int) -> None:
    bare = {name: value for name, value in item.items() if name != app.mapping.stamp}
    try:
        entity = forward(app.mapping, bare).entity
    except Poison:  # `preflight` reports such items, and the quarantine keeps them; a drill is about the phase moves
        return
    if len(sampled[entity]) < wanted:
        sampled[entity].append(bare)


async def _rehearse(settings: Settings, items: list[Item], say: Say, stop: asyncio.Event) -> RehearsalReport:
    waits = {
        name: min(getattr(settings, name), GATE_WAITS_AT_MOST_SECONDS)
        for name in ("gate_lag_low_seconds", "gate_quiet_seconds")
    }
    async with own_tables(settings.model_copy(update=waits), TABLES) as app:
        await load_items(app, items)
        await create_and_start(app)
        shared = items[:: max(1, len(items) // SHARED_ITEMS)]

        def application() -> Application:
            return MappedApplication(app.store, app.mapping, app.clock, items)

        counting = MappedApplication(app.store, app.mapping, app.clock, ())
        return (await Rehearsal(app, RehearsalPlan(application, shared, counting), say, stop).run()).report
