"""The drill on DynamoDB Local: it rehearses both ways on tables of its own, and leaves the real ones as they were."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.app import App, open_app
from service.core.mapping.mapping import load_mapping
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_waits import until_active
from service.errors import Interrupted, Refused
from service.migration.start import create_and_start
from service.rehearsal.demo.items import old_items
from service.rehearsal.drill import TABLES, run_drill
from service.rehearsal.tables import load_items
from tests.builders.crm_tables import connections
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import plane_settings
from tests.integration.quick import QUICK

ITEMS = list(old_items(12))
SAMPLE = 5

pytestmark = pytest.mark.local


@pytest.fixture
async def app(dynamodb_local: str, table_prefix: str) -> AsyncIterator[App]:
    mapping = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda _, default: table_prefix + default)
    async with open_app(
        plane_settings(dynamodb_local, control_table=f"{table_prefix}control", **QUICK), mapping
    ) as app:
        table = NewTable(mapping.old.table, mapping.old.key_names, stream=False)
        await asyncio.to_thread(app.tables.plane.create_table, table)
        await until_active(app.tables.plane, table.name, app.clock)
        yield app


async def drill_tables(app: App) -> list[str]:
    """The tables that a drill has made and not deleted."""
    assert app.settings.endpoint_url is not None
    pages = connections(app.settings.endpoint_url)[2].get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(TABLES)]


async def real_items(app: App) -> list[Any]:
    page = await app.store.scan(app.mapping.old.table, segment=0, segments=1, start=None, limit=1000)
    return sorted(page.items, key=str)


@pytest.mark.slow
async def test_a_drill_goes_both_ways_loses_nothing_and_leaves_only_its_report(app):
    await load_items(app, ITEMS)
    await create_and_start(app)
    before, printed = await real_items(app), []
    report = await run_drill(app, SAMPLE, printed.append, asyncio.Event())
    assert report.ok, report.to_text()
    assert report.copied == {"DEAL": 5, "LEAD": 5, "PIPELINE": 1, "RESOURCE": 5}
    assert [move.phase for move in report.rehearsal.moves] == ["dual", "reverse", "dual", "forward", "dual"]
    assert report.rehearsal.tally.acknowledged == sum(report.rehearsal.writes.values()) > 0
    assert (report.rehearsal.pause, report.rehearsal.tally.lost) == (0, ())
    assert await real_items(app) == before
    assert await drill_tables(app) == []
    (kept,) = (await app.control.records("drill", dict[str, Any]).all()).values()
    assert kept.value == report.to_json()


async def test_a_drill_that_is_cancelled_deletes_what_it_has_made(app):
    await load_items(app, ITEMS)
    working = asyncio.Event()

    def show(line: str) -> None:
        if "backfill done" in line:
            working.set()

    drill = asyncio.create_task(run_drill(app, SAMPLE, show, asyncio.Event()))
    await asyncio.wait_for(working.wait(), 60)
    assert await drill_tables(app)
    drill.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drill
    assert await drill_tables(app) == []


async def test_a_drill_that_is_stopped_says_so_and_leaves_nothing(app):
    await load_items(app, ITEMS)
    stop = asyncio.Event()
    stop.set()
    with pytest.raises(Interrupted):
        await run_drill(app, SAMPLE, lambda _: None, stop)
    assert await drill_tables(app) == []


async def test_a_drill_needs_something_to_copy(app):
    await load_items(app, [{"pk": {"S": "x"}, "sk": {"S": "y"}}])
    with pytest.raises(Refused, match="no item that can be mapped"):
        await run_drill(app, SAMPLE, lambda _: None, asyncio.Event())
