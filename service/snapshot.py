"""Taking the Status snapshot, from the control table alone: it looks the same from every machine."""

from backfill.records import Standing, read_standing
from service.app import App
from service.conflicts import Conflicts
from service.core.gate import Gate
from service.core.phases import next_move
from service.gate_facts import ask_gate, ask_tips, gap_texts, hold_text, move_text
from service.migration_state import MigrationState, load_state
from service.quarantine import Quarantine
from service.status import BackfillStatus, LaneStatus, Status, ValidationStatus, VerificationStatus, WorkerStatus, iso
from service.validation.records import latest_summary
from service.verification_records import read_verification
from service.workers import Beat, LaneName, Workers, owner_among

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
        backfill=_backfill(await read_standing(app.control, now)),
        forward=_lane(heard, "forward", tips[0]),
        reverse=_lane(heard, "reverse", tips[1]),
        quarantine=len(await Quarantine(app.control, app.clock).heads()),
        conflicts=await conflicts.count_open() + len(await conflicts.held()),
        validation=await _validation(app),
        retention_headroom_seconds=_headroom(heard),
        gap="; ".join(gap_texts(state)) or None,
        workers=tuple(_worker(name, beat, now) for name, beat in (await workers.all()).items()),
        gate=await _gate(app, state, tips),
        verification=await _verification(app),
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


def _headroom(heard: dict[str, Beat]) -> float | None:
    said = [lane.retention_headroom_seconds for beat in heard.values() for lane in (beat.forward, beat.reverse)]
    return min((seconds for seconds in said if seconds is not None), default=None)


async def _gate(app: App, state: MigrationState, tips: tuple[bool, bool]) -> Gate | None:
    move = next_move(state.phase)
    return None if move is None else await ask_gate(app, state, move, tips=tips)


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


async def _verification(app: App) -> VerificationStatus | None:
    found = await read_verification(app.control)
    if found is None:
        return None
    return VerificationStatus(found.checked, found.pending, len(found.differences), iso(found.finished_at))


async def _validation(app: App) -> ValidationStatus | None:
    report = await latest_summary(app.control)
    if report is None:
        return None
    return ValidationStatus(report["result"], report["differences_total"], report["finished_at"])
