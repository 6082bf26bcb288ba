"""What a draft of a mapping needs of the old table: its key, its indexes, and a sample of its items. Only reads."""

import asyncio

from service.app import App
from service.core.item.wire import Item
from service.dynamodb.table_description import attribute_names
from service.errors import Refused
from service.migration.first_pages import first_pages


async def key_and_indexes(app: App, table: str) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """The key attributes of the table, and those of each index. An attribute of a local index has an index with the table's
    partition key. Raises Refused when there is no such table."""
    found = await app.tables.describe(table)
    if found is None:
        raise Refused(
            f"there is no table {table}", remedy="set OLD_TABLE_NAME, and AWS_REGION, to those of the old table"
        )
    key = tuple(name for name in found.key if name is not None)
    indexes = {index: attribute_names(one.key) for index, one in found.indexes.items()}
    known = {*key, *(name for names in indexes.values() for name in names)}
    local = {f"by-{name}": (key[0], name) for name in sorted(found.attribute_types) if name not in known}
    return key, indexes | local


async def sample_items(app: App, table: str, count: int, stop: asyncio.Event) -> list[Item]:
    """The first ``count`` items of a Scan; fewer when ``stop`` is set."""
    return [item async for page in first_pages(app.store, table, count, stop) for item in page.items]
