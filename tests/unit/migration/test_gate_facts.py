"""The gate from the control table alone: every machine gets the same conditions, with the same times."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from backfill.records import BackfillRecords
from backfill.segments import BackfillRun
from service.control.activity import Activities, Seen
from service.control.quarantine import Quarantine
from service.control.state import Hold, MigrationState, Move
from service.control.verification import Verification, save_verification
from service.control.workers import Beat, LaneBeat, Workers
from service.core.item.write import Put
from service.core.phases.acting import Acting
from service.core.phases.gate import Gate
from service.core.phases.moves import CUTOVER_TO_DUAL, ROLLBACK_TO_DUAL, PhaseMove
from service.errors import Fatal, Poison
from service.migration.status.facts import CaughtUp
from service.migration.status.gate import ask_gate
from service.validation.records import RunRecords
from tests.builders.beats import report_moving
from tests.builders.small_crm import MAPPING
from tests.worlds.start_world import Started

NOW = 1_700_000_000.0
FULL = {
    "id": "r1",
    "result": "equal",
    "differences_total": 0,
    "inverse_failures": 0,
    "started_at": "2023-11-14T22:00:00.000Z",
    "finished_at": "2023-11-14T22:10:00.000Z",
}
STATE = MigrationState("forward", NOW - 9000, MAPPING.hash, "old", NOW - 9000)
LANE = LaneBeat("owner", Acting("forward", "guarded", 0), 9, 1, 0.5, NOW - 600, 80_000.0)


async def ready() -> Started:
    """A migration whose gate to `dual` is open."""
    started = Started()
    started.db.after = None
    records = BackfillRecords(started.control)
    await records.save_run(BackfillRun("b1", MAPPING.hash, 1, 1, NOW - 8000, finished_at=NOW - 7000))
    await RunRecords(started.control, "r1", 1).point("full", FULL)
    await report_moving(started.control, started.clock, "w1", Beat(1, NOW, LANE, LANE))
    return started


async def asked(started: Started, state: MigrationState = STATE, move: PhaseMove = CUTOVER_TO_DUAL) -> Gate:
    return await ask_gate(started.app, state, move, caught_up=CaughtUp(True, True))


def closed(gate: Gate) -> dict[str, Any]:
    return {condition.name: condition.value for condition in gate.closed}


async def test_a_gate_that_is_open_says_since_when() -> None:
    gate = await asked(await ready())
    assert closed(gate) == {}
    assert {condition.since for condition in gate.conditions} == {"2023-11-14T22:13:20Z"}


async def test_before_the_start_the_gate_names_everything_that_is_missing() -> None:
    started = Started()
    found = closed(await ask_gate(started.app, STATE, CUTOVER_TO_DUAL, caught_up=CaughtUp(False, False)))
    assert found["backfill"] == "not started"
    assert found["forward_caught_up"] == "no worker owns this lane"
    assert found["validation"] == "never run in full"
    assert found["workers"] == "0 running"


async def test_records_in_the_control_table_close_the_gate() -> None:
    started = await ready()
    quarantine = Quarantine(started.control, started.clock)
    await quarantine.add_copy("old", {"pk": {"S": "x"}}, Poison("bad", reason="bad"))
    await save_verification(started.control, Verification(1, 0, ({"pk": {"S": "x"}},), NOW))
    await Activities(started.control).part("v2").add(Seen(NOW - 5, {"LEAD": 1}))
    stopped = Beat(1, NOW, replace(LANE, role="stopped", failure="gone"))
    await report_moving(started.control, started.clock, "w2", stopped)
    state = replace(
        STATE,
        gap_since=NOW - 60,
        reverse_gap_since=NOW - 60,
        hold=Hold("sale", "ann", NOW),
        move=Move("dual", "drain", NOW, NOW, "ann"),
    )
    found = closed(await asked(started, state))
    assert found.pop("gap").count("were lost") == 2
    assert found == {
        "quarantine": 1,
        "verification": "1 touched keys differ",
        "intruders": "writes to v2: 1 LEAD",
        "hold": "sale (by ann, 2023-11-14T22:13:20Z)",
        "move": "to dual: drain since 2023-11-14T22:13:20Z (by ann)",
        "workers": "2 running; w2 stopped (gone), last report 0 s ago",
    }


async def test_since_is_stored_for_each_move() -> None:
    started = await ready()
    await asked(started)
    await started.clock.advance(60)
    gate = await asked(started, replace(STATE, hold=Hold("sale", "ann", NOW)))
    since = {condition.name: condition.since for condition in gate.conditions}
    assert since["hold"] == "2023-11-14T22:14:20Z"
    assert since["quarantine"] == "2023-11-14T22:13:20Z"
    await save_verification(started.control, Verification(1, 0, (), NOW))
    back = await asked(started, replace(STATE, phase="reverse"), ROLLBACK_TO_DUAL)
    assert {condition.since for condition in back.conditions} == {"2023-11-14T22:14:20Z"}


@pytest.mark.parametrize(("rounds", "caught_up"), [(1, True), (0, False)])
async def test_without_an_answer_the_gate_asks_the_workers_whether_they_have_caught_up(
    rounds: int, caught_up: bool
) -> None:
    started = await ready()

    async def beat() -> None:
        for number in range(2, 100):
            lane = replace(LANE, rounds=9 + number * rounds)
            await Workers(started.control, started.clock).report("w1", Beat(number, started.clock.now(), lane, lane))
            await started.clock.sleep(0.5)

    beating = asyncio.create_task(beat())
    asking = asyncio.ensure_future(ask_gate(started.app, STATE, CUTOVER_TO_DUAL))
    await started.clock.until(asking.done)
    found = {condition.name: condition.value for condition in (await asking).conditions}
    assert (found["forward_caught_up"], found["reverse_caught_up"]) == (caught_up, caught_up)
    beating.cancel()


async def test_a_damaged_record_stops_the_gate_with_a_remedy() -> None:
    started = await ready()
    edited = {"pk": {"S": "gate"}, "sk": {"S": "forward-dual"}, "document": {"S": "[]"}, "rev": {"S": "1"}}
    started.db.apply(Put("control", edited))
    with pytest.raises(Fatal, match="record gate/forward-dual is damaged"):
        await asked(started)
