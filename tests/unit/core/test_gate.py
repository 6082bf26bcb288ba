"""The gate: each condition met and not met, which moves ask for it, what can be overridden, and since when."""

from dataclasses import replace
from typing import Any

import pytest

from service.config import Settings
from service.core.phases.conditions import CONDITIONS, NEVER_FORCED, gate_of
from service.core.phases.facts import (
    BackfillFacts,
    Facts,
    FullValidation,
    LaneFacts,
    SideFacts,
    VerificationFacts,
    WorkerFacts,
)
from service.core.phases.gate import Condition, Gate, GateClosed, Since, require_forceable, since_when
from service.core.phases.moves import (
    COMPLETE,
    CUTOVER_TO_DUAL,
    CUTOVER_TO_REVERSE,
    MOVES,
    ROLLBACK_TO_DUAL,
    ROLLBACK_TO_FORWARD,
    PhaseMove,
)
from service.errors import Misconfigured, Refused

NOW = 1_000_000.0
LIMITS = Settings(control_table="control")
LANE = LaneFacts("w1", True, 0.5, NOW - 61, 80_000.0, 0)
VALIDATION = FullValidation(True, 0, 0, NOW - 700, NOW - 600)
GOOD = Facts(
    now=NOW,
    phase_since=NOW - 1000,
    backfill=BackfillFacts("finished"),
    forward=LANE,
    reverse=LANE,
    validation=VALIDATION,
    sides={"old": SideFacts(NOW - 61), "v2": SideFacts(NOW - 61)},
    workers=(WorkerFacts("w1", 0.2, True, None),),
    verification=VerificationFacts(9, 0, 0, NOW - 300),
)


def gate(move: PhaseMove, **changes: Any) -> Gate:
    return gate_of(move, replace(GOOD, **changes), LIMITS)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: f"{move.start}-{move.to}")
def test_all_is_well(move: PhaseMove) -> None:
    assert gate(move).closed == ()
    assert gate(move).open


ASKED = {
    "backfill": (CUTOVER_TO_DUAL,),
    "forward_caught_up": MOVES,
    "reverse_caught_up": MOVES,
    "lag": (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, COMPLETE),
    "validation": (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, COMPLETE),
    "reverse_verified": (CUTOVER_TO_DUAL,),
    "quarantine": MOVES,
    "conflicts": MOVES,
    "verification": MOVES,
    "verified": (ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD),
    "intruders": (CUTOVER_TO_DUAL, COMPLETE),
    "headroom": (CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE),
    "tombstones": (CUTOVER_TO_DUAL,),
    "quiet": (CUTOVER_TO_REVERSE, ROLLBACK_TO_FORWARD, COMPLETE),
    "gap": MOVES,
    "hold": MOVES,
    "move": MOVES,
    "workers": MOVES,
}


def test_which_move_asks_for_what() -> None:
    for move in MOVES:
        names = [condition.name for condition in gate(move).conditions]
        assert names == [name for name, moves in ASKED.items() if move in moves]
    assert [asked.name for asked in CONDITIONS] == list(ASKED)
    assert {"backfill", "gap", "move"} == NEVER_FORCED


def intruded(side: str, at: float) -> dict[str, SideFacts]:
    return {**GOOD.sides, side: SideFacts(None, {"LEAD": 2, "DEAL": 1}, at)}


