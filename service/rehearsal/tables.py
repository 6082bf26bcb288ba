"""The rehearsal's own tables, under a random prefix: made, loaded, and always deleted at the end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from secrets import token_hex

from service.app import App, open_app
from service.config import Settings
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_waits import until_deleted
from service.environment import load_configured_mapping
from service.rehearsal.counting import SHARED_COUNTER
from service.tasks import task_group

LOADING_AT_ONCE = 16
"""Puts under way at the same time."""


@asynccontextmanager
async def own_tables(settings: Settings, name: str) -> AsyncIterator[App]:
    """Open an App whose table names all begin with ``name`` and six random hex digits; its old table exists and is empty.

    Its settings have no hook, so nothing outside learns of its moves. All tables are deleted at the end, also when the block is
    cancelled.
    """
    prefix = f"{name}-{token_hex(3)}"
    mapping = with_counter(load_configured_mapping(settings, prefix=f"{prefix}-"), SHARED_COUNTER)
    own = settings.model_copy(update={"control_table": f"{prefix}-control", "hook": None})
    async with open_app(own, mapping) as app:
        try:
            await make_old_table(app)
            yield app
        finally:
            await app.tables.drop(await app.tables.existing())
            await _drop_old_table(app)


def with_counter(mapping: Mapping, attribute: str) -> Mapping:
    """The mapping with one more attribute, which it does not know, as a counter of both sides (``merge: add``)."""
    entities = {
        name: replace(entity, unmapped_merge={**entity.unmapped_merge, attribute: "add"})
        for name, entity in mapping.entities.items()
    }
    return replace(mapping, entities=entities)


async def make_old_table(app: App) -> None:
    """Make the old table, empty and without a stream, and wait until it is active."""
    old = app.mapping.old
    table = NewTable(old.table, (old.partition_key, old.sort_key), stream=False, key_types=old.key_types)
    await app.tables.make(table)


async def load_items(app: App, items: Iterable[Item]) -> None:
    """Put the items into the old table."""
    waiting = iter(items)

    async def load() -> None:
        for item in waiting:
            await app.store.write(Put(app.mapping.old.table, item))

    async with task_group() as tasks:
        for _ in range(LOADING_AT_ONCE):
            tasks.create_task(load())


async def _drop_old_table(app: App) -> None:
    name = app.mapping.old.table
    if await app.tables.describe(name) is not None:
        await asyncio.to_thread(app.tables.plane.delete_table, name)
        await until_deleted(app.tables.plane, name, app.clock)
