"""Starts a migration: tables, stream, saved positions, phase `forward`; and continues after stream records were lost."""

from collections import abc
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.gate_settings import begin_gate_settings, warn_of_other_gate_settings
from service.control.leases import REVERSE_LEASE, START_LEASE, SYNC_LEASE, Lease
from service.control.made_tables import MadeTables
from service.control.state import (
    MigrationState,
    change_state,
    in_forward,
    load_state,
    with_stream,
    with_v2_stream,
)
from service.control.workers import worker_id
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import by_ledger_rule
from service.core.shards import Position
from service.dynamodb.like_old import LikeOld
from service.dynamodb.protocol import ItemStore
from service.errors import Fatal
from service.log import get_logger
from service.streams.passed import stream_start
from service.streams.shards import initial_positions, positions_after_gap
from service.sync.positions import _save, require_same_stream, require_started

LIKE_OLD = LikeOld()
"""A new table is no worse than the old one, unless the operator says otherwise."""


async def require_no_traces(store: ItemStore, mapping: Mapping, page_items: int) -> None:
    """Raises Fatal when the first page of a table shows a write by the ledger rule. A new migration would take it for the
    application's write, and the guarded rule would overwrite what was written on v2."""
    for table in (*mapping.tables, mapping.old.table):
        page = await store.scan(table, segment=0, segments=1, start=None, limit=page_items)
        if any(by_ledger_rule(item, mapping.stamp) for item in page.items):
            raise Fatal(
                f"the control table knows of no migration, but items of {table} were written by one that went both ways",
                remedy="restore the control table from its backup; to start over instead, begin with new v2 tables, and take "
                f"the attribute {mapping.stamp!r} off the items of {mapping.old.table}",
            )


@dataclass(frozen=True, slots=True)
class Started:
    """What `create-tables` found and made."""

    tables: dict[str, str]
    """``created`` or ``exists``, by the name of each v2 table and of the control table."""
    stream: str
    generation: int
    phase: str

    def to_json(self) -> dict[str, Any]:
        """The document of `create-tables --json`."""
        return asdict(self)

    def to_text(self) -> str:
        """One line for each table, then the stream and the phase."""
        lines = [f"{state:8} {name}" for name, state in self.tables.items()]
        return "\n".join([*lines, f"stream   {self.stream} (generation {self.generation})", f"phase    {self.phase}"])


async def create_and_start(app: App, like: LikeOld = LIKE_OLD) -> Started:
    """Make the tables that are missing, save the stream positions and enter `forward`. Repeated, it changes nothing.

    ``like``: what new tables get of the old table's.

    Raises Refused when an existing table is different, Misconfigured when the old table does not exist, StreamGone when the old
    table has another stream than before.
    """
    await app.tables.old_table()
    made = await make_missing(app, like)
    if "exists" in made.values() and not like.plain:
        await app.tables.complete_own(like)
    state = await _begin(app)
    assert state.stream_arn is not None
    return Started(made, state.stream_arn, state.generation, state.phase)


async def make_missing(app: App, like: LikeOld) -> dict[str, str]:
    """As ``Tables.make_missing``, and record which tables were made: nothing else is ever deleted."""
    made = await app.tables.make_missing(like)
    names = [name for name, state in made.items() if state == "created"]
    described = {name: await app.tables.describe(name) for name in names}
    await MadeTables(app.control).note({name: table.table_id for name, table in described.items() if table is not None})
    return made


async def ensure_started(app: App) -> MigrationState:
    """The same for `migrate` and `sync`, which need existing v2 tables. Raises Misconfigured when one is missing."""
    await app.tables.old_table()
    await app.tables.require_v2_tables()
    await make_missing(app, LIKE_OLD)
    return await _begin(app)


async def _begin(app: App) -> MigrationState:
    """Stream first, then its positions, then the phase: so every change from before a later scan is in the stream."""
    state = await load_state(app.control, app.mapping)
    if state is not None and state.started:
        await require_same_stream(app, state)
        await warn_of_other_gate_settings(app.control, app.settings)
        return state
    async with Lease.acquire(app.control, START_LEASE, worker_id(), app.clock, app.settings):
        state = await load_state(app.control, app.mapping)
        return state if state is not None and state.started else await _enter_forward(app)


