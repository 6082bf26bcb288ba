"""The tables of a CRM migration on a real server, started in phase forward, and a backfill of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from backfill.options import BackfillOptions
from backfill.report import BackfillReport
from backfill.segment_copier import BackfillContext
from backfill.worker import run_backfill
from service.clock import SystemClock
from service.config import Settings
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
from service.telemetry.metrics import Metrics
from tests.builders.mappings import CRM_TEXT
from tests.builders.planes import open_plane, plane_settings
from tests.fakes.recording_display import RecordingDisplay


@dataclass
class Server:
    """A migration's tables on a server, and its settings."""

    plane: DynamoDBClient
    mapping: Mapping
    settings: Settings
    stop: asyncio.Event

    @property
    def control(self) -> ControlTable:
        return ControlTable(self.plane, self.settings.control_table)

    async def fill(self, items: list[Item]) -> None:
        """Put old items into the old table."""
        old = self.mapping.old
        for start in range(0, len(items), 25):
            await self.plane.insert_many(old.table, items[start : start + 25], old.key_names)

    async def backfill(self, **options: Any) -> BackfillReport:
        context = BackfillContext(
            Stores(self.plane, self.control, self.mapping, SystemClock()),
            self.settings,
            Metrics(),
            BackfillOptions(**options),
            display=RecordingDisplay(),
            stop=self.stop,
        )
        return await run_backfill(context)

    async def all_items(self, table: str) -> list[Item]:
        page = await self.plane.scan(table, segment=0, segments=1, start=None, limit=1000)
        assert page.last_key is None
        return page.items

    async def require_copied(self, items: list[Item]) -> None:
        """Assert that v2 holds the transform of every old item, and nothing else."""
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
async def opened(url: str, prefix: str, text: str = CRM_TEXT) -> AsyncIterator[Server]:
    mapping = load_mapping(text, source="crm.yaml", names=lambda variable, default: prefix + default)
    settings = plane_settings(url, control_table=f"{prefix}control", segments=3, page_items=100)
    admin = ControlPlane(settings)
    old = NewTable(
        mapping.old.table, (mapping.old.partition_key, mapping.old.sort_key), key_types=mapping.old.key_types
    )
    await asyncio.to_thread(admin.create_table, old)
    async with open_plane(url, clock=SystemClock()) as plane:  # type: ignore[arg-type] # leases need real time
        tables = Tables(admin, plane, SystemClock(), mapping, settings.control_table)
        await tables.make_missing()
        arn = await tables.enable_old_stream()
        server = Server(plane, mapping, settings, asyncio.Event())
        await change_state(server.control, mapping, 0.0, lambda state: in_forward(with_stream(state, arn), 0.0))
        yield server
        await tables.drop(await tables.existing())
    await asyncio.to_thread(admin.delete_table, old.name)
