"""What a rollback leaves behind: who is asked for the number of its keys, and what is said about them."""

from collections.abc import Collection

import pytest

from service.core.item.wire import Item
from service.core.phases.gate import Condition, Gate, GateClosed
from service.core.phases.left_behind import KeysLeftBehind, Lack, LeftBehind, left_behind, refusal
from service.core.phases.moves import CUTOVER_TO_REVERSE, ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD, PhaseMove

AT = "2026-01-01T00:00:00Z"
NAMES = ("quarantine", "conflicts", "verification", "verified", "hold")


def key(name: str) -> Item:
    return {"pk": {"S": name}}


def lack(name: str, table: str = "old", cause: str = "verification") -> Lack:
    return Lack(table, key(name), cause, "its two sides differ")  # type: ignore[arg-type]


THREE = left_behind(
    [lack("a", cause="quarantine"), lack("b"), lack("a", "leads", "quarantine"), lack("a")], unlisted=0, verified=AT
)


def gate(*closed: str) -> Gate:
    return Gate("forward", tuple(Condition(name, 1, 0, name not in closed, None, f"mend {name}") for name in NAMES))


def refused(
    closed: Collection[str] = (),
    forced: Collection[str] = (),
    told: int | None = None,
    behind: LeftBehind = THREE,
    move: PhaseMove = ROLLBACK_TO_FORWARD,
) -> GateClosed | None:
    return refusal(move, gate(*closed), forced, told, behind)


def test_a_key_is_counted_once_with_every_reason_and_a_key_of_each_side_is_another() -> None:
    assert THREE.count == 3
    assert [(found.table, len(found.lacks)) for found in THREE.keys] == [("old", 2), ("old", 1), ("leads", 1)]
    assert THREE.causes() == {"quarantine": 2, "verification": 2}


def test_keys_that_the_verification_does_not_list_count_too() -> None:
    more = left_behind([lack("a")], unlisted=7, verified=AT)
    assert (more.count, more.causes()) == (8, {"verification": 8})
    assert more.to_text().splitlines()[-1] == "  and 7 more that the verification counted and does not list"
    assert more.to_json()["unlisted"] == 7


def test_each_key_has_a_line_and_a_row() -> None:
    assert THREE.to_text().splitlines() == [
        "3 keys are left behind: the old table does not have everything that was written there",
        "  old pk=a  quarantine: its two sides differ; verification: its two sides differ",
        "  old pk=b  verification: its two sides differ",
        "  leads pk=a  quarantine: its two sides differ",
    ]
    assert THREE.to_json()["keys"][1] == {
        "table": "old",
        "key": {"pk": "b"},
        "lacks": [{"cause": "verification", "text": "its two sides differ"}],
    }


@pytest.mark.parametrize(
    ("verified", "text"),
    [
        (AT, f"no key is left behind, as far as quarantine, conflict log and the verification of {AT} show"),
        (None, "no key is left behind, as far as quarantine, conflict log and no verification show"),
    ],
)
def test_nothing_is_claimed_that_is_not_known(verified: str | None, text: str) -> None:
    assert LeftBehind(verified=verified).to_text() == text


@pytest.mark.parametrize("move", [ROLLBACK_TO_DUAL, ROLLBACK_TO_FORWARD])
@pytest.mark.parametrize("condition", ["quarantine", "conflicts", "verification"])
def test_on_the_way_back_the_number_of_keys_is_asked_for_and_no_override_takes_its_place(
    condition: str, move: PhaseMove
) -> None:
    for forced in ((), (condition,)):
        error = refused((condition,), forced, move=move)
        assert isinstance(error, KeysLeftBehind)
        assert error.message == f"the gate to forward is closed: {condition} is 1, wanted 0; 3 keys are left behind"
        assert error.remedy == f"mend {condition}; or leave them behind: tablesplit rollback --leave-behind 3"
        assert error.behind is THREE
        assert str(error) == error.message
    assert refused((condition,), told=3, move=move) is None


@pytest.mark.parametrize("told", [0, 2, 4])
def test_another_number_is_refused(told: int) -> None:
    error = refused(("quarantine",), told=told)
    assert isinstance(error, KeysLeftBehind)
    assert error.message.endswith(f"; 3 keys are left behind, not {told} as --leave-behind says")


def test_a_number_is_refused_where_nothing_is_left_behind() -> None:
    nothing = LeftBehind(verified=AT)
    assert refused(behind=nothing, told=0) is None
    error = refused(behind=nothing, told=1)
    assert isinstance(error, KeysLeftBehind)
    assert error.message == (
        "nothing else closes the gate to forward; 0 keys are left behind, not 1 as --leave-behind says"
    )
    assert error.remedy == "go on with: tablesplit rollback --leave-behind 0"


def test_the_number_opens_nothing_else() -> None:
    error = refused(("quarantine", "hold"), told=3)
    assert type(error) is GateClosed
    assert error.message == "the gate to forward is closed: hold is 1, wanted 0"
    assert refused(("quarantine", "hold"), ("hold",), told=3) is None


def test_the_command_keeps_the_overrides_that_were_asked_for() -> None:
    error = refused(("quarantine", "hold"), ("hold", "quarantine"))
    assert error is not None
    assert error.remedy == (
        "mend quarantine; or leave them behind: tablesplit rollback --leave-behind 3 --force hold --force-again hold --yes"
    )


def test_a_verification_that_is_too_old_is_overridden_by_name_and_the_number_is_asked_for_too() -> None:
    assert type(refused(("verified",))) is GateClosed
    assert type(refused(("verified",), told=3)) is GateClosed
    for behind in (THREE, LeftBehind()):
        error = refused(("verified",), ("verified",), behind=behind)
        assert isinstance(error, KeysLeftBehind)
        assert error.message.startswith("nothing else closes the gate to forward; ")
        assert f"--leave-behind {behind.count} --force verified --force-again verified --yes" in error.remedy
        assert refused(("verified",), ("verified",), told=behind.count, behind=behind) is None


def test_on_the_way_there_conditions_are_overridden_by_name_as_ever() -> None:
    there = CUTOVER_TO_REVERSE
    assert type(refused(("quarantine",), move=there, behind=LeftBehind())) is GateClosed
    assert refused(("quarantine",), ("quarantine",), move=there, behind=LeftBehind()) is None
