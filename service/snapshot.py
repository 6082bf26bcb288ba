"""Taking the Status snapshot, from the control table alone: it looks the same from every machine."""

import asyncio

from backfill.records import Standing, read_standing
from service.app import App
from service.conflicts import Conflicts
from service.migration_state import MigrationState, load_state
from service.quarantine import Quarantine
from service.status import BackfillStatus, LaneStatus, Status, ValidationStatus, WorkerStatus, iso
from service.validation.records import latest_summary
from service.workers import Beat, LaneName, Workers, owner_among

CAUGHT_UP_WITHIN_SECONDS = 12.0
NOT_STARTED = BackfillStatus("not started", 0, 0, 0, 0.0, None)
NO_SYNC = LaneStatus(None, False, 0, {})


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
        tips = await _ask(workers)
    heard = await workers.heard()
    now = app.clock.now()
    conflicts = Conflicts(app.control)
    return Status(
        phase=state.phase,
        phase_since=iso(state.phase_since),
        mapping=state.mapping_hash,
        rule=state.rule,
        move=_move(state),
        hold=f"{state.hold.why} (by {state.hold.by}, {iso(state.hold.at)})" if state.hold else None,
        backfill=_backfill(await read_standing(app.control, now)),
        forward=_lane(heard, "forward", tips[0]),
        reverse=_lane(heard, "reverse", tips[1]),
        quarantine=len(await Quarantine(app.control, app.clock).heads()),
        conflicts=await conflicts.count_open() + len(await conflicts.held()),
        validation=await _validation(app),
        retention_headroom_seconds=_headroom(heard),
        gap=_gap(state),
        workers=tuple(_worker(name, beat, now) for name, beat in (await workers.all()).items()),
    )


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


async def _ask(workers: Workers) -> tuple[bool, bool]:
    """Whether each direction has caught up, asked of both at once."""
    forward, reverse = await asyncio.gather(
        workers.caught_up(CAUGHT_UP_WITHIN_SECONDS), workers.caught_up(CAUGHT_UP_WITHIN_SECONDS, ("reverse",))
    )
    return forward, reverse


def _move(state: MigrationState) -> str | None:
    if state.move is None:
        return None
    return f"to {state.move.to}: {state.move.step} since {iso(state.move.since)} (by {state.move.by})"


def _gap(state: MigrationState) -> str | None:
    gaps = {"the old table": state.gap_since, "a v2 table": state.reverse_gap_since}
    told = [f"stream records of {whose} were lost, accepted at {iso(at)}" for whose, at in gaps.items() if at]
    return "; ".join(told) or None


def _headroom(heard: dict[str, Beat]) -> float | None:
    said = [lane.retention_headroom_seconds for beat in heard.values() for lane in (beat.forward, beat.reverse)]
    return min((seconds for seconds in said if seconds is not None), default=None)


async def _state(app: App) -> MigrationState | None:
    if await app.tables.describe(app.settings.control_table) is None:
        return None
    return await load_state(app.control, app.mapping)


def _backfill(standing: Standing | None) -> BackfillStatus:
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
    )


def _lane(heard: dict[str, Beat], name: LaneName, caught_up: bool) -> LaneStatus:
    owner = owner_among(heard, name)
    if owner is None:
        return NO_SYNC
    said = owner[1].lane(name)
    return LaneStatus(said.lag_seconds, caught_up, said.shards, said.outcomes)


def _worker(name: str, beat: Beat, now: float) -> WorkerStatus:
    failure = beat.forward.failure or beat.reverse.failure
    return WorkerStatus(name, beat.forward.role, beat.reverse.role, max(0.0, now - beat.said_at), failure)


async def _validation(app: App) -> ValidationStatus | None:
    report = await latest_summary(app.control)
    if report is None:
        return None
    return ValidationStatus(report["result"], report["differences_total"], report["finished_at"])
