"""The phases' tables: which moves exist, what a command means where, and the order of a move's steps."""

import pytest

from service.core.phases.acting import Acting, Phase, Rule
from service.core.phases.moves import (
    COMPLETE,
    COMPLETING,
    CUTOVER_TO_DUAL,
    CUTOVER_TO_REVERSE,
    FIRST_DUAL,
    LATER,
    ROLLBACK_TO_DUAL,
    ROLLBACK_TO_FORWARD,
    WITHDRAWABLE,
    Begin,
    Command,
    NotPossible,
    PhaseMove,
    Resume,
    UnderWay,
    Withdraw,
    command_to,
    decide,
    first_step,
    move_between,
    next_move,
    phase_row,
    step_after,
)


def acting(phase: Phase, rule: Rule = "ledger") -> Acting:
    return Acting(phase, rule, 0 if rule == "guarded" else 1)


@pytest.mark.parametrize(
    ("phase", "rule", "writes", "forward", "reverse"),
    [
        ("prepare", "guarded", ("old",), "off", "off"),
        ("forward", "guarded", ("old",), "guarded put", "observes"),
        ("forward", "entering", ("old",), "ledger rule", "observes"),
        ("dual", "ledger", ("old", "v2"), "ledger rule", "ledger rule"),
        ("reverse", "ledger", ("v2",), "ledger rule", "ledger rule"),
        ("forward", "ledger", ("old",), "ledger rule", "ledger rule"),
        ("complete", "ledger", ("v2",), "off", "off"),
    ],
)
def test_the_table_of_phases(phase: Phase, rule: Rule, writes: tuple[str, ...], forward: str, reverse: str) -> None:
    row = phase_row(acting(phase, rule))
    assert (row.writes, row.forward, row.reverse) == (writes, forward, reverse)


@pytest.mark.parametrize("phase", ["forward", "dual", "reverse"])
def test_the_side_that_should_be_quiet_is_the_one_that_nobody_may_write(phase: Phase) -> None:
    quiet = {"old", "v2"} - set(phase_row(acting(phase)).writes)
    assert acting(phase).quiet_side == (quiet.pop() if quiet else None)


@pytest.mark.parametrize(
    ("command", "phase", "move"),
    [
        ("cutover", "forward", CUTOVER_TO_DUAL),
        ("cutover --finish", "dual", CUTOVER_TO_REVERSE),
        ("rollback", "reverse", ROLLBACK_TO_DUAL),
        ("rollback", "dual", ROLLBACK_TO_FORWARD),
        ("complete", "reverse", COMPLETE),
    ],
)
def test_the_moves_that_exist(command: Command, phase: Phase, move: PhaseMove) -> None:
    assert decide(command, acting(phase), None) == Begin(move)
    assert move_between(phase, move.to) is move


@pytest.mark.parametrize(
    ("command", "phase", "remedy"),
    [
        ("cutover", "prepare", "start the migration: tablesplit create-tables"),
        ("cutover", "dual", "from here: tablesplit cutover --finish"),
        ("cutover", "reverse", "from here: tablesplit complete"),
        ("cutover", "complete", "the migration is complete: there is nothing to move"),
        ("cutover --finish", "forward", "from here: tablesplit cutover"),
        ("rollback", "forward", "from here: tablesplit cutover"),
        ("rollback", "complete", "the migration is complete: there is nothing to move"),
        ("complete", "dual", "from here: tablesplit cutover --finish"),
        ("complete", "forward", "from here: tablesplit cutover"),
    ],
)
def test_a_move_that_does_not_exist_is_refused_with_the_one_that_does(
    command: Command, phase: Phase, remedy: str
) -> None:
    assert decide(command, acting(phase), None) == NotPossible(
        f"{command} does not lead anywhere from phase {phase}", remedy
    )


@pytest.mark.parametrize(
    ("command", "phase", "under_way"),
    [
        ("cutover", "forward", UnderWay("dual", "drain")),
        ("cutover", "dual", UnderWay("dual", "enter")),  # entered, and not acknowledged by everybody
        ("cutover --finish", "dual", UnderWay("reverse", "announce")),
        ("cutover --finish", "reverse", UnderWay("reverse", "acknowledge")),
        ("rollback", "reverse", UnderWay("dual", "announce")),
        ("rollback", "dual", UnderWay("dual", "acknowledge")),
        ("rollback", "forward", UnderWay("forward", "acknowledge")),
        ("complete", "complete", UnderWay("complete", "strip")),
    ],
)
def test_the_same_command_again_goes_on(command: Command, phase: Phase, under_way: UnderWay) -> None:
    assert decide(command, acting(phase), under_way) == Resume()


