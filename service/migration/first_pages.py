"""The first items of the old table, for what needs a sample of it. Only reads."""

import asyncio
from collections.abc import AsyncIterator

from service.dynamodb.protocol import ItemStore, Page

PAGE_ITEMS = 250


async def first_pages(
    store: ItemStore, table: str, count: int, stop: asyncio.Event | None = None
) -> AsyncIterator[Page]:
    """The pages of a Scan with the first ``count`` items; ends early when ``stop`` is set. The last page of the table has no
    ``last_key``."""
    start, left = None, count
    while left > 0 and not (stop is not None and stop.is_set()):
        page = await store.scan(
            table, segment=0, segments=1, start=start, limit=min(PAGE_ITEMS, left), consistent=False
        )
        yield page
        start, left = page.last_key, left - len(page.items)
        if start is None:
            return
