"""Taking the Status snapshot, from the control table alone: it looks the same from every machine."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from backfill.records import RunStatus, read_run_status
from service.app import App
from service.clock import iso
from service.control.activity import Activities
from service.control.checkpoints import Checkpoints
from service.control.conflicts import Conflicts
from service.control.quarantine import Quarantine
from service.control.state import MigrationState, load_state
from service.control.table import ControlTable
from service.control.verification import read_verification
from service.control.workers import Beat, LaneName, Workers, owner_among
from service.core.phases.gate import Gate
from service.core.phases.moves import next_move
from service.core.shards import RETENTION_SECONDS
from service.dynamodb.prices import Prices, load_prices
from service.dynamodb.transport import CHECK_ENDPOINT
from service.errors import Fatal, Retryable
from service.migration.status.gate import ask_gate, ask_tips, gap_texts, hold_text, move_text
from service.migration.status.status import (
    BackfillStatus,
    LaneStatus,
    Status,
    ValidationStatus,
    VerificationStatus,
    WorkerStatus,
)
from service.validation.records import latest_full


async def retention_headroom_seconds(
    control: ControlTable, state: MigrationState, heard: dict[str, Beat], now: float
) -> float | None:
    """Of the lane that is further behind; None while none has saved a position, and once no lane reads any more.

    A lane's owner says it; where a lane has none, which is when it matters most, its saved positions do: they grow old.
    ``now``: epoch seconds.
    """
    if state.phase == "complete":
        return None
    old = [state.stream_arn] if state.stream_arn is not None else []
    said = (
        await _of_lane(control, state, heard, now, "forward", old),
        await _of_lane(control, state, heard, now, "reverse", state.v2_streams.values()),
    )
    return min((seconds for seconds in said if seconds is not None), default=None)


async def _of_lane(
    control: ControlTable,
    state: MigrationState,
    heard: dict[str, Beat],
    now: float,
    name: LaneName,
    arns: Iterable[str],
) -> float | None:
    owner = owner_among(heard, name)
    said = owner and owner[1].lane(name).retention_headroom_seconds
    if said is not None:
        return said
    oldest = [await _oldest(Checkpoints(control, arn, state.mapping_hash)) for arn in arns]
    return min((RETENTION_SECONDS - (now - moment) for moment in oldest if moment is not None), default=None)


async def _oldest(checkpoints: Checkpoints) -> float | None:
    """Up to when the shard that is furthest behind is known to be applied, in epoch seconds."""
    positions = (await checkpoints.load()).values()
    return min((p.as_of for p in positions if p.state != "finished" and p.as_of is not None), default=None)


NOT_STARTED = BackfillStatus("not started", 0, 0, 0, 0.0, None)
NO_SYNC = LaneStatus(None, False, 0, {})
RUNNING_SECONDS = 3.0
"""How long a serving process waits for its snapshot: less than Prometheus waits for the page (deploy/prometheus)."""


async def take_snapshot(app: App, *, tips: tuple[bool, bool] | None = None) -> Status:
    """Everything about the migration. ``tips``: whether forward and reverse are caught up, when the caller knows; None asks
    the workers, for some seconds at most.

    Before `create-tables` the phase is ``prepare``. Raises Fatal when the control table is damaged or of another mapping.
    """
    state = await _state(app)
    if state is None:
        return _nothing(app)
    workers = Workers(app.control, app.clock)
    if tips is None:
        tips = await ask_tips(workers)
    heard = await workers.heard()
    now = app.clock.now()
    conflicts = Conflicts(app.control)
    return Status(
        phase=state.phase,
        phase_since=iso(state.phase_since),
        mapping=state.mapping_hash,
        rule=state.rule,
        move=move_text(state),
        hold=hold_text(state),
        backfill=_backfill(await read_run_status(app.control, now), load_prices(app.settings.price_file)),
        forward=_lane(heard, "forward", tips[0]),
        reverse=_lane(heard, "reverse", tips[1]),
        quarantine=len(await Quarantine(app.control, app.clock).heads()),
        conflicts=await conflicts.count_open() + len(await conflicts.held()),
        validation=await _validation(app),
        retention_headroom_seconds=await retention_headroom_seconds(app.control, state, heard, now),
        gap="; ".join(gap_texts(state)) or None,
        workers=tuple(_worker(name, beat, now, name in heard) for name, beat in (await workers.all()).items()),
        gate=await _gate(app, state, tips),
        verification=await _verification(app),
        rogue_writes=await _rogue_writes(app, state),
    )


async def take_running_snapshot(app: App) -> Status:
    """The snapshot of a migration that this process serves, within RUNNING_SECONDS; whether it is caught up is what the
    owners of the lanes last said, so every process says the same.

    Raises Retryable when DynamoDB does not answer in time, Fatal when the control table or what was in it is gone.
    """
    try:
        async with asyncio.timeout(RUNNING_SECONDS):
            heard = await Workers(app.control, app.clock).heard()
            status = await take_snapshot(app, tips=(_at_tip(heard, "forward"), _at_tip(heard, "reverse")))
    except TimeoutError as late:
        raise Retryable(f"no status within {RUNNING_SECONDS:g} s", reason="timeout", remedy=CHECK_ENDPOINT) from late
    if status.phase == "prepare":
        raise Fatal(
            f"control table {app.settings.control_table} has lost what was in it: it is another table than at the start",
            remedy="if the server was started anew and empty: stop sync, load the old table, and begin again",
        )
    return status


def _nothing(app: App) -> Status:
    """The snapshot before `create-tables`."""
    return Status(
        phase="prepare",
        phase_since=iso(app.clock.now()),
        mapping=app.mapping.hash,
        rule="guarded",
        move=None,
        hold=None,
        backfill=NOT_STARTED,
        forward=NO_SYNC,
        reverse=NO_SYNC,
        quarantine=0,
        conflicts=0,
        validation=None,
        retention_headroom_seconds=None,
        gap=None,
        workers=(),
    )


async def _gate(app: App, state: MigrationState, tips: tuple[bool, bool]) -> Gate | None:
    move = next_move(state.phase)
    return None if move is None else await ask_gate(app, state, move, tips=tips)


async def _state(app: App) -> MigrationState | None:
    if await app.tables.describe(app.settings.control_table) is None:
        return None
    return await load_state(app.control, app.mapping)


def _backfill(standing: RunStatus | None, prices: Prices) -> BackfillStatus:
    if standing is None:
        return NOT_STARTED
    pulse = standing.pulse if standing.state == "running" else None
    return BackfillStatus(
        state=standing.state,
        items=standing.outcomes.items,
        segments_done=standing.segments_done,
        segments=standing.run.segments,
        items_per_second=pulse.items_per_second if pulse else 0.0,
        eta_seconds=pulse.eta_seconds if pulse else None,
        cost_usd=prices.of_units(standing.spent.write_units, standing.spent.read_units),
    )


def _lane(heard: dict[str, Beat], name: LaneName, caught_up: bool) -> LaneStatus:
    owner = owner_among(heard, name)
    if owner is None:
        return replace(NO_SYNC, stopped=any(beat.lane(name).role == "stopped" for beat in heard.values()))
    said = owner[1].lane(name)
    return LaneStatus(
        said.lag_seconds,
        caught_up,
        said.shards,
        _outcomes(heard, name),
        said.shards_waiting,
        said.shards_finished,
        said.catch_up_seconds,
    )


def _outcomes(heard: dict[str, Beat], name: LaneName) -> dict[str, int]:
    """Of all workers that read."""
    total: Counter[str] = Counter()
    for beat in heard.values():
        if beat.lane(name).reads:
            total.update(beat.lane(name).outcomes)
    return dict(total)


def _at_tip(heard: dict[str, Beat], name: LaneName) -> bool:
    """Whether the lane's owner knows of nothing unapplied."""
    owner = owner_among(heard, name)
    return owner is not None and owner[1].lane(name).at_tip


def _worker(name: str, beat: Beat, now: float, heard: bool) -> WorkerStatus:
    failure = beat.forward.failure or beat.reverse.failure
    return WorkerStatus(name, beat.forward.role, beat.reverse.role, max(0.0, now - beat.said_at), failure, heard)


async def _rogue_writes(app: App, state: MigrationState) -> dict[str, int]:
    found = await Activities(app.control).load()
    return {side: sum(one.intruders_since(state.phase_since).values()) for side, one in found.items()}


async def _verification(app: App) -> VerificationStatus | None:
    found = await read_verification(app.control)
    if found is None:
        return None
    return VerificationStatus(found.checked, found.pending, len(found.differences), iso(found.finished_at))


async def _validation(app: App) -> ValidationStatus | None:
    run = await latest_full(app.control)
    if run is None:
        return None
    age = app.clock.now() - run.finished_seconds
    return ValidationStatus(run.result, run.differences_total, run.finished_at, max(0.0, age))
