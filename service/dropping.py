"""Dropping everything that tablesplit made: only while nobody works on it."""

from backfill.records import read_standing
from service.app import App
from service.errors import Refused
from service.workers import Workers


async def drop_all(app: App) -> list[str]:
    """Delete the v2 tables and the control table; the names of those that existed.

    Raises Refused while a sync or a backfill is heard of: it would fail on the way, with less to say about why.
    """
    if await app.tables.describe(app.settings.control_table) is not None:
        await _require_nobody_at_work(app)
    return await app.tables.drop()


async def _require_nobody_at_work(app: App) -> None:
    for worker in await Workers(app.control, app.clock).heard():
        raise Refused(f"sync worker {worker} is at work", remedy="stop it first")
    standing = await read_standing(app.control, app.clock.now())
    if standing is not None and standing.state == "running":
        raise Refused("a backfill is at work, or was killed within the last half minute", remedy="stop it, or wait")
