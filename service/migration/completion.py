"""The end of a migration: removes the stamps and the bare tombstones from v2, page by page, and lets its items expire where the
mapping says so. The old table stays as it is.

By then tablesplit no longer writes v2: both directions are off, and the writer horizon has passed.
"""

import asyncio

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from service.app import App
from service.control.table import Records
from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item
from service.core.item.write import Exists, Update
from service.core.rules.guarded import purge_write
from service.dynamodb.protocol import Fence


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", defer_build=True))
class Stripped:
    """How far a v2 table is stripped."""

    start: Item | None = None
    """The key after which the next page begins; None: at the start of the table."""
    done: bool = False
    stamps: int = 0
    """Stamps removed. A page that is repeated counts once: what is removed is not there again."""
    tombstones: int = 0
    """Bare tombstones removed."""


async def finish_v2(app: App, fence: Fence) -> None:
    """Leave v2 to its application: without stamps (``strip_stamps``), its items expiring as ``ttl`` of the mapping says. It can be
    repeated.

    Not before: while reverse sync runs, a deletion by TTL on v2 would delete the old item, which the old table would still have.
    """
    await strip_stamps(app, fence)
    await app.tables.begin_expiry()


async def strip_stamps(app: App, fence: Fence) -> None:
    """Remove the stamp from every v2 item, and the bare tombstones. Goes on where it stopped. ``fence`` guards every write."""
    for table in app.mapping.tables:
        await _strip_table(app, table, fence)


async def _strip_table(app: App, table: str, fence: Fence) -> None:
    records = _records(app)
    stored = await records.get(table)
    progress = stored.value if stored is not None else Stripped()
    while not progress.done:
        page = await app.store.scan(
            table, segment=0, segments=1, start=progress.start, limit=app.settings.page_items, consistent=True
        )
        stamps, tombstones = await _strip_page(app, table, page.items, fence)
        progress = Stripped(
            page.last_key, page.last_key is None, progress.stamps + stamps, progress.tombstones + tombstones
        )
        fence()
        await records.save(table, progress)


async def _strip_page(app: App, table: str, items: list[Item], fence: Fence) -> tuple[int, int]:
    """How many stamps, and how many tombstones, were removed."""
    slots = asyncio.Semaphore(app.settings.backfill_concurrency)

    async def strip(item: Item) -> tuple[int, int]:
        async with slots:
            return await _strip_item(app, table, item, fence)

    removed = await asyncio.gather(*(strip(item) for item in items if app.mapping.stamp in item))
    return sum(stamps for stamps, _ in removed), sum(tombstones for _, tombstones in removed)


async def _strip_item(app: App, table: str, item: Item, fence: Fence) -> tuple[int, int]:
    bare = is_bare_tombstone(item, app.mapping.tables[table].key_names, app.mapping.stamp)
    if bare and await app.store.write(purge_write(app.mapping, table, item), fence=fence):
        return 0, 1
    # A tombstone that the application has turned into an item meanwhile loses its stamp like any other item.
    key = {name: item[name] for name in app.mapping.tables[table].key_names}
    stamp = app.mapping.stamp
    return int(await app.store.write(Update(table, key, {}, (stamp,), Exists((stamp,))), fence=fence)), 0


def _records(app: App) -> Records[Stripped]:
    return app.control.records("completing", Stripped)
