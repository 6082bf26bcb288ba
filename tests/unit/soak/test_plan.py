"""How a soak's numbers are spread, and what its table counts as lost, resurrected and diverged."""

from collections import Counter
from itertools import pairwise

import pytest

from bench.soak.plan import ANY_MOMENT, Done, Plan
from bench.soak.verdict import Verdict, table
from service.rehearsal.counted import Counted
from service.rehearsal.tally import Tally

PLAN = Plan(kills=50, pauses=20, faults=7, cycles=2, seed=1, lease=2.0, minutes=1.0)
GOOD = Verdict(Tally(9, 9, 0, 0, (), 0, ()), Counted(copies=2, copies_found=2), equal=True, conflicts=0)


def tally(lost: tuple[str, ...] = (), different: tuple[str, ...] = ()) -> Tally:
    return Tally(9, 9, 0, 0, lost, 0, different)


def test_the_stretches_before_between_and_after_the_moves_add_up_to_what_was_asked_for() -> None:
    stretches = list(PLAN.stretches())
    assert len(stretches) == 1 + 4 * PLAN.cycles
    assert stretches[-1] == Counter(kill=50, pause=20, fault=7)
    assert all(before <= after for before, after in pairwise(stretches))


def test_a_soak_is_ok_when_nothing_is_wrong() -> None:
    assert GOOD.ok
    assert GOOD.to_text() == ""


@pytest.mark.parametrize(
    "verdict, line",
    [
        (Verdict(tally(("update of a on old",)), Counted(), equal=True, conflicts=0), "LOST: update of a on old"),
        (Verdict(tally(), Counted(broken=("a b: 2, 3",)), equal=True, conflicts=0), "LOST: a b: 2, 3"),
        (Verdict(tally(), Counted(copies=1), equal=True, conflicts=0), "LOST: 1 copies are not on both sides"),
        (Verdict(tally(("delete of a on v2",)), Counted(), equal=True, conflicts=0), "RESURRECTED: delete of a on v2"),
        (Verdict(tally(different=("a",)), Counted(), equal=True, conflicts=0), "DIVERGED: a"),
        (Verdict(tally(), Counted(), equal=False, conflicts=0), "DIVERGED: the validation found differences"),
    ],
)
def test_it_is_not_when_a_judge_finds_something(verdict: Verdict, line: str) -> None:
    assert not verdict.ok
    assert verdict.to_text() == line


def test_the_table_shows_what_was_made_beside_what_was_asked_for() -> None:
    done = Done(Counter({"v2_written": 2, ANY_MOMENT: 1}), Counter(old_written=1), Counter({("lost", "PutItem"): 3}))
    rows = table(PLAN, done, GOOD, 90.0)
    assert "| `kill -9` | 3 of 50: 2 at 1 of " in rows
    assert "| pauses longer than a lease | 1 of 20: 1 at failpoints" in rows
    assert "| faults of the server | 3 of 7: 3 lost |" in rows
    assert "| minutes | 1.5 |" in rows
