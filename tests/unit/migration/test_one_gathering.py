"""Status, gate and page show the same records, and each record is read once."""

from collections import Counter
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import pytest

from backfill.records import BackfillBeat, BackfillRecords
from backfill.segments import BackfillRun, Outcomes, Segment, Spent
from service.control.activity import Activities, Seen
from service.control.quarantine import Quarantine
from service.control.state import Hold, Move, change_state, load_started_state
from service.control.verification import Verification, save_verification
from service.control.workers import Beat, LaneBeat
from service.core.phases.acting import Acting
from service.core.phases.moves import CUTOVER_TO_DUAL
from service.errors import Poison
from service.migration.start import create_and_start
from service.migration.status.facts import CaughtUp
from service.migration.status.gate import ask_gate
from service.migration.status.snapshot import take_running_snapshot, take_snapshot
from service.validation.records import FULL, runs
from tests.builders.beats import report_moving
from tests.worlds.start_world import Started

FULL_RUN = {
    "id": "x",
    "result": "different",
    "differences_total": 3,
    "inverse_failures": 1,
    "started_at": "2023-11-14T22:13:10.123Z",
    "finished_at": "2023-11-14T22:13:20.456Z",
}
ACTING = Acting("forward", "guarded", 0)
LOST = "stream records of the old table were lost, accepted at 2023-11-14T22:12:35Z"
DOCUMENT: dict[str, Any] = {
    "identity": {
        "old_table": "old",
        "control_table": "control",
        "region": "ap-southeast-2",
        "version": version("tablesplit"),
        "endpoint": None,
        "account": "000000000000",
    },
    "started": True,
    "phase": "forward",
    "phase_since": "2023-11-14T22:13:20Z",
    "mapping": "014ee0e38289ccc6",
    "rule": "guarded",
    "move": "to dual: drain since 2023-11-14T22:13:35Z (by ann)",
    "hold": "sale (by ann, 2023-11-14T22:13:35Z)",
    "backfill": {
        "state": "running",
        "items": 5,
        "left_out": 0,
        "segments_done": 1,
        "segments": 1,
        "items_per_second": 4.5,
        "eta_seconds": 61.0,
        "cost_usd": 2.375e-06,
        "estimate": None,
        "started_at": "2023-11-14T22:12:30Z",
        "finished_at": None,
        "waiting_for": [],
    },
    "forward": {
        "lag_seconds": 3.0,
        "caught_up": True,
        "shards": 4,
        "outcomes": {"applied": 13, "stale": 1},
        "shards_waiting": 1,
        "shards_finished": 9,
        "catch_up_seconds": 7.0,
        "stopped": False,
    },
    "reverse": {
        "lag_seconds": None,
        "caught_up": False,
        "shards": 0,
        "outcomes": {},
        "shards_waiting": 0,
        "shards_finished": 0,
        "catch_up_seconds": None,
        "stopped": True,
    },
    "quarantine": 1,
    "conflicts": 0,
    "validation": {
        "result": "different",
        "differences": 3,
        "finished_at": "2023-11-14T22:13:20.456Z",
        "age_seconds": pytest.approx(17.544),
    },
    "retention_headroom_seconds": 80_000.0,
    "gap": LOST,
    "workers": [
        {
            "id": "a",
            "forward": "owner",
            "reverse": "standby",
            "seen_seconds_ago": 3.0,
            "failure": None,
            "heard": True,
        },
        {
            "id": "b",
            "forward": "reader",
            "reverse": "stopped",
            "seen_seconds_ago": 3.0,
            "failure": "the stream is gone",
            "heard": True,
        },
        {
            "id": "c",
            "forward": "owner",
            "reverse": "standby",
            "seen_seconds_ago": 18.0,
            "failure": None,
            "heard": False,
        },
    ],
    "verification": {
        "checked": 4,
        "pending": 2,
        "differences": 1,
        "keys": [{"pk": "x"}],
        "finished_at": "2023-11-14T22:13:35Z",
    },
    "rogue_writes": {"old": 0, "v2": 1},
}


