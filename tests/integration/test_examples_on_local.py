"""The examples' repository layer under a live migration on DynamoDB Local: there, back, and there again, and no write is lost."""

import asyncio

import pytest

from service.migration.start import create_and_start
from service.rehearsal.demo.items import old_items
from service.rehearsal.demo.run import QUICK, WRITTEN
from service.rehearsal.run import Rehearsal, RehearsalPlan
from service.rehearsal.tables import load_items, own_tables
from tests.builders.planes import plane_settings
from tests.worlds.example_application import ExampleApplication, links_to

OPPORTUNITIES = 40
SHARED_ITEMS = 4

pytestmark = [pytest.mark.local, pytest.mark.slow]


async def test_the_examples_lose_no_write_while_their_tables_are_migrated(dynamodb_local: str) -> None:
    items, lines = list(old_items(OPPORTUNITIES)), []
    async with own_tables(plane_settings(dynamodb_local, **QUICK), "tablesplit-examples") as app:
        known = [item for item in items if app.mapping.entity_name_of(item) in WRITTEN]
        shared = known[:: len(known) // SHARED_ITEMS]
        links = links_to(app.mapping, shared)

        def application() -> ExampleApplication:
            return ExampleApplication(app.settings, app.mapping, links)

        await load_items(app, items)
        await create_and_start(app)
        rehearsed = await Rehearsal(app, RehearsalPlan(application, shared), lines.append, asyncio.Event()).run()
    report = rehearsed.report
    assert report.ok, report.to_text()
    assert [move.phase for move in report.moves] == ["dual", "reverse", "dual", "forward", "dual"]
    assert report.tally.acknowledged == sum(report.writes.values()) > 0
    assert set(report.writes) >= {"update", "move"}
