"""Drops everything that tablesplit made, only while no sync and no backfill runs."""

from typing import Any

from backfill.records import read_run_status
from service.app import App
from service.control.engine import engine_in_force
from service.control.state import NAME, PARTITION
from service.control.workers import Workers
from service.errors import Fatal, Refused
from service.streams.kcl.lease_table import SUFFIXES, LeaseTable, lease_table_name

WRITTEN = ("dual", "reverse", "complete")
"""Phases in which the application may write v2."""


async def drop_all(app: App) -> list[str]:
    """Delete the v2 tables, KCL's tables where the kcl engine was used, and the control table. Returns the names of those that
    existed.

    Raises Refused once v2 may hold what the old table does not, and while a sync or a backfill runs: it would fail later, with
    a less clear reason.
    """
    of_kcl: list[str] = []
    await app.tables.droppable()
    if await app.tables.describe(app.settings.control_table) is not None:
        await _require_v2_to_be_a_copy(app)
        await _require_nothing_runs(app)
        of_kcl = await app.tables.delete(await _kcl_tables(app))
    return [*of_kcl, *await app.tables.drop()]


async def _kcl_tables(app: App) -> list[str]:
    """The existing tables of KCL that belong to this migration. Where the kcl engine was never used, no request is sent."""
    existing: list[str] = []
    for lane, tables in (("forward", (app.mapping.old.table,)), ("reverse", app.mapping.tables)):
        used = await engine_in_force(app.control, lane)
        if used is not None and used.application is not None:
            for table in tables:
                existing += await _of_stream(app, lease_table_name(used.application, table))
    return existing


async def _of_stream(app: App, name: str) -> list[str]:
    if await app.tables.describe(name) is None or not await _is_own(app, name):
        return []
    tables = [f"{name}{suffix}" for suffix in SUFFIXES]
    return [table for table in tables if await app.tables.describe(table) is not None]


async def _is_own(app: App, lease_table: str) -> bool:
    try:
        return bool(await LeaseTable(app.store, lease_table, app.settings.control_table).rows())
    except Refused:
        return False


async def _require_v2_to_be_a_copy(app: App) -> None:
    """Raises Refused otherwise. Reads the state of any mapping: starting over must stay possible after a change of mapping."""
    try:
        stored = await app.control.records(PARTITION, dict[str, Any]).get(NAME)
    except Fatal as damaged:
        raise Refused(
            f"{damaged.message}: v2 may hold what the old table does not",
            remedy="restore the control table from its backup, or delete the tables yourself",
        ) from damaged
    state = {} if stored is None else stored.value
    if state.get("phase") in WRITTEN or state.get("move") is not None:
        moving = " and a move is under way" if state.get("move") is not None else ""
        raise Refused(
            f"the phase is {state.get('phase')}{moving}: the application writes v2, or is about to",
            remedy="go back to `forward` first: tablesplit rollback (after `complete`, delete the control table yourself)",
        )


async def _require_nothing_runs(app: App) -> None:
    for worker in await Workers(app.control, app.clock).live():
        raise Refused(f"sync worker {worker} is running", remedy="stop it first")
    run_status = await read_run_status(app.control, app.clock.now())
    if run_status is not None and run_status.state == "running":
        raise Refused("a backfill is running, or was killed within the last half minute", remedy="stop it, or wait")
