"""Tables on a server, as a measured program finds them: a migration that has just been started."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from bench.items import many_items
from bench.memory.stream import CHANGED
from service.app import App, open_app
from service.config import Settings
from service.core.item.wire import Item
from service.core.item.write import Put, Update, Write
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import copy_write
from service.dynamodb.table_waits import until_deleted
from service.environment import load_configured_mapping
from service.migration.start import create_and_start
from service.rehearsal.tables import make_old_table
from service.tasks import task_group

AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Site:
    """What there is on a server before the clock starts."""

    old: int = 0
    """Items in the old table."""
    v2: int = 0
    """Items of which v2 has the backfill's copy."""


def settings_of(url: str) -> Settings:
    """The settings of every tablesplit that is measured on the server at ``url``."""
    return Settings(endpoint_url=url, log_level="error", settle_seconds=0)


def mapping() -> Mapping:
    """The mapping of all that is measured."""
    return load_configured_mapping(Settings())


def make(url: str, site: Site) -> None:
    """Delete every table of the server at ``url``, and make those of ``site``."""
    asyncio.run(_make(url, site))


async def _make(url: str, site: Site) -> None:
    async with open_app(settings_of(url)) as app:
        await delete_all(app)
        await make_old_table(app)
        await write_all(app, (Put(app.mapping.old.table, item) for item in many_items(site.old)))
        await create_and_start(app)
        await write_all(app, (copy_write(app.mapping, item, 1) for item in many_items(site.v2)))


def change(url: str, items: int) -> None:
    """Change so many old items, as the application does: v2 does not have it yet."""
    asyncio.run(_change(url, items))


async def _change(url: str, items: int) -> None:
    async with open_app(settings_of(url)) as app:
        await write_all(app, (update_of(app, item) for item in many_items(items)))


def update_of(app: App, old: Item) -> Update:
    """The application's change of an old item."""
    return Update(app.mapping.old.table, {name: old[name] for name in app.mapping.old.key_names}, CHANGED)


async def write_all(app: App, writes: Iterable[Write]) -> None:
    """Make all of the writes, some at once."""
    waiting = iter(writes)

    async def write() -> None:
        for one in waiting:
            await app.store.write(one)

    async with task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(write())


async def delete_all(app: App) -> None:
    """Delete the tables of the migration, the old one too."""
    names = (app.mapping.old.table, *app.mapping.tables, app.settings.control_table)
    for name in names:
        if await app.tables.describe(name) is not None:
            await asyncio.to_thread(app.tables.plane.delete_table, name)
            await until_deleted(app.tables.plane, name, app.clock)
