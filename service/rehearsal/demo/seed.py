"""The old table of a local demonstration, and an application that keeps writing: on the old table, or once it has moved on v2."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from service.app import App
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.phases.acting import Side
from service.errors import Misconfigured
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
REMEMBERED_WRITES = 1_000
SAY_SECONDS = 30.0
AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


async def is_loaded(app: App) -> bool:
    """Whether the old table is there with all its items: the one that is loaded last is there."""
    old = app.mapping.old
    if await app.tables.describe(old.table) is None:
        return False
    key = {name: pipeline()[name] for name in old.key_names}
    return await app.store.get(old.table, key) is not None


async def seed_old_table(app: App, opportunities: int) -> int:
    """Make the old table and load it; how many items it has got now, 0 when it was loaded before.

    Raises Misconfigured when the settings lead to AWS, or to a table of somebody else: it never writes figures of a
    demonstration there.
    """
    require_local(app)
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
    """Raises Misconfigured unless the old table is empty, or was loaded in part by an earlier ``seed_old_table``."""
    old = app.mapping.old
    page = await app.store.scan(old.table, segment=0, segments=1, start=None, limit=1)
    if page.items and await app.store.get(old.table, {name: first[name] for name in old.key_names}) is None:
        raise Misconfigured(
            f"table {old.table} holds items that are not the demonstration's", remedy="name another: OLD_TABLE_NAME"
        )


async def keep_writing(app: App, side: Side, opportunities: int, pause_seconds: float, stop: asyncio.Event) -> WriteLog:
    """Change leads and deals on ``side`` until ``stop`` is set; the log of the latest writes.

    Raises Misconfigured as ``seed_old_table``, Retryable when a write fails for good.
    """
    require_local(app)
    log = WriteLog(deque(maxlen=REMEMBERED_WRITES))
    known = _known(app, opportunities)
    application = MappedApplication(app.store, app.mapping, app.clock, known)
    writers = [Writer(n, application, known[n::WRITERS], app.mapping, app.clock, log) for n in range(WRITERS)]
    for writer in writers:
        await writer.turn(side)
    async with task_group() as tasks:
        saying = tasks.create_task(_say(app, side, log))
        async with task_group() as writing:
            for writer in writers:
                writing.create_task(writer.run(stop, pause_seconds))
        saying.cancel()
    return log


def require_local(app: App) -> None:
    """Raises Misconfigured when the settings lead to AWS, also by an endpoint."""
    host = urlsplit(app.settings.endpoint_url or "").hostname or AWS_HOSTS[0]
    if host.endswith(AWS_HOSTS):
        raise Misconfigured(
            "the demonstration's items are for a local server only", remedy="set AWS_ENDPOINT_URL to DynamoDB Local's"
        )


def _known(app: App, opportunities: int) -> Sequence[Item]:
    """The items that the writers begin with; the same after a restart, whatever became of them."""
    written = [item for item in old_items(opportunities) if item[app.mapping.old.entity]["S"] in WRITTEN]
    return written[:: max(1, len(written) // KNOWN_ITEMS)]


async def _say(app: App, side: Side, log: WriteLog) -> None:
    while True:
        await app.clock.sleep(SAY_SECONDS)
        facts: dict[str, Any] = {"side": side, "slowest_seconds": round(log.slowest_seconds, 2), **log.counts()}
        get_logger().info("the latest writes", **facts)