async def _enter_forward(app: App) -> MigrationState:
    await require_no_traces(app.store, app.mapping, app.settings.page_items)
    was_on = (await app.tables.old_table()).stream_view_type is not None
    arn = await app.tables.enable_old_stream()
    await change_state(app.control, app.mapping, app.clock.now(), lambda was: with_stream(was, arn))
    # Nothing is scanned before the phase is `forward`. No lease token is above 0 yet: no worker reads the stream before that.
    start = await stream_start(app.store, arn, app.clock, app.settings.shard_read_seconds, read_open=was_on)
    get_logger().info(start.to_text(), stream=arn)
    await _replace_positions(app, await _of_a_killed_start(app, arn), start.positions, arn, 0)
    await begin_gate_settings(app.control, app.settings)
    now = app.clock.now()
    return await change_state(app.control, app.mapping, now, lambda was: in_forward(was, now))


async def _of_a_killed_start(app: App, arn: str) -> abc.Mapping[str, Position]:
    """The positions that a start saved which was killed before the phase was `forward`, under any mapping. A shard of these may
    be gone by now; nobody is to miss it."""
    checkpoints = Checkpoints(app.control, arn, app.mapping.hash)
    await checkpoints.adopt()
    return await checkpoints.load()


async def accept_gap(app: App) -> Started:
    """Continue from what the streams still hold, as a new generation where an ARN is new. From then on a repair is owed.

    Raises Refused while a sync holds a lease.
    """
    state = await require_started(app)
    await app.tables.enable_v2_streams()
    made = await make_missing(app, LIKE_OLD)
    arn = await app.tables.enable_old_stream()
    now = app.clock.now()
    async with lane_lease(app, SYNC_LEASE) as forward, lane_lease(app, REVERSE_LEASE) as reverse:
        # The gap is stored before the positions are replaced: a crash in between must not lose it.
        await change_state(app.control, app.mapping, now, lambda was: replace(was, gap_since=now))
        gap = await _after_gap(app, state.stream_arn, arn)
        await _replace_positions(app, gap.saved, gap.positions, arn, forward.token)
        state = await change_state(app.control, app.mapping, now, lambda was: with_stream(was, arn))
        for table in sorted(state.v2_streams):
            state = await _accept_v2_gap(app, state, table, reverse.token)
    return Started(made, arn, state.generation, state.phase)


async def _accept_v2_gap(app: App, state: MigrationState, table: str, token: int) -> MigrationState:
    """The same for a v2 table's stream. No repair is owed where no record was lost, or while v2's records are not carried yet."""
    arn, now = await app.tables.v2_stream(table), app.clock.now()
    gap = await _after_gap(app, state.v2_streams[table], arn)
    if state.rule != "guarded" and gap.lost:
        await change_state(app.control, app.mapping, now, lambda was: replace(was, reverse_gap_since=now))
    await _replace_positions(app, gap.saved, gap.positions, arn, token)
    return await change_state(app.control, app.mapping, now, partial(with_v2_stream, table=table, arn=arn))


@dataclass(frozen=True, slots=True)
class _Gap:
    """Of one stream; positions by shard id."""

    saved: abc.Mapping[str, Position]
    positions: abc.Mapping[str, Position]
    """Those that replace the saved ones."""
    lost: bool
    """Records in between may be lost."""


async def _after_gap(app: App, saved_arn: str | None, arn: str) -> _Gap:
    """``saved_arn``: the stream whose positions are saved."""
    saved, now = await Checkpoints(app.control, arn, app.mapping.hash).load(), app.clock.now()
    if arn != saved_arn:
        return _Gap(saved, await initial_positions(app.store, arn, app.clock), lost=True)
    positions = await positions_after_gap(app.store, arn, saved, now=now)
    lost = any(
        position.state == "reading" and positions.get(shard_id) != position for shard_id, position in saved.items()
    )
    return _Gap(saved, positions, lost)


async def _replace_positions(
    app: App, saved: abc.Mapping[str, Position], positions: abc.Mapping[str, Position], arn: str, token: int
) -> None:
    checkpoints = Checkpoints(app.control, arn, app.mapping.hash, token)
    for shard_id in saved.keys() - positions.keys():
        await checkpoints.forget(shard_id)
    await _save(app, arn, token, positions)


def lane_lease(app: App, name: str) -> AbstractAsyncContextManager[Lease]:
    """The lease of a lane, under which its stream's positions may be changed. Raises Refused while another process holds it."""
    return Lease.try_acquire(app.control, name, worker_id(), app.clock, app.settings)
