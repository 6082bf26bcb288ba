"""The backfill of the CRM on real servers: with PartiQL (DynamoDB Local) and without it (moto)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from backfill.segment_copier import BackfillContext
from backfill.worker import run_backfill
from service.clock import SystemClock
from service.config import Settings
from service.control.quarantine import Quarantine
from service.control.state import change_state, in_forward, with_stream
from service.control.stores import Stores
from service.control.table import ControlTable
from service.core.item.compare import equal
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping, load_mapping
from service.core.rules.guarded import copy_write
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.table_description import NewTable
from service.dynamodb.tables import Tables
from service.errors import Interrupted
from service.metrics import Metrics
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import open_plane, plane_settings
from tests.worlds.backfill_world import Seen

ENTITIES = ("LEAD", "DEAL", "RESOURCE", "PIPELINE")


@dataclass
class Server:
    """A migration's tables on a server."""

    plane: DynamoDBClient
    mapping: Mapping
    settings: Settings
    stop: asyncio.Event

    @property
    def control(self) -> ControlTable:
        return ControlTable(self.plane, self.settings.control_table)

    async def fill(self, items: list[Item]) -> None:
        """Old items, as the application has left them."""
        old = self.mapping.old
        for start in range(0, len(items), 25):
            await self.plane.insert_many(old.table, items[start : start + 25], old.key_names)

    async def backfill(self, **options: Any) -> BackfillReport:
        context = BackfillContext(
            Stores(self.plane, self.control, self.mapping, SystemClock()),
            self.settings,
            Metrics(),
            BackfillOptions(**options),
            display=Seen(),
            stop=self.stop,
        )
        return await run_backfill(context)

    async def all_items(self, table: str) -> list[Item]:
        page = await self.plane.scan(table, segment=0, segments=1, start=None, limit=1000)
        assert page.last_key is None
        return page.items

    async def require_copied(self, items: list[Item]) -> None:
        """Every old item is in v2 as its transform, and nothing else is."""
        expected = {
            (put.table, str(put.item["SK"])): put.item for put in (copy_write(self.mapping, item, 1) for item in items)
        }
        actual = {
            (table, str(item["SK"])): item for table in self.mapping.tables for item in await self.all_items(table)
        }
        assert expected.keys() == actual.keys()
        different = [key for key, item in expected.items() if not equal(item, actual[key])]
        assert different == []


@asynccontextmanager
async def opened(url: str, prefix: str) -> AsyncIterator[Server]:
    mapping = load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, default: prefix + default)
    settings = plane_settings(url, control_table=f"{prefix}control", segments=3, page_items=100)
    admin = ControlPlane(settings)
    old = NewTable(mapping.old.table, (mapping.old.partition_key, mapping.old.sort_key))
    await asyncio.to_thread(admin.create_table, old)
    async with open_plane(url, clock=SystemClock()) as plane:  # type: ignore[arg-type] # leases need real time
        tables = Tables(admin, plane, SystemClock(), mapping, settings.control_table)
        await tables.make_missing()
        arn = await tables.enable_old_stream()
        server = Server(plane, mapping, settings, asyncio.Event())
        await change_state(server.control, mapping, 0.0, lambda state: in_forward(with_stream(state, arn), 0.0))
        yield server
        await tables.drop()
    await asyncio.to_thread(admin.delete_table, old.name)


def crm_item(entity: str, n: int) -> Item:
    """An item as such tables hold them: some attributes absent, some dirty."""
    item: Item = {
        "pk": {"S": f"{entity}#{n}"},
        "sk": {"S": "METADATA"},
        "entity_type": {"S": entity},
        "id": {"S": str(n)},
        "created_at": {"S": f"202{n % 5}-0{n % 9 + 1}-03T04:05:06Z"},
        "it's odd": {"SS": [f"{n}", "a"]},
    }
    dirty: Item = {"created_at": {"S": "yesterday"}, "followers": {"S": "1,054"}, "company": {"S": ""}}
    return item | dirty if n % 3 == 0 else item


def crm_items(count: int) -> list[Item]:
    return [crm_item(ENTITIES[n % 4], n) for n in range(count)]


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
async def test_stopped_on_the_way_it_goes_on_without_copying_twice(dynamodb_local: str, table_prefix: str) -> None:
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
