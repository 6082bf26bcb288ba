"""Takes the Status of the migration, for a command that asks the workers, and for a process that serves it, which also logs it."""

import asyncio
from collections.abc import Iterable

from service.app import App
from service.control.checkpoints import Checkpoints
from service.control.state import MigrationState, load_state
from service.core.phases.facts import Facts, LaneFacts
from service.core.phases.moves import next_move
from service.core.shards import RETENTION_SECONDS
from service.errors import CHECK_ENDPOINT, Fatal, Retryable, TableMissing, TablesplitError
from service.log import get_logger
from service.migration.status.facts import CaughtUp, read_facts
from service.migration.status.gate import ask_caught_up, gate_by
from service.migration.status.gauges import MigrationGauges
from service.migration.status.history import History
from service.migration.status.identity import read_identity
from service.migration.status.status import Status

LOG_SECONDS = 30.0
"""Between two status lines."""

RUNNING_SECONDS = 3.0
"""How long a serving process waits for its snapshot: less than Prometheus waits for the page (deploy/prometheus)."""


async def take_snapshot(app: App, *, caught_up: CaughtUp | None = None, ask: bool = True) -> Status:
    """Everything about the migration. ``caught_up``: whether each direction has caught up, when the caller knows; None asks the
    workers, for some seconds at most, or without ``ask`` takes what the lanes' owners last reported.

    Before `create-tables` the phase is ``prepare``. Raises Fatal when the control table is damaged or of another mapping.
    """
    try:
        state = await load_state(app.control, app.mapping)
    except TableMissing:
        state = None
    if state is None:
        now = app.clock.now()
        facts = Facts(now, phase_since=now, mapping=app.mapping.hash)
        return Status(facts, identity=await read_identity(app))
    if caught_up is None and ask:
        caught_up = await ask_caught_up(app)
    return await _status(app, state, caught_up)


async def take_running_snapshot(app: App) -> Status:
    """The snapshot of a migration that this process serves, within RUNNING_SECONDS. Whether it has caught up is what the lanes'
    owners last reported, so every process shows the same.

    Raises Retryable when DynamoDB does not answer in time, Fatal when the control table or its content is gone.
    """
    try:
        async with asyncio.timeout(RUNNING_SECONDS):
            state = await load_state(app.control, app.mapping)
            if state is not None and state.started:
                return await _status(app, state, None)
    except TimeoutError as late:
        raise Retryable(f"no status within {RUNNING_SECONDS:g} s", reason="timeout", remedy=CHECK_ENDPOINT) from late
    raise Fatal(
        f"control table {app.settings.control_table} has lost what was in it: it is another table than at the start",
        remedy="if the server was started anew and empty: stop sync, load the old table, and begin again",
    )


async def log_status(app: App, history: History | None = None) -> None:
    """Log the running snapshot, show it in the metrics, and remember it in ``history``, every LOG_SECONDS until cancelled."""
    while True:
        try:
            status = await take_running_snapshot(app)
            app.metrics.show(MigrationGauges(status))
            if history is not None:
                history.add(status.facts)
            get_logger().info("status", **status.to_log())
        except TablesplitError as failure:
            app.metrics.show(MigrationGauges(None))
            get_logger().warning("no status", **failure.to_log())
        await app.clock.sleep(LOG_SECONDS)


async def _status(app: App, state: MigrationState, caught_up: CaughtUp | None) -> Status:
    facts = await read_facts(app, state, caught_up)
    move = next_move(state.phase)
    gate = None if move is None else await gate_by(app, move, facts)
    return Status(facts, gate, await _headroom(app, state, facts), await read_identity(app, state))


async def _headroom(app: App, state: MigrationState, facts: Facts) -> float | None:
    """Seconds until the first unread change may be trimmed, in the lane that is further behind.

    None while no lane has saved a position, and once no lane reads any more.
    """
    if state.phase == "complete":
        return None
    old = [state.stream_arn] if state.stream_arn is not None else []
    lanes = (
        await _lane_headroom(app, state, facts.forward, old, facts.now),
        await _lane_headroom(app, state, facts.reverse, state.v2_streams.values(), facts.now),
    )
    return min((seconds for seconds in lanes if seconds is not None), default=None)


async def _lane_headroom(
    app: App, state: MigrationState, lane: LaneFacts, arns: Iterable[str], now: float
) -> float | None:
    """As the lane's owner reports it. A lane without an owner is where it matters most: its saved positions grow old."""
    if lane.headroom_seconds is not None:
        return lane.headroom_seconds
    oldest = [await _applied_until(Checkpoints(app.control, arn, state.mapping_hash)) for arn in arns]
    return min((RETENTION_SECONDS - (now - moment) for moment in oldest if moment is not None), default=None)


async def _applied_until(checkpoints: Checkpoints) -> float | None:
    """Up to when every unfinished shard is known to be applied, epoch seconds; None: no position is saved."""
    positions = (await checkpoints.load()).values()
    moments = (position.as_of for position in positions if position.state != "finished")
    return min((moment for moment in moments if moment is not None), default=None)
