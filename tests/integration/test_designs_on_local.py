"""Each public design of examples/tables goes there and back under writers of both sides, on DynamoDB Local, and loses nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from service.app import App, open_app
from service.core.mapping.mapping import load_mapping
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_waits import until_active
from service.rehearsal.drill import run_drill
from service.rehearsal.tables import load_items
from tests.builders.designs import DESIGNS, TABLES, items_of
from tests.builders.planes import plane_settings
from tests.integration.quick import QUICK

pytestmark = [pytest.mark.local, pytest.mark.slow]


@asynccontextmanager
async def opened(server: str, prefix: str, design: str) -> AsyncIterator[App]:
    """An app with the design's old table, which has the design's items."""
    path = TABLES / f"{design}.yaml"
    mapping = load_mapping(path.read_text("utf-8"), source=path.name, names=lambda _, default: prefix + default)
    settings = plane_settings(server, control_table=f"{prefix}control", mapping=path, **QUICK)
    async with open_app(settings, mapping) as app:
        table = NewTable(mapping.old.table, (mapping.old.partition_key, mapping.old.sort_key), stream=False)
        await asyncio.to_thread(app.tables.plane.create_table, table)
        await until_active(app.tables.plane, table.name, app.clock)
        await load_items(app, items_of(design))
        yield app


@pytest.mark.parametrize("design", DESIGNS)
async def test_a_drill_goes_both_ways_and_loses_nothing(dynamodb_local: str, table_prefix: str, design: str) -> None:
    async with opened(dynamodb_local, table_prefix, design) as app:
        report = await run_drill(app, 5, lambda _: None, asyncio.Event())
        assert report.ok, report.to_text()
        assert report.copied.keys() == app.mapping.entities.keys()
        assert [move.phase for move in report.rehearsal.moves] == ["dual", "reverse", "dual", "forward", "dual"]
        assert report.rehearsal.tally.acknowledged > 0
