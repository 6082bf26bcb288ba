"""Taking the Status snapshot, from the control table alone: it looks the same from every machine."""

from backfill.records import Standing, read_standing
from service.app import App
from service.migration_state import MigrationState, load_state
from service.quarantine import Quarantine
from service.status import BackfillStatus, ForwardStatus, Status, ValidationStatus, WorkerStatus, iso
from service.validation.records import latest_summary
from service.workers import Beat, Workers

CAUGHT_UP_WITHIN_SECONDS = 12.0
NOT_STARTED = BackfillStatus("not started", 0, 0, 0, 0.0, None)
NO_SYNC = ForwardStatus(None, False, 0, {})


async def take_snapshot(app: App, *, caught_up: bool | None = None) -> Status:
    """Everything about the migration. ``caught_up``: when the caller knows; None asks the worker, for some seconds at most.

    Before `create-tables` the phase is ``prepare``. Raises Fatal when the control table is damaged or of another mapping.
    """
    state = await _state(app)
    if state is None:
        return Status("prepare", iso(app.clock.now()), app.mapping.hash, NOT_STARTED, NO_SYNC, 0, None, None, None, ())
    workers = Workers(app.control, app.clock)
    if caught_up is None:
        caught_up = await workers.caught_up(CAUGHT_UP_WITHIN_SECONDS)
    owner = await workers.owner()
    now = app.clock.now()
    return Status(
        phase=state.phase,
        phase_since=iso(state.phase_since),
        mapping=state.mapping_hash,
        backfill=_backfill(await read_standing(app.control, now)),
        forward=_forward(owner[1], caught_up) if owner else NO_SYNC,
        quarantine=len(await Quarantine(app.control, app.clock).heads()),
        validation=await _validation(app),
        retention_headroom_seconds=owner[1].retention_headroom_seconds if owner else None,
        gap=f"stream records were lost, accepted at {iso(state.gap_since)}" if state.gap_since else None,
        workers=tuple(_worker(name, beat, now) for name, beat in (await workers.all()).items()),
    )


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


def _forward(beat: Beat, caught_up: bool) -> ForwardStatus:
    return ForwardStatus(beat.lag_seconds, caught_up, beat.shards, beat.outcomes)


def _worker(name: str, beat: Beat, now: float) -> WorkerStatus:
    return WorkerStatus(name, beat.role, max(0.0, now - beat.said_at), beat.failure)


async def _validation(app: App) -> ValidationStatus | None:
    report = await latest_summary(app.control)
    if report is None:
        return None
    return ValidationStatus(report["result"], report["differences_total"], report["finished_at"])