@pytest.fixture
async def world() -> Started:
    """A migration with a record of every kind."""
    world = Started()
    await create_and_start(world.app)
    await save_backfill(world)
    await runs(world.control).save(FULL, FULL_RUN)
    await report_moving(world.control, world.clock, "c", Beat(1, world.clock.now(), LaneBeat("owner", ACTING, 3, 4)))
    await world.clock.advance(15)
    now = world.clock.now()
    forward = LaneBeat(
        "owner",
        ACTING,
        rounds=5,
        shards=4,
        shards_waiting=1,
        shards_finished=9,
        lag_seconds=3.0,
        retention_headroom_seconds=80_000.0,
        outcomes={"applied": 3, "stale": 1},
        catch_up_seconds=7.0,
    )
    stopped = LaneBeat("stopped", failure="the stream is gone")
    await report_moving(world.control, world.clock, "a", Beat(7, now - 1.5, forward))
    await report_moving(
        world.control,
        world.clock,
        "b",
        Beat(9, now - 0.5, LaneBeat("reader", ACTING, outcomes={"applied": 10}), stopped),
    )
    quarantine = Quarantine(world.control, world.clock)
    await quarantine.add_copy("old", {"pk": {"S": "x"}, "sk": {"S": "y"}}, Poison("bad", reason="bad"))
    await save_verification(world.control, Verification(4, 2, ({"pk": {"S": "x"}},), now))
    await Activities(world.control).part("v2").add(Seen(now - 5, {"LEAD": 1}))
    await change_state(
        world.control,
        world.app.mapping,
        0.0,
        lambda was: replace(
            was, gap_since=now - 60, hold=Hold("sale", "ann", now), move=Move("dual", "drain", now, now, "ann")
        ),
    )
    await world.clock.advance(3)
    return world


async def save_backfill(world: Started) -> None:
    records = BackfillRecords(world.control)
    await records.save_run(BackfillRun("b1", world.app.mapping.hash, 2, 1, world.clock.now() - 50))
    await records.save_segment(0, Segment("b1", done=True, outcomes=Outcomes(copied=5), spent=Spent(3.0, 4.0)))
    await records.save_beat(BackfillBeat("b1", world.clock.now(), 4.5, 61.0))


def counted_reads(world: Started) -> Counter[str]:
    """The reads of tables from now on, by operation."""
    reads: Counter[str] = Counter()

    async def count(operation: str, _: object) -> None:
        if operation in ("get", "query", "scan"):
            reads[operation] += 1

    world.db.before = count
    return reads


async def test_the_document_of_a_migration_with_a_record_of_every_kind(world: Started) -> None:
    document = (await take_snapshot(world.app, caught_up=CaughtUp(True, False))).to_json()
    gate = document.pop("gate")
    assert document == DOCUMENT
    assert list(document) == list(DOCUMENT)  # the order in which it is printed
    values = {condition["name"]: condition["value"] for condition in gate["conditions"]}
    assert (values["backfill"], values["quarantine"], values["gap"], values["hold"]) == (
        "running",
        1,
        LOST,
        DOCUMENT["hold"],
    )


async def test_a_status_reads_each_record_once(world: Started) -> None:
    """State, beats, the parts of the counts of quarantine, conflicts and held items (of few their names too), validation,
    verification, activity, the gate's settings and times; three of the backfill; here also the positions of the reverse lane,
    which no worker owns."""
    positions = len((await load_started_state(world.control, world.app.mapping)).v2_streams)
    reads = counted_reads(world)
    await take_snapshot(world.app, caught_up=CaughtUp(True, False))
    assert reads.total() == 16 + positions
    reads.clear()
    await take_running_snapshot(world.app)
    assert reads.total() == 16 + positions


async def test_a_gate_reads_each_record_once(world: Started) -> None:
    state = await load_started_state(world.control, world.app.mapping)
    reads = counted_reads(world)
    await ask_gate(world.app, state, CUTOVER_TO_DUAL, caught_up=CaughtUp(True, True))
    assert reads.total() == 15
