"""Checks that a lane's streams are those whose positions are saved, and saves the first positions of new ones."""

from collections.abc import Mapping
from functools import partial

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.state import MigrationState, change_state, load_started_state, with_v2_stream
from service.core.shards import Position
from service.errors import GAP_REMEDY, Misconfigured, StreamGone
from service.streams.shards import initial_positions


async def require_started(app: App) -> MigrationState:
    """The state of a migration that has started. Raises Misconfigured when it has not."""
    if await app.tables.describe(app.settings.control_table) is None:
        raise Misconfigured(
            f"control table {app.settings.control_table} does not exist: nothing has been started",
            remedy="start with: tablesplit create-tables (or set TABLESPLIT_CONTROL_TABLE)",
        )
    return await load_started_state(app.control, app.mapping)


async def require_same_stream(app: App, state: MigrationState) -> None:
    """Raises StreamGone when the old table's stream is off, or is not the one whose positions are saved."""
    old = await app.tables.old_table()
    if old.stream_arn == state.stream_arn and old.stream_view_type is not None:
        return
    current = old.stream_arn if old.stream_view_type is not None else "off"
    raise StreamGone(
        f"the stream of old table {old.name} is {current}; saved positions are of {state.stream_arn}: changes may be lost",
        remedy=GAP_REMEDY,
    )


async def follow_v2_streams(app: App, state: MigrationState, token: int) -> MigrationState:
    """Save the first positions of the v2 streams that are not followed yet, at the trim horizon: all their changes are still to
    be read.

    Only before the first `dual`, when nothing is carried back. ``token``: of the reverse lane's lease.
    """
    for table in app.mapping.tables:
        if table not in state.v2_streams:
            arn = await app.tables.v2_stream(table)
            await _save(app, arn, token, await initial_positions(app.store, arn, app.clock))
            state = await change_state(
                app.control, app.mapping, app.clock.now(), partial(with_v2_stream, table=table, arn=arn)
            )
    return state


async def require_same_v2_streams(app: App, state: MigrationState) -> None:
    """Raises StreamGone when a v2 table's stream is off, or is not the one whose positions are saved."""
    for table in app.mapping.tables:
        current, saved = await app.tables.v2_stream(table), state.v2_streams.get(table)
        if current != saved:
            raise StreamGone(
                f"the stream of v2 table {table} is {current}; saved positions are of {saved}: changes may be lost",
                remedy=GAP_REMEDY,
            )


async def _save(app: App, arn: str, token: int, positions: Mapping[str, Position]) -> None:
    checkpoints = Checkpoints(app.control, arn, app.mapping.hash, token)
    for shard_id, position in positions.items():
        await checkpoints.save(shard_id, position)
