"""The old table of a local demonstration, and an application that keeps writing: to the old table or, after its move, to v2."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

from service.app import App
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.phases.acting import Side
from service.errors import Misconfigured
from service.hosts import is_aws
from service.log import get_logger
from service.rehearsal.by_mapping import MappedApplication
from service.rehearsal.demo.items import old_items, pipeline
from service.rehearsal.demo.run import WRITTEN
from service.rehearsal.tables import load_items, make_old_table
from service.rehearsal.write_log import WriteLog
from service.rehearsal.writers import Writer
from service.tasks import task_group

WRITERS = 2
KNOWN_ITEMS = 40
"""Items that the writers start with, about."""

REMEMBERED_WRITES = 1_000
LOG_SECONDS = 30.0


async def is_loaded(app: App) -> bool:
    """Whether the old table exists with all its items: it has the one that is loaded last."""
    old = app.mapping.old
    if await app.tables.describe(old.table) is None:
        return False
    key = {name: pipeline()[name] for name in old.key_names}
    return await app.store.get(old.table, key) is not None


async def seed_old_table(app: App, opportunities: int) -> int:
    """Make the old table and load it. Returns the number of items loaded, 0 when it was loaded before.

    Raises Misconfigured when the settings lead to AWS, or to a table with other items: the demonstration's items are never
    written there.
    """
    _require_local(app)
    if await is_loaded(app):
        return 0
    last, *items = old_items(opportunities)
    if await app.tables.describe(app.mapping.old.table) is None:
        await make_old_table(app)
    else:
        await _require_own(app, items[0])
    await load_items(app, items)
    await app.store.write(Put(app.mapping.old.table, last))
    return len(items) + 1


async def _require_own(app: App, first: Item) -> None:
    """Raise Misconfigured unless the old table is empty, or was loaded in part by an earlier ``seed_old_table``."""
    old = app.mapping.old
    page = await app.store.scan(old.table, segment=0, segments=1, start=None, limit=1)
    if page.items and await app.store.get(old.table, {name: first[name] for name in old.key_names}) is None:
        raise Misconfigured(
            f"table {old.table} holds items that are not the demonstration's",
            remedy="name another table in OLD_TABLE_NAME",
        )


def writer_numbers(side: Side) -> range:
    """The numbers of a side's writers. The sides share none: an id that both create would be held, at two v2 keys."""
    return range(WRITERS) if side == "old" else range(WRITERS, 2 * WRITERS)


async def keep_writing(app: App, side: Side, opportunities: int, pause_seconds: float, stop: asyncio.Event) -> WriteLog:
    """Change leads and deals on ``side`` until ``stop`` is set. Returns the log of the latest writes.

    Raises Misconfigured when the settings lead to AWS, Retryable when a write still fails after all its retries.
    """
    _require_local(app)
    log = WriteLog(deque(maxlen=REMEMBERED_WRITES))
    known = _items_to_write(app, opportunities)
    application = MappedApplication(app.store, app.mapping, app.clock, known)
    writers = [
        Writer(number, application, known[share::WRITERS], app.mapping, app.clock, log)
        for share, number in enumerate(writer_numbers(side))
    ]
    for writer in writers:
        await writer.switch(side)
    async with task_group() as tasks:
        logging = tasks.create_task(_log_writes(app, side, log))
        async with task_group() as writing:
            for writer in writers:
                writing.create_task(writer.run(stop, pause_seconds))
        logging.cancel()
    return log


def _require_local(app: App) -> None:
    """Raise Misconfigured when the settings lead to AWS, by the region or by an endpoint."""
    if is_aws(app.settings.endpoint_url):
        raise Misconfigured(
            "the demonstration's items are for a local server only", remedy="set AWS_ENDPOINT_URL to DynamoDB Local's"
        )


def _items_to_write(app: App, opportunities: int) -> Sequence[Item]:
    """The items that the writers start with: the same after a restart, also those that have been changed or deleted since."""
    written = [item for item in old_items(opportunities) if app.mapping.entity_name_of(item) in WRITTEN]
    return written[:: max(1, len(written) // KNOWN_ITEMS)]


async def _log_writes(app: App, side: Side, log: WriteLog) -> None:
    while True:
        await app.clock.sleep(LOG_SECONDS)
        values: dict[str, Any] = {"side": side, "slowest_seconds": round(log.slowest_seconds, 2), **log.counts()}
        get_logger().info("the latest writes", **values)