Row = tuple[str, PhaseMove, dict[str, Any], Any]
CLOSED: dict[str, Row] = {
    "no backfill": ("backfill", CUTOVER_TO_DUAL, {"backfill": BackfillFacts()}, "not started"),
    "backfill running": ("backfill", CUTOVER_TO_DUAL, {"backfill": BackfillFacts("running")}, "running"),
    "forward behind": ("forward_caught_up", ROLLBACK_TO_DUAL, {"forward": replace(LANE, caught_up=False)}, False),
    "nobody reads the old stream": (
        "forward_caught_up",
        CUTOVER_TO_DUAL,
        {"forward": LaneFacts()},
        "no worker owns this lane",
    ),
    "reverse behind": ("reverse_caught_up", ROLLBACK_TO_FORWARD, {"reverse": replace(LANE, caught_up=False)}, False),
    "lag above the limit": ("lag", CUTOVER_TO_DUAL, {"reverse": replace(LANE, lag_low_since=None)}, "not low"),
    "lag low for too short a time": (
        "lag",
        CUTOVER_TO_DUAL,
        {"reverse": replace(LANE, lag_low_since=NOW - 59)},
        "0 s, low for 59 s",
    ),
    "lag low since a time ahead": (
        "lag",
        CUTOVER_TO_DUAL,
        {"forward": replace(LANE, lag_low_since=NOW + 3600)},
        "0 s, low for 0 s",
    ),
    "never validated in full": ("validation", CUTOVER_TO_DUAL, {"validation": None}, "never run in full"),
    "different": (
        "validation",
        CUTOVER_TO_REVERSE,
        {"validation": replace(VALIDATION, equal=False, differences=3)},
        "3 differences, 10 min old",
    ),
    "validated too long ago": (
        "validation",
        CUTOVER_TO_DUAL,
        {"validation": replace(VALIDATION, finished_at=NOW - 86_401)},
        "equal, 24.1 h old",
    ),
    "validated in the future": (
        "validation",
        CUTOVER_TO_DUAL,
        {"validation": replace(VALIDATION, finished_at=NOW + 11)},
        "equal, -11 s old",
    ),
    "validated before the phase that is completed": (
        "validation",
        COMPLETE,
        {"phase_since": NOW - 699},
        "equal, 10 min old",
    ),
    "reverse does not run": (
        "reverse_verified",
        CUTOVER_TO_DUAL,
        {"reverse": LaneFacts()},
        "reverse sync does not run",
    ),
    "inverse fails": (
        "reverse_verified",
        CUTOVER_TO_DUAL,
        {"validation": replace(VALIDATION, inverse_failures=1)},
        "running, 1 inverse failures",
    ),
    "reverse never verified": ("reverse_verified", CUTOVER_TO_DUAL, {"validation": None}, "never validated in full"),
    "quarantine": ("quarantine", CUTOVER_TO_REVERSE, {"quarantine": 2}, 2),
    "conflicts": ("conflicts", ROLLBACK_TO_FORWARD, {"conflicts": 1}, 1),
    "touched keys differ": (
        "verification",
        CUTOVER_TO_REVERSE,
        {"verification": VerificationFacts(0, 0, 2, NOW)},
        "2 touched keys differ",
    ),
    "a key in quarantine on the way back": ("quarantine", ROLLBACK_TO_DUAL, {"quarantine": 1}, 1),
    "a conflict on the way back": ("conflicts", ROLLBACK_TO_DUAL, {"conflicts": 1}, 1),
    "touched keys differ on the way back": (
        "verification",
        ROLLBACK_TO_FORWARD,
        {"verification": VerificationFacts(0, 0, 1, NOW)},
        "1 touched keys differ",
    ),
    "never verified": ("verified", ROLLBACK_TO_FORWARD, {"verification": None}, "never verified"),
    "verified too long ago": (
        "verified",
        ROLLBACK_TO_DUAL,
        {"verification": VerificationFacts(9, 0, 0, NOW - 1801)},
        "30.1 min old",
    ),
    "verified in the future": (
        "verified",
        ROLLBACK_TO_DUAL,
        {"verification": VerificationFacts(9, 0, 0, NOW + 11)},
        "-11 s old",
    ),
    "rogue write": ("intruders", CUTOVER_TO_DUAL, {"sides": intruded("v2", NOW - 699)}, "writes to v2: 1 DEAL, 2 LEAD"),
    "rogue write as the validation began": (
        "intruders",
        CUTOVER_TO_DUAL,
        {"sides": intruded("v2", NOW - 700)},
        "writes to v2: 1 DEAL, 2 LEAD",
    ),
    "rogue write before a validation that found differences": (
        "intruders",
        CUTOVER_TO_DUAL,
        {"sides": intruded("v2", NOW - 800), "validation": replace(VALIDATION, equal=False)},
        "writes to v2: 1 DEAL, 2 LEAD",
    ),
    "rogue write on the old table": (
        "intruders",
        COMPLETE,
        {"sides": intruded("old", NOW - 1)},
        "writes to old: 1 DEAL, 2 LEAD",
    ),
    "little headroom": ("headroom", CUTOVER_TO_REVERSE, {"reverse": replace(LANE, headroom_seconds=14_399.0)}, "3.9 h"),
    "unknown headroom": ("headroom", CUTOVER_TO_REVERSE, {"forward": LaneFacts(), "reverse": LaneFacts()}, "not known"),
    "tombstones": ("tombstones", CUTOVER_TO_DUAL, {"forward": replace(LANE, tombstones_overdue=1)}, "1 overdue"),
    "old was written": (
        "quiet",
        CUTOVER_TO_REVERSE,
        {"sides": {**GOOD.sides, "old": SideFacts(NOW - 59)}},
        "old quiet for 59 s",
    ),
    "v2 was written": (
        "quiet",
        ROLLBACK_TO_FORWARD,
        {"sides": {**GOOD.sides, "v2": SideFacts(NOW - 59)}},
        "v2 quiet for 59 s",
    ),
    "the phase has just begun": ("quiet", CUTOVER_TO_REVERSE, {"phase_since": NOW - 1}, "old quiet for 1 s"),
    "written ahead of the clock": (
        "quiet",
        CUTOVER_TO_REVERSE,
        {"sides": {**GOOD.sides, "old": SideFacts(NOW + 3600)}},
        "old quiet for 0 s",
    ),
    "gap": ("gap", ROLLBACK_TO_DUAL, {"gaps": ("records of a v2 table were lost",)}, "records of a v2 table were lost"),
    "hold": ("hold", CUTOVER_TO_DUAL, {"hold": "sale (by ann)"}, "sale (by ann)"),
    "another move": ("move", ROLLBACK_TO_FORWARD, {"moving": "to reverse: announce"}, "to reverse: announce"),
    "no worker": ("workers", CUTOVER_TO_DUAL, {"workers": ()}, "0 running"),
    "a silent worker": (
        "workers",
        CUTOVER_TO_DUAL,
        {"workers": (WorkerFacts("w1", 61.0, False, None),)},
        "0 running; w1 silent, last report 61 s ago",
    ),
    "a stopped worker": (
        "workers",
        CUTOVER_TO_DUAL,
        {"workers": (*GOOD.workers, WorkerFacts("w2", 0.4, True, "trimmed"))},
        "2 running; w2 stopped (trimmed), last report 0 s ago",
    ),
}


