"""The backfill of the CRM on real servers: with PartiQL (DynamoDB Local) and without it (moto)."""

import asyncio

import pytest

from service.clock import SystemClock
from service.control.quarantine import Quarantine
from service.errors import Interrupted
from tests.builders.crm_items import crm_item, crm_items
from tests.worlds.server_world import opened


@pytest.mark.local
async def test_everything_is_copied_and_what_cannot_be_mapped_is_quarantined(
    dynamodb_local: str, table_prefix: str
) -> None:
    async with opened(dynamodb_local, table_prefix) as server:
        items = crm_items(400)
        unknown = crm_item("MEETING", 1)
        await server.fill([*items, unknown])
        report = await server.backfill()
        assert (report.outcomes.copied, report.outcomes.quarantined) == (400, 1)
        await server.require_copied(items)
        (head,) = (await Quarantine(server.control, SystemClock()).heads()).values()
        assert head.key == {"pk": unknown["pk"], "sk": unknown["sk"]}
        again = await server.backfill(again=True)
        assert (again.outcomes.copied, again.outcomes.present) == (0, 400)
        await server.require_copied(items)


@pytest.mark.local
async def test_a_backfill_that_was_stopped_continues_without_copying_twice(
    dynamodb_local: str, table_prefix: str
) -> None:
    async with opened(dynamodb_local, table_prefix) as server:
        items = crm_items(400)
        await server.fill(items)
        running = asyncio.ensure_future(server.backfill(max_write_units=300))
        while len(await server.all_items(server.mapping.entities["LEAD"].table)) < 10:
            assert not running.done()
        server.stop.set()
        with pytest.raises(Interrupted, match="stopped on the way"):
            await running
        server.stop.clear()
        report = await server.backfill()
        assert report.resumed
        assert report.outcomes.items == 400
        await server.require_copied(items)


@pytest.mark.moto
async def test_a_server_without_partiql_is_filled_by_conditional_puts(moto_server: str, table_prefix: str) -> None:
    async with opened(moto_server, table_prefix) as server:
        items = crm_items(120)
        await server.fill(items)
        report = await server.backfill()
        assert report.outcomes.copied == 120
        await server.require_copied(items)