@pytest.mark.parametrize("step", FIRST_DUAL)
def test_a_rollback_gives_the_first_cutover_up_until_reverse_carries(step: str) -> None:
    rule: Rule = "guarded" if step == "settle" else "entering"
    decision = decide("rollback", acting("forward", rule), UnderWay("dual", step))
    assert isinstance(decision, Withdraw) is (step in {"settle", "switch", "horizon", "drain", "observe"})
    if isinstance(decision, Withdraw):
        assert decision.outcome.startswith("the move to dual was given up: the phase stays forward")
        assert ("stays with the ledger rule" in decision.outcome) is (rule == "entering")
    else:
        assert decision == NotPossible(
            f"a move to dual is under way (at {step})", "finish it first: tablesplit cutover"
        )


@pytest.mark.parametrize(
    ("command", "phase", "under_way", "goes_on"),
    [
        ("cutover --finish", "dual", UnderWay("dual", "enter"), "cutover"),
        ("cutover --finish", "dual", UnderWay("forward", "announce"), None),
        ("rollback", "dual", UnderWay("reverse", "announce"), None),
        ("rollback", "reverse", UnderWay("reverse", "acknowledge"), "cutover --finish"),
        ("cutover", "reverse", UnderWay("dual", "announce"), None),
        ("rollback", "complete", UnderWay("complete", "idle"), "complete"),
        ("cutover", "reverse", UnderWay("complete", "announce"), "complete"),
    ],
)
def test_the_opposite_gives_up_what_was_only_announced_and_another_is_refused(
    command: Command, phase: Phase, under_way: UnderWay, goes_on: str | None
) -> None:
    decision = decide(command, acting(phase), under_way)
    if goes_on is None:
        assert isinstance(decision, Withdraw)
    else:
        assert isinstance(decision, NotPossible)
        assert decision.remedy == f"finish it first: tablesplit {goes_on}"


@pytest.mark.parametrize(
    ("to", "phase", "under_way", "command"),
    [
        ("dual", "forward", None, "cutover"),
        ("reverse", "dual", None, "cutover --finish"),
        ("dual", "reverse", None, "rollback"),
        ("complete", "reverse", None, "complete"),
        ("reverse", "forward", None, None),
        ("forward", "forward", None, None),
        ("forward", "forward", UnderWay("dual", "settle"), "rollback"),
        ("reverse", "reverse", UnderWay("dual", "announce"), "cutover"),
        ("reverse", "reverse", UnderWay("reverse", "acknowledge"), "cutover --finish"),
        ("reverse", "dual", UnderWay("forward", "announce"), "cutover --finish"),
    ],
)
def test_the_command_that_leads_to_a_phase(
    to: Phase, phase: Phase, under_way: UnderWay | None, command: Command | None
) -> None:
    assert command_to(to, phase, under_way) == command


@pytest.mark.parametrize(
    ("to", "steps"), [("dual", FIRST_DUAL), ("reverse", LATER), ("dual", LATER), ("complete", COMPLETING)]
)
def test_steps_follow_one_another_to_the_end(to: Phase, steps: tuple[str, ...]) -> None:
    assert [step_after(to, step) for step in steps] == [*steps[1:], None]  # type: ignore[arg-type]  # literals


@pytest.mark.parametrize(
    ("move", "rule", "step"),
    [
        (CUTOVER_TO_DUAL, "guarded", "settle"),
        (CUTOVER_TO_DUAL, "entering", "settle"),  # given up on the way: its waits are made anew
        (CUTOVER_TO_DUAL, "ledger", "announce"),
        (CUTOVER_TO_REVERSE, "ledger", "announce"),
        (COMPLETE, "ledger", "announce"),
    ],
)
def test_where_a_move_begins(move: PhaseMove, rule: Rule, step: str) -> None:
    assert first_step(move, rule) == step


def test_only_what_undoes_itself_can_be_given_up() -> None:
    assert {"settle", "switch", "horizon", "drain", "observe", "announce"} == WITHDRAWABLE


def test_the_next_move_leads_on() -> None:
    phases: tuple[Phase, ...] = ("prepare", "forward", "dual", "reverse", "complete")
    assert [next_move(phase) for phase in phases] == [None, CUTOVER_TO_DUAL, CUTOVER_TO_REVERSE, COMPLETE, None]