@pytest.mark.parametrize(("name", "move", "changes", "value"), CLOSED.values(), ids=CLOSED)
def test_what_closes_the_gate(name: str, move: PhaseMove, changes: dict[str, Any], value: Any) -> None:
    closed = {condition.name: condition for condition in gate(move, **changes).closed}
    assert closed[name].value == value
    assert closed[name].remedy
    assert not gate(move, **changes).open


SET_ASIDE = "mend or delete each item that it lists as quarantined or held"
REPAIR = "tablesplit validate --repair"
REMAP = "or have the mapping know or leave out such items, and run tablesplit remap"
LIST = "tablesplit quarantine list, then mend or delete each item"
REMEDIES: dict[str, tuple[str, PhaseMove, dict[str, Any], str]] = {
    "what a repair writes": ("validation", CUTOVER_TO_DUAL, {"differences": 2}, f"{REPAIR}, then tablesplit validate"),
    "only rejected items": (
        "validation",
        CUTOVER_TO_DUAL,
        {"differences": 2, "set_aside": 2},
        f"{SET_ASIDE} ({REMAP}), then tablesplit validate",
    ),
    "rejected items once the mapping is fixed": (
        "validation",
        CUTOVER_TO_REVERSE,
        {"differences": 2, "set_aside": 2},
        f"{SET_ASIDE}, then tablesplit validate",
    ),
    "both": (
        "validation",
        CUTOVER_TO_REVERSE,
        {"differences": 3, "set_aside": 2},
        f"{SET_ASIDE}, then {REPAIR}, then tablesplit validate",
    ),
    "an index lacks items": (
        "validation",
        CUTOVER_TO_REVERSE,
        {},
        "wait until v2's indexes have every item, then tablesplit validate",
    ),
    "an inverse fails": (
        "reverse_verified",
        CUTOVER_TO_DUAL,
        {"inverse_failures": 1, "differences": 1},
        f"{REPAIR}, then tablesplit validate",
    ),
    "a gap": ("gap", CUTOVER_TO_DUAL, {"differences": 2}, REPAIR),
    "a gap that rejected items keep open": (
        "gap",
        CUTOVER_TO_DUAL,
        {"differences": 2, "set_aside": 1},
        f"{LIST}, then {REPAIR}",
    ),
    "quarantine before the first dual": (
        "quarantine",
        CUTOVER_TO_DUAL,
        {},
        f"{LIST} on the side that it names: it leaves by itself; {REMAP}",
    ),
    "quarantine later": (
        "quarantine",
        ROLLBACK_TO_DUAL,
        {},
        f"{LIST} on the side that it names: it leaves by itself",
    ),
}


