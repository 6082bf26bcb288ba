"""The tally of a rehearsal's writes: which are present, replaced, in conflict and lost."""

from typing import Any

import pytest

from service.core.item.wire import Item
from service.rehearsal.tally import LoggedChange, tally_writes
from service.rehearsal.write_log import Attempt

K = "k"


def text(**values: str) -> Item:
    return {name: {"S": value} for name, value in values.items()}


def wrote(side: Any, begun: float, values: Item | None, **more: Any) -> Attempt:
    kind = more.pop("kind", "delete" if values is None else "update")
    facts = {"ended": begun + 1, "acknowledged": True, "before": {}, "writer": side, **more}
    return Attempt(side=side, kind=kind, key=K, values=values, begun=begun, **facts)


def logged(old: Item | None, new: Item | None, *lost: str, key: str = K) -> LoggedChange:
    return LoggedChange(key, old, new, frozenset(lost))


A1 = wrote("old", 1, text(a="1"))
A2_LATER = wrote("old", 5, text(a="2"))
A2_BESIDE = wrote("v2", 1.5, text(a="2"))
B2_BESIDE = wrote("v2", 1, text(b="2"), ended=1.5)
AB1 = wrote("old", 1, text(a="1", b="1"))
GONE = wrote("old", 1, None)
GONE_LATER = wrote("v2", 5, None)
CREATED_LATER = wrote("v2", 5, text(a="3"), kind="create")
UNSURE = wrote("v2", 5, text(a="2"), acknowledged=False)

ROWS: list[tuple[list[Attempt], Item | None, list[LoggedChange], tuple[int, int, int, int]]] = [
    # attempts, the item at the end, the conflict log; present, replaced, in conflict, lost
    ([A1], text(a="1", b="0"), [], (1, 0, 0, 0)),
    ([A1], text(a="0"), [], (0, 0, 0, 1)),
    ([A1], None, [], (0, 0, 0, 1)),
    ([A1, A2_LATER], text(a="2"), [], (1, 1, 0, 0)),
    ([A1, A2_LATER], text(a="1"), [], (1, 0, 0, 1)),
    ([A1, A2_BESIDE], text(a="2"), [], (1, 1, 0, 0)),
    ([A1, A2_BESIDE], text(a="1"), [], (1, 1, 0, 0)),
    ([AB1, A2_BESIDE], text(a="2", b="0"), [], (1, 0, 0, 1)),
    ([AB1, A2_BESIDE], text(a="2", b="1"), [], (1, 1, 0, 0)),
    ([A1, UNSURE], text(a="2"), [], (0, 1, 0, 0)),
    ([A1], text(a="0"), [logged(text(a="0"), text(a="1"), "a")], (0, 0, 1, 0)),
    ([A1], text(a="0"), [logged(text(a="0"), text(a="1"), "a", key="other")], (0, 0, 0, 1)),
    ([A1], text(a="0"), [logged(text(a="1"), text(a="1", b="1"), "b")], (0, 0, 0, 1)),
    ([A1, A2_LATER], text(a="0"), [logged(text(a="1"), text(a="2"), "a")], (0, 1, 1, 0)),
    ([GONE], None, [], (1, 0, 0, 0)),
    ([GONE], text(a="0"), [], (0, 0, 0, 1)),
    ([GONE, CREATED_LATER], text(a="3"), [], (1, 1, 0, 0)),
    ([GONE, A2_LATER], text(a="2"), [], (1, 0, 0, 1)),
    ([GONE], text(a="0"), [logged(text(a="0"), None)], (0, 0, 1, 0)),
    ([A1, GONE_LATER], None, [], (1, 1, 0, 0)),
    ([A2_LATER, GONE], None, [], (1, 0, 0, 1)),
]


@pytest.mark.parametrize("attempts, final, log, expected", ROWS)
def test_every_acknowledged_write_gets_its_verdict(attempts, final, log, expected):
    items = {} if final is None else {K: final}
    tally = tally_writes(attempts, items, log)
    assert (tally.present, tally.replaced, tally.in_conflict, len(tally.lost)) == expected
    assert tally.acknowledged == sum(expected)
    assert tally.ok == (expected[3] == 0)


LOGGED_IN_A = logged(text(a="0", b="0"), text(a="1", b="1"), "a")


@pytest.mark.parametrize(
    "attempts, final, expected",
    [
        # old replaces v2's b, which it had seen, and loses in a against a write of v2 that it had not seen
        ([wrote("v2", 0, text(b="0")), AB1, A2_BESIDE], text(a="2", b="1"), (1, 1, 1, 0)),
        # the part that was carried is replaced later
        ([AB1, A2_BESIDE, wrote("v2", 6, text(b="3"))], text(a="2", b="3"), (2, 0, 1, 0)),
        # the part that was carried is gone
        ([AB1, A2_BESIDE], text(a="2", b="0"), (1, 0, 0, 1)),
        # the part that was lost does not replace v2's write
        ([wrote("v2", 1.5, text(a="4")), AB1], text(a="0", b="1"), (0, 0, 1, 1)),
    ],
)
def test_a_change_that_lost_in_one_field_was_carried_in_the_others(attempts, final, expected):
    """A tally that takes a change in the conflict log as lost whole calls the first of these writes of v2 lost."""
    tally = tally_writes(attempts, {K: final}, [LOGGED_IN_A])
    assert (tally.present, tally.replaced, tally.in_conflict, len(tally.lost)) == expected


def test_sides_that_differ_are_reported():
    tally = tally_writes([], {}, [], different=[K])
    assert tally.different == (K,)
    assert not tally.ok
    assert f"DIFFERENT: {K}" in tally.to_text()


BLIND = wrote("old", 2, text(a="1"), before=text(b="0"))
AWARE = wrote("old", 2, text(a="1"), before=text(b="2"))
SAME_SIDE = wrote("old", 1, text(b="2"), ended=1.5)
OVERLAPPING = wrote("old", 2, text(b="1"), before=text(b="0"))


@pytest.mark.parametrize(
    "attempts, merged",
    [
        ([B2_BESIDE, BLIND], 1),
        ([B2_BESIDE, AWARE], 0),
        ([SAME_SIDE, BLIND], 0),
        ([B2_BESIDE, OVERLAPPING], 0),
    ],
)
def test_a_merged_write_was_made_without_knowing_of_the_other_sides(attempts, merged):
    final = {K: text(a="1", b="2")}
    assert tally_writes(attempts, final, []).merged == merged
