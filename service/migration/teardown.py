"""Drops everything that a migration made, and nothing else; only while no sync and no backfill runs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from backfill.leases import LEASE as BACKFILL_LEASE
from backfill.records import backfill_runs
from service.app import App
from service.control.engine import engine_in_force
from service.control.leases import MOVE_LEASE, REVERSE_LEASE, START_LEASE, SYNC_LEASE
from service.control.made_tables import MadeTables
from service.control.state import NAME, PARTITION, require_old_table
from service.control.workers import SILENT_SECONDS, Workers
from service.errors import Fatal, Refused
from service.migration.start import lane_lease
from service.streams.kcl.lease_table import SUFFIXES, LeaseTable, lease_table_name

WRITTEN = ("dual", "reverse", "complete")
"""Phases in which the application may write v2."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """What became of the tables that existed."""

    dropped: tuple[str, ...]
    released: tuple[str, ...]
    """Tables that this migration did not make, as far as it knows: they stay, and are used no more."""
    control: str
    """The name of the control table."""

    def to_json(self) -> dict[str, Any]:
        """The document of `drop-tables --json`."""
        return {"dropped": list(self.dropped), "released": list(self.released)}

    def to_text(self) -> str:
        """One line for each table; for one that stays also what to do if it is not wanted."""
        lines = [f"dropped {name}" for name in self.dropped] + [self._released_text(name) for name in self.released]
        return "\n".join(lines) or "nothing to drop: none of the tables exists"

    def _released_text(self, name: str) -> str:
        left = "tablesplit's records in it are deleted" if name == self.control else "its items stay"
        own = f"if nobody needs it: aws dynamodb delete-table --table-name {name}"
        return f"released {name}: no record and no tag says that this migration made it; {left} ({own})"


async def drop_all(app: App) -> Dropped:
    """Delete the v2 tables and the control table as far as this migration made them, and KCL's tables where that engine was used.
    The others are released: they stay.

    Raises Refused once v2 may hold what the old table does not, where no control table says that it does not, and while a sync
    or a backfill runs: it would fail later, with a less clear reason.
    """
    existing, control = await app.tables.existing(), app.settings.control_table
    _require_control(control, [table.name for table in existing])
    if not existing:
        return Dropped((), (), control)
    await _require_v2_to_be_a_copy(app)
    await _require_nothing_runs(app)
    async with _alone(app):
        await _require_v2_to_be_a_copy(app)
        own = await app.tables.tagged(existing)
        own |= await MadeTables(app.control).among({table.name: table.table_id for table in existing})
        of_kcl = await app.tables.delete(await _kcl_tables(app))
        dropped = await app.tables.drop([table for table in existing if table.name in own - {control}])
    # The leases are records of this table: they are given back before it goes. By now there is nothing left to protect.
    if control in own:
        dropped = [*dropped, *await app.tables.drop([table for table in existing if table.name == control])]
    else:
        await MadeTables(app.control).clear()
    released = [table.name for table in existing if table.name not in own]
    return Dropped((*of_kcl, *dropped), tuple(released), control)


@asynccontextmanager
async def _alone(app: App) -> AsyncIterator[None]:
    """Holds, for the block, the leases of all that could begin to write v2: syncs, a backfill, a start, a move of the phase. Raises
    Refused while another process holds one."""
    async with AsyncExitStack() as held:
        for name in (MOVE_LEASE, START_LEASE, SYNC_LEASE, REVERSE_LEASE, BACKFILL_LEASE):
            await held.enter_async_context(lane_lease(app, name))
        yield


def _require_control(control: str, existing: Sequence[str]) -> None:
    """Only the control table says which phase it is and what runs: without it nothing may go. Its name may be mistyped."""
    if existing and control not in existing:
        raise Refused(
            f"there is no control table {control}, but {existing[0]} exists: nothing says whether v2 may be deleted",
            remedy="set TABLESPLIT_CONTROL_TABLE to the migration's control table; where it is gone, delete the v2 tables by hand",
        )


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
    """Raises Refused otherwise, Misconfigured when the control table is that of another old table. Reads the state of any mapping:
    starting over must stay possible after a change of mapping."""
    try:
        stored = await app.control.records(PARTITION, dict[str, Any]).get(NAME)
    except Fatal as damaged:
        raise Refused(
            f"{damaged.message}: v2 may hold what the old table does not",
            remedy="restore the control table from its backup, or delete the tables yourself",
        ) from damaged
    state = {} if stored is None else stored.value
    require_old_table(state.get("old_table", app.mapping.old.table), app.mapping, app.control.table)
    if state.get("phase") in WRITTEN or state.get("move") is not None:
        moving = " and a move is under way" if state.get("move") is not None else ""
        raise Refused(
            f"the phase is {state.get('phase')}{moving}: the application writes v2, or is about to",
            remedy="after `complete` v2 is the application's: delete by hand what nobody needs"
            if state.get("phase") == "complete"
            else "go back to `forward` first: tablesplit rollback",
        )


async def _require_nothing_runs(app: App) -> None:
    """Watches every record that a process of this migration keeps writing, until it is seen to move, or long enough."""
    for worker in await Workers(app.control, app.clock).live(SILENT_SECONDS):
        raise Refused(f"sync worker {worker} is running", remedy="stop it first")
    if await backfill_runs(app.control, app.clock):
        raise Refused("a backfill is running", remedy="stop it first")
