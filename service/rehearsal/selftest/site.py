"""Where a self-test asks: tables of its own, which are deleted at the end, also when it is interrupted or fails."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any

from service.app import App
from service.core.item.wire import Item
from service.dynamodb.table_description import NewTable, create_table_request
from service.dynamodb.table_waits import POLL_SECONDS, until_active, until_stream_enabled
from service.errors import Fatal, TablesplitError

PREFIX = "tablesplit-selftest-"
KEY = "id"

ALL_SECONDS = 600.0
"""Everything has ended this long after the start."""

DELETE_SECONDS = 120.0
"""How long deleting is tried at least: DynamoDB refuses it while a table is being created or changed
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DeleteTable.html)."""


@dataclass(slots=True)
class Site:
    """The server, the tables made so far, and until when questions may wait."""

    app: App
    until: float
    """By the monotonic clock."""
    prefix: str = field(default_factory=lambda: f"{PREFIX}{token_hex(4)}-")
    made: list[str] = field(default_factory=list)
    refusals: Counter[str] = field(default_factory=Counter)
    """How often the stream of a table was not found, though it is enabled."""

    @property
    def left(self) -> float:
        """Seconds that a question may still wait."""
        return self.until - self.app.clock.monotonic()

    async def make(self, name: str, *, stream: bool = True, **fields: Any) -> str:
        """Create a table with the key KEY (a string), and wait for it. ``fields``: of CreateTable. Returns its whole name."""
        table = f"{self.prefix}{name}"
        self.made.append(table)
        request = create_table_request(NewTable(table, (KEY, None), stream=stream))
        await self.request("create_table", table, **{**request, **fields})
        await until_active(self.app.tables.plane, table, self.app.clock)
        if stream:
            await until_stream_enabled(self.app.tables.plane, self.app.store, table, self.app.clock)
        return table

    async def request(self, method: str, table: str, **fields: Any) -> dict[str, Any]:
        """The answer to a request of the control plane, such as ``update_time_to_live``."""
        return await asyncio.to_thread(self.app.tables.plane.request, method, table, fields)

    async def stream_arn(self, table: str) -> str:
        """The ARN of the table's stream."""
        described = await self.app.tables.describe(table)
        assert described is not None
        assert described.stream_arn is not None
        return described.stream_arn

    async def delete_all(self, until: float) -> None:
        """Delete every table made, by ``until`` of the monotonic clock. Raises Fatal that names those that are left."""
        why: dict[str, str] = {}
        left = list(self.made)
        while left := [table for table in left if not await self._is_deleted(table, why)]:
            if self.app.clock.monotonic() >= until:
                raise Fatal(
                    f"tables of the self-test are left: {', '.join(left)} ({'; '.join(why.values())})",
                    remedy="delete them yourself: they cost money",
                )
            await self.app.clock.sleep(POLL_SECONDS)

    async def _is_deleted(self, table: str, why: dict[str, str]) -> bool:
        """Whether the table is gone; if not, deletion is asked for. ``why`` keeps the last refusal."""
        plane = self.app.tables.plane
        try:
            described = await asyncio.to_thread(plane.describe_table, table)
            if described is not None and described.status != "DELETING":
                await asyncio.to_thread(plane.delete_table, table)
        except TablesplitError as error:
            why[table] = error.message
            return False
        return described is None


@asynccontextmanager
async def own_site(app: App, seconds: float) -> AsyncIterator[Site]:
    """A Site that may ask for so many seconds. Its tables are deleted at the end."""
    began = app.clock.monotonic()
    site = Site(app, began + seconds)
    try:
        yield site
    finally:
        await site.delete_all(max(began + ALL_SECONDS, app.clock.monotonic() + DELETE_SECONDS))


def key(name: str) -> Item:
    """The key of the item ``name``."""
    return {KEY: {"S": name}}


def numbered(name: str, number: int) -> Item:
    """The item ``name`` at its write ``number``."""
    return {**key(name), "n": {"N": str(number)}}
