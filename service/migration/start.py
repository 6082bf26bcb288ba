"""Starting a migration: tables, stream, saved positions, phase `forward`; and starting over after stream records were lost."""

from collections import abc
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.leases import REVERSE_LEASE, START_LEASE, SYNC_LEASE, Lease
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
from service.dynamodb.protocol import ItemStore
from service.errors import Fatal
from service.streams.shards import initial_positions, positions_after_gap
from service.sync.positions import _save, require_same_stream, require_started


async def require_no_traces(store: ItemStore, mapping: Mapping, page_items: int) -> None:
    """Raises Fatal when the first page of a table shows a write by the ledger rule: what a migration begun anew would take for
    the application's, and the guarded rule would overwrite what was written on v2."""
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
    """What `create-tables` found and made. tables: each v2 table and the control table: ``created`` or ``exists``."""

    tables: dict[str, str]
    stream: str
    generation: int
    phase: str

    def to_json(self) -> dict[str, Any]:
        """The document of `create-tables --json`."""
        return asdict(self)

    def to_text(self) -> str:
        """A line a table, then the stream and the phase."""
        lines = [f"{state:8} {name}" for name, state in self.tables.items()]
        return "\n".join([*lines, f"stream   {self.stream} (generation {self.generation})", f"phase    {self.phase}"])


async def create_and_start(app: App) -> Started:
    """Make what is missing, save the stream positions and enter `forward`. Done again, it changes nothing.

    Raises Refused when an existing table is different, Misconfigured when the old table is not there, StreamGone when the old table
    has got another stream since.
    """
    await app.tables.old_table()
    made = await app.tables.make_missing()
    state = await _begin(app)
    assert state.stream_arn is not None
    return Started(made, state.stream_arn, state.generation, state.phase)


async def ensure_started(app: App) -> MigrationState:
    """What `migrate` and `sync` do first: the same, for v2 tables that exist. Raises Misconfigured when one is missing."""
    await app.tables.old_table()
    await app.tables.require_v2_tables()
    await app.tables.make_missing()
    return await _begin(app)


async def _begin(app: App) -> MigrationState:
    """Stream first, then its positions, then the phase: whatever is scanned later can't have changed unseen before."""
    state = await load_state(app.control, app.mapping)
    if state is not None and state.started:
        await require_same_stream(app, state)
        return state
    async with Lease.acquire(app.control, START_LEASE, worker_id(), app.clock, app.settings):
        state = await load_state(app.control, app.mapping)
        return state if state is not None and state.started else await _enter_forward(app)


async def _enter_forward(app: App) -> MigrationState:
    await require_no_traces(app.store, app.mapping, app.settings.page_items)
    arn = await app.tables.enable_old_stream()
    await change_state(app.control, app.mapping, app.clock.now(), lambda was: with_stream(was, arn))
    # No lease token is above 0 yet: nobody reads the stream before the phase is `forward`.
    await _save(app, arn, 0, await initial_positions(app.store, arn, now=app.clock.now()))
    now = app.clock.now()
    return await change_state(app.control, app.mapping, now, lambda was: in_forward(was, now))


async def accept_gap(app: App) -> Started:
    """Go on from what the streams still hold, as a new generation where an ARN is new; a repair is owed from then on.

    Raises Refused while a sync still holds a lease.
    """
    state = await require_started(app)
    await app.tables.enable_v2_streams()
    made = await app.tables.make_missing()
    arn = await app.tables.enable_old_stream()
    now = app.clock.now()
    async with sync_lease(app) as forward, _reverse_lease(app) as reverse:
        # The debt is written down before it is made: a crash on the way must not leave it forgotten.
        await change_state(app.control, app.mapping, now, lambda was: replace(was, gap_since=now))
        await _replace_positions(app, await _after_gap(app, state.stream_arn, arn), arn, forward.token)
        state = await change_state(app.control, app.mapping, now, lambda was: with_stream(was, arn))
        for table in sorted(state.v2_streams):
            state = await _accept_v2_gap(app, state, table, reverse.token)
    return Started(made, arn, state.generation, state.phase)


async def _accept_v2_gap(app: App, state: MigrationState, table: str, token: int) -> MigrationState:
    """The same for a v2 table's stream. Nothing is owed where nothing was lost, or before v2's records are carried."""
    arn, now = await app.tables.v2_stream(table), app.clock.now()
    gap = await _after_gap(app, state.v2_streams[table], arn)
    if state.rule != "guarded" and gap.lost:
        await change_state(app.control, app.mapping, now, lambda was: replace(was, reverse_gap_since=now))
    await _replace_positions(app, gap, arn, token)
    return await change_state(app.control, app.mapping, now, partial(with_v2_stream, table=table, arn=arn))


@dataclass(frozen=True, slots=True)
class _Gap:
    """The positions that are saved of a stream, those that replace them, and whether records in between may be lost."""

    known: abc.Mapping[str, Position]
    positions: abc.Mapping[str, Position]
    lost: bool


async def _after_gap(app: App, was: str | None, arn: str) -> _Gap:
    """``was``: the ARN whose positions are saved."""
    known, now = await Checkpoints(app.control, arn, app.mapping.hash).load(), app.clock.now()
    if arn != was:
        return _Gap(known, await initial_positions(app.store, arn, now=now), lost=True)
    positions = await positions_after_gap(app.store, arn, known, now=now)
    moved = (one.state == "reading" and positions.get(shard_id) != one for shard_id, one in known.items())
    return _Gap(known, positions, lost=any(moved))


async def _replace_positions(app: App, gap: _Gap, arn: str, token: int) -> None:
    checkpoints = Checkpoints(app.control, arn, app.mapping.hash, token)
    for shard_id in gap.known.keys() - gap.positions.keys():
        await checkpoints.forget(shard_id)
    await _save(app, arn, token, gap.positions)


def sync_lease(app: App) -> AbstractAsyncContextManager[Lease]:
    """The lease of whoever may move the stream's positions. Raises Refused while another holds it."""
    return Lease.try_acquire(app.control, SYNC_LEASE, worker_id(), app.clock, app.settings)


def _reverse_lease(app: App) -> AbstractAsyncContextManager[Lease]:
    return Lease.try_acquire(app.control, REVERSE_LEASE, worker_id(), app.clock, app.settings)
