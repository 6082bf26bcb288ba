"""A rehearsal's report: its verdict, and the times that it reports."""

from dataclasses import replace

import pytest

from service.rehearsal.counted import Counted
from service.rehearsal.drill import DrillReport
from service.rehearsal.moves import TimedMove
from service.rehearsal.report import RehearsalReport
from service.rehearsal.tally import Tally

MOVES = (
    TimedMove("cutover", "dual", 1.0, {"settle": 2.0, "enter": 3.0}),
    TimedMove("cutover --finish", "reverse", 0.5, {"announce": 1.0}),
    TimedMove("rollback", "dual", 0.0, {"acknowledge": 2.0}),
    TimedMove("rollback", "forward", 0.25, {"acknowledge": 2.0}),
    TimedMove("cutover", "dual", 9.0, {}),
)
TALLY = Tally(acknowledged=3, present=2, replaced=1, in_conflict=0, lost=(), merged=1, different=())
REPORT = RehearsalReport(MOVES, {"update": 3}, TALLY, in_flight=1, slowest=0.25, pause=0.0, compared=True)

FAILURES = [
    {"tally": replace(TALLY, lost=("update of x",))},
    {"tally": replace(TALLY, different=("x",))},
    {"pause": 0.1},
    {"compared": False},
    {"counted": Counted(broken=("a counter",))},
    {"counted": Counted(copies=1)},
]


def test_times_are_summed_per_direction():
    document = REPORT.to_json()
    assert (document["cutover_seconds"], document["rollback_seconds"]) == (7.5, 4.2)
    assert document["ledger"]["lost"] == 0
    assert "cutover          to dual       6.0 s (gate 1.0, settle 2.0, enter 3.0)" in REPORT.to_text()


@pytest.mark.parametrize("failure", FAILURES)
def test_a_drill_fails_for_any_of_these(failure):
    good = DrillReport({"DEAL": 1}, REPORT, at=0.0, stored=False)
    bad = replace(good, rehearsal=replace(REPORT, **failure))
    assert (good.ok, good.to_json()["result"]) == (True, "ok")
    assert (bad.ok, bad.to_json()["result"]) == (False, "failed")
    assert bad.to_text().endswith("drill: FAILED, do not cut over")


def test_a_lost_write_is_named():
    assert "LOST: update of x" in replace(REPORT, tally=replace(TALLY, lost=("update of x",))).to_text()