@pytest.mark.parametrize(("name", "move", "found", "remedy"), REMEDIES.values(), ids=REMEDIES)
def test_the_remedy_is_one_that_can_help(name: str, move: PhaseMove, found: dict[str, Any], remedy: str) -> None:
    last = replace(VALIDATION, equal=False, **found)
    conditions = gate(move, validation=last, quarantine=1, gaps=("records were lost",)).closed
    assert {each.name: each.remedy for each in conditions}[name] == remedy


OPEN: dict[str, tuple[PhaseMove, dict[str, Any]]] = {
    "a rogue write that a validation has compared since": (CUTOVER_TO_DUAL, {"sides": intruded("v2", NOW - 701)}),
    "a rogue write on old while v2 is what matters": (CUTOVER_TO_DUAL, {"sides": intruded("old", NOW - 1)}),
    "a silent worker beside one that works": (
        CUTOVER_TO_DUAL,
        {"workers": (*GOOD.workers, WorkerFacts("w2", 61.0, False, "was stopped"))},
    ),
    "a way back without any validation": (ROLLBACK_TO_DUAL, {"validation": None}),
    "a verification at the limit": (ROLLBACK_TO_FORWARD, {"verification": VerificationFacts(9, 3, 0, NOW - 1800)}),
    "a side that was never written": (CUTOVER_TO_REVERSE, {"sides": {"old": SideFacts(), "v2": SideFacts()}}),
    "a clock that is a little ahead": (CUTOVER_TO_DUAL, {"validation": replace(VALIDATION, finished_at=NOW + 9)}),
}


@pytest.mark.parametrize(("move", "changes"), OPEN.values(), ids=OPEN)
def test_what_leaves_it_open(move: PhaseMove, changes: dict[str, Any]) -> None:
    assert gate(move, **changes).closed == ()


def test_an_overridden_condition_no_longer_closes_the_gate_and_others_do() -> None:
    closed = gate(CUTOVER_TO_DUAL, quarantine=1, hold="sale")
    assert not closed.open_despite(("quarantine",))
    assert closed.open_despite(("quarantine", "hold"))
    error = GateClosed(closed, ("quarantine",))
    assert error.message == "the gate to dual is closed: hold is sale, wanted none"
    assert error.remedy == "tablesplit release"


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("gap", Refused, "gap cannot be overridden: writes would be lost"),
        ("move", Refused, "move cannot be overridden: writes would be lost"),
        ("backfill", Refused, "backfill cannot be overridden: writes would be lost"),
        ("weather", Misconfigured, "--force weather: the gate to dual has no such condition"),
    ],
)
def test_what_cannot_be_overridden(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refused:
        require_forceable((name,), gate(CUTOVER_TO_DUAL), NEVER_FORCED)
    assert str(refused.value) == message


def test_any_other_condition_can_be_overridden() -> None:
    whole = gate(CUTOVER_TO_DUAL)
    require_forceable([one.name for one in whole.conditions if one.name not in NEVER_FORCED], whole, NEVER_FORCED)


@pytest.mark.parametrize(
    ("was", "met", "since"),
    [
        (None, True, 50.0),
        (Since(True, 20.0), True, 20.0),
        (Since(False, 20.0), True, 50.0),
        (Since(True, 60.0), True, 50.0),  # a clock was put back
    ],
)
def test_since_is_kept_until_the_condition_changes(was: Since | None, met: bool, since: float) -> None:
    condition = Condition("lag", 1, 2, met, None, "")
    found = since_when([condition], {} if was is None else {"lag": was}, 50.0)
    assert found == {"lag": Since(met, since)}


def test_the_text_says_what_to_do_about_what_is_not_met() -> None:
    lines = gate(ROLLBACK_TO_DUAL, hold="sale").to_text().splitlines()
    assert lines[0] == "gate to dual: closed"
    at = next(index for index, line in enumerate(lines) if " hold " in line)
    assert lines[at].split() == ["NO", "hold", "sale", "(wanted:", "none)"]
    assert lines[at + 1].strip() == "tablesplit release"
