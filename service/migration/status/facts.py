"""Reads what is known of the migration, once and from the control table alone: every machine reads the same."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from backfill.records import RunStatus, read_run_status
from service.app import App
from service.clock import iso
from service.control.activity import Activities, Activity
from service.control.conflicts import Conflicts
from service.control.quarantine import Quarantine
from service.control.state import MigrationState
from service.control.table import ControlTable
from service.control.verification import FIRST_KEYS, read_verification
from service.control.workers import Beat, LaneName, Watched, Workers, owner_among
from service.core.phases.facts import (
    BackfillFacts,
    Facts,
    FullValidation,
    LaneFacts,
    SideFacts,
    VerificationFacts,
    WorkerFacts,
)
from service.dynamodb.prices import load_prices
from service.validation.records import latest_full


class CaughtUp(NamedTuple):
    """Whether each direction has caught up."""

    forward: bool
    reverse: bool


async def read_facts(app: App, state: MigrationState, caught_up: CaughtUp | None) -> Facts:
    """Every record that the gate and the status need, each read once. ``caught_up``: None means what the lanes' owners last
    reported.

    Raises Fatal when a record is damaged.
    """
    watched = await Workers(app.control, app.clock).watch()
    now = app.clock.now()
    live = {worker: seen.beat for worker, seen in watched.items() if seen.alive}
    forward, reverse = caught_up or (_at_tip(live, "forward"), _at_tip(live, "reverse"))
    activities = await Activities(app.control).load(state.phase_since)
    return Facts(
        now=now,
        phase_since=state.phase_since,
        mapping=state.mapping_hash,
        phase=state.phase,
        rule=state.rule,
        backfill=_backfill(await read_run_status(app.control, now), app.settings.price_file),
        forward=_lane(live, "forward", forward),
        reverse=_lane(live, "reverse", reverse),
        workers=tuple(_worker(name, seen, now) for name, seen in watched.items()),
        validation=await _validation(app.control),
        verification=await _verification(app.control),
        quarantine=await Quarantine(app.control, app.clock).count(),
        conflicts=await Conflicts(app.control).count_open(),
        sides={side: _side(activity, state.phase_since) for side, activity in activities.items()},
        gaps=gap_texts(state),
        hold=hold_text(state),
        moving=move_text(state),
    )


def move_text(state: MigrationState) -> str | None:
    """The move under way, for people; None: there is none."""
    move = state.move
    return None if move is None else f"to {move.to}: {move.step} since {iso(move.since)} (by {move.by})"


def hold_text(state: MigrationState) -> str | None:
    """Why an operator keeps the gate closed; None: nobody does."""
    hold = state.hold
    return None if hold is None else f"{hold.why} (by {hold.by}, {iso(hold.at)})"


def gap_texts(state: MigrationState) -> tuple[str, ...]:
    """Which table's stream records were lost; a repair is owed for each."""
    gaps = {"the old table": state.gap_since, "a v2 table": state.reverse_gap_since}
    return tuple(f"stream records of {table} were lost, accepted at {iso(at)}" for table, at in gaps.items() if at)


def _backfill(run: RunStatus | None, price_file: Path | None) -> BackfillFacts:
    if run is None:
        return BackfillFacts()
    beat = run.beat if run.state == "running" else None
    return BackfillFacts(
        state=run.state,
        items=run.outcomes.items,
        left_out=run.outcomes.left_out,
        segments_done=run.segments_done,
        segments=run.run.segments,
        items_per_second=beat.items_per_second if beat else 0.0,
        eta_seconds=beat.eta_seconds if beat else None,
        cost_usd=load_prices(price_file).of_units(run.spent.write_units, run.spent.read_units),
        estimate=run.run.estimate,
        started_at=run.run.started_at,
        finished_at=run.run.finished_at,
        waiting_for=beat.waiting_for if beat else (),
    )


def _lane(live: Mapping[str, Beat], name: LaneName, caught_up: bool) -> LaneFacts:
    owner = owner_among(live, name)
    if owner is None:
        return LaneFacts(stopped=any(beat.lane(name).role == "stopped" for beat in live.values()))
    lane = owner[1].lane(name)
    return LaneFacts(
        owner=owner[0],
        caught_up=caught_up,
        lag_seconds=lane.lag_seconds,
        lag_low_since=lane.lag_low_since,
        headroom_seconds=lane.retention_headroom_seconds,
        tombstones_overdue=lane.tombstones_overdue,
        shards=lane.shards,
        shards_waiting=lane.shards_waiting,
        shards_finished=lane.shards_finished,
        catch_up_seconds=lane.catch_up_seconds,
        outcomes=_outcomes(live, name),
    )


def _outcomes(live: Mapping[str, Beat], name: LaneName) -> dict[str, int]:
    """Over all workers that read the lane."""
    total: Counter[str] = Counter()
    for beat in live.values():
        if beat.lane(name).reads:
            total.update(beat.lane(name).outcomes)
    return dict(total)


def _at_tip(live: Mapping[str, Beat], name: LaneName) -> bool:
    """Whether the lane's owner knows of nothing unapplied."""
    owner = owner_among(live, name)
    return owner is not None and owner[1].lane(name).at_tip


def _worker(name: str, seen: Watched, now: float) -> WorkerFacts:
    beat = seen.beat
    silent_seconds = 0.0 if seen.alive else now - beat.said_at  # by its own clock, since nobody has seen it moving
    return WorkerFacts(
        name=name,
        last_report_seconds=max(seen.unchanged_seconds, silent_seconds),
        live=seen.alive,
        failure=beat.forward.failure or beat.reverse.failure,
        forward=beat.forward.role,
        reverse=beat.reverse.role,
    )


def _side(activity: Activity, phase_since: float) -> SideFacts:
    rogue_writes = sum(activity.rogue_writes_since(phase_since).values())
    return SideFacts(activity.last_change_at, activity.intruders, activity.last_intruder_at, rogue_writes)


async def _verification(control: ControlTable) -> VerificationFacts | None:
    last = await read_verification(control)
    if last is None:
        return None
    return VerificationFacts(
        last.checked, last.pending, last.differing, last.finished_at, last.differences[:FIRST_KEYS]
    )


async def _validation(control: ControlTable) -> FullValidation | None:
    last = await latest_full(control)
    if last is None:
        return None
    return FullValidation(
        equal=last.equal,
        differences=last.differences_total,
        inverse_failures=last.inverse_failures,
        started_at=last.started_seconds,
        finished_at=last.finished_seconds,
        finished_text=last.finished_at,
        set_aside=last.set_aside,
    )
