"""The judgements of a history, one sentence after the other: what breaks it, and what does not."""

from typing import Any, Literal

import pytest

from service.core.item.wire import AttributeValue
from service.rehearsal import judgement
from service.rehearsal.history import ITEM, LIVE, History, Logged, Operation
from service.rehearsal.judgement import judge

K = "DEAL#1"
SENTENCES = {
    "own side": judgement.own_side,
    "compare-and-set": judgement.compare_and_set,
    "increments": judgement.increments,
    "conflict log": judgement.conflict_log,
    "no write lost": judgement.no_write_lost,
    "both sides": judgement.both_sides,
    "v2's own": judgement.v2_own,
    "earlier value": judgement.earlier_value,
}

By = Literal["application", "sync"]


def value(text: str | int | None) -> AttributeValue | None:
    """A number, a text, or no value."""
    return None if text is None else {"N": str(text)} if isinstance(text, int) else {"S": text}


def happens(*operations: tuple[Any, ...], **facts: Any) -> History:
    """Each operation: side, field, read, written; and "sync" if the sync has made it. They happen in this order."""
    made = []
    for at, (side, name, read, written, *by) in enumerate(operations):
        maker: By = "sync" if by else "application"
        made.append(Operation(side, K, name, read_as(read), read_as(written), at, maker))
    return History(made, **facts)


def read_as(what: Any) -> AttributeValue | None:
    """A value as given, or made of a text or number."""
    return what if isinstance(what, dict) else value(what)


OLD_A = ("old", "a", "0", "o1")
V2_A = ("v2", "a", "0", "v1")
DELETE: tuple[Any, ...] = ("v2", ITEM, LIVE, None)
CREATE: tuple[Any, ...] = ("old", ITEM, None, LIVE)
OLD_DELETE: tuple[Any, ...] = ("old", ITEM, LIVE, None)

BROKEN: list[tuple[str, History]] = [
    # the sync takes off what old wrote, and v2 has not written it; seen by a watcher, or by old's next operation
    ("own side", happens(OLD_A, ("old", "a", "o1", "0", "sync"))),
    ("own side", happens(OLD_A, ("old", "a", "0", "0"))),
    # v2 has written it, but old had seen that
    (
        "own side",
        happens(V2_A, ("old", "a", "0", "v1", "sync"), ("old", "a", "v1", "o1"), ("old", "a", "o1", "v1", "sync")),
    ),
    ("own side", happens(V2_A, ("old", "a", "v1", "o1"), ("old", "a", "v1", "v1"))),
    # a text becomes the number that it means
    ("own side", happens(("old", "a", None, "85"), ("old", "a", "85", 85, "sync"))),
    ("compare-and-set", happens(OLD_A, ("old", "a", "0", "o2"))),
    ("compare-and-set", happens(OLD_A, ("old", "a", "o1", "o2"), ("old", "a", "o1", "o3"))),
    ("increments", happens(("old", "n", 1, 2), ("old", "n", 1, 2), counters=frozenset("n"), old={K: {"n": value(2)}})),
    ("increments", happens(("old", "n", 1, 3), counters=frozenset("n"), v2={K: {"n": value(1)}})),
    (
        "increments",
        happens(("old", "n", 1, 2), ("v2", "n", 1, 2), shared_counters=frozenset("n"), v2={K: {"n": value(2)}}),
    ),
    ("conflict log", happens(OLD_A, logged=[Logged(K, "a", value("o1"))])),
    ("conflict log", happens(V2_A, ("old", "a", "v1", "o1"), logged=[Logged(K, "a", value("o1"))])),
    ("conflict log", happens(OLD_A, ("v2", "a", "o1", "v1"), logged=[Logged(K, "a", value("o1"))])),
    ("conflict log", happens(OLD_A, V2_A, logged=[Logged(K, "a", value("never"))])),
    (
        "conflict log",
        happens(OLD_A, ("v2", "a", "0", "o1", "sync"), ("v2", "a", "o1", "v1"), logged=[Logged(K, "a", value("o1"))]),
    ),
    ("no write lost", happens(OLD_A, V2_A, v2={K: {"a": value("v1")}})),
    ("no write lost", happens(OLD_A, V2_A, v2={K: {"a": value("o1")}}, logged=[Logged(K, "a", value("v1"))])),
    ("both sides", happens(old={K: {"a": value("1")}})),
    ("both sides", happens(old={K: {"a": value("1")}}, v2={K: {"a": value("2")}})),
    ("v2's own", happens(("v2", "flag", None, "v1"), ("v2", "flag", "v1", None, "sync"), v2_only=frozenset({"flag"}))),
    # old deletes and creates; the first item's value is back, or its own second one in another form
    (
        "earlier value",
        happens(OLD_A, OLD_DELETE, ("old", "a", "o1", None), CREATE, ("old", "a", None, "o1", "sync")),
    ),
    ("earlier value", happens(CREATE, ("old", "a", None, "85"), ("old", "a", "85", 85, "sync"))),
]

HELD = [
    # v2 has written it unseen, before or after
    ("own side", happens(OLD_A, V2_A, ("old", "a", "o1", "v1", "sync"))),
    ("own side", happens(V2_A, OLD_A, ("old", "a", "o1", "v1", "sync"))),
    ("own side", happens(V2_A, OLD_A, ("old", "a", "v1", "o2"))),
    # v2's answer came after its value was seen on old
    ("own side", happens(OLD_A, ("old", "a", "v1", "v1"), V2_A)),
    # the sync writes what is there already; old replaces its own
    ("own side", happens(OLD_A, ("old", "a", "o1", "o1", "sync"), ("old", "a", "o1", "o2"))),
    # an item conflict, until all is carried
    ("own side", happens(OLD_A, DELETE, ("old", "a", "o1", None, "sync"))),
    ("own side", happens(CREATE, ("v2", "b", "0", "1"), OLD_A, ("old", "a", "o1", "0", "sync"))),
    ("compare-and-set", happens(OLD_A, ("old", "a", "o1", "0"), ("old", "a", "0", "o2"))),
    ("compare-and-set", happens(OLD_A, V2_A)),
    # both sides write it, and a value comes twice: nobody can tell which write it is of
    ("own side", happens(OLD_A, ("v2", "a", "o1", "0"), ("old", "a", "o1", "o2"), ("old", "a", "o2", "0", "sync"))),
    ("conflict log", happens(OLD_A, ("v2", "a", "o1", "0"), logged=[Logged(K, "a", value("o1"))])),
    ("increments", happens(("old", "n", 1, 2), ("old", "n", 2, 4), counters=frozenset("n"), old={K: {"n": value(4)}})),
    (
        "increments",
        happens(("old", "n", 1, 2), ("v2", "n", 1, 2), shared_counters=frozenset("n"), v2={K: {"n": value(3)}}),
    ),
    ("increments", happens(CREATE, ("old", "n", 1, 2), counters=frozenset("n"), old={K: {"n": value(9)}})),
    ("conflict log", happens(OLD_A, V2_A, logged=[Logged(K, "a", value("o1"))])),
    ("conflict log", happens(CREATE, OLD_A, ("v2", "b", "0", "1"), logged=[Logged(K, "a", value("o1"))])),
    ("no write lost", happens(OLD_A, V2_A, v2={K: {"a": value("v1")}}, logged=[Logged(K, "a", value("o1"))])),
    ("no write lost", happens(OLD_A, ("v2", "a", "o1", "v1"), v2={K: {"a": value("v1")}})),
    ("no write lost", happens(("old", "a", "0", "85"), v2={K: {"a": value(85)}})),
    ("both sides", happens(old={K: {"a": value("1")}}, v2={K: {"a": value("1")}})),
    ("v2's own", happens(("v2", "flag", None, "v1"), ("v2", "flag", "v1", "v2"), v2_only=frozenset({"flag"}))),
    # v2 refuses the delete and gives the item back; v2 writes the field too; the item is gone
    ("earlier value", happens(OLD_A, OLD_DELETE, ("old", "a", "o1", None), ("old", "a", None, "o1", "sync"))),
    ("earlier value", happens(V2_A, OLD_A, ("old", "a", "o1", "v1", "sync"))),
    ("earlier value", happens(OLD_A, DELETE, ("old", "a", "o1", None, "sync"))),
    ("earlier value", happens(CREATE, ("old", "a", None, "o1"))),
]


@pytest.mark.parametrize("sentence, history", BROKEN)
def test_breaks_the_sentence(sentence: str, history: History) -> None:
    assert SENTENCES[sentence](history) != []
    assert any(line.startswith(f"{sentence}: {K}") for line in judge(history))


@pytest.mark.parametrize("sentence, history", HELD)
def test_does_not_break_the_sentence(sentence: str, history: History) -> None:
    assert SENTENCES[sentence](history) == []


def test_the_excuse_of_an_item_conflict_ends_when_all_is_carried() -> None:
    after = (CREATE, ("v2", "b", "0", "1"), OLD_A, ("old", "a", "o1", "0", "sync"))
    assert judgement.own_side(happens(*after, quiet=[1.5])) != []


def test_counts_the_compare_and_sets_that_held() -> None:
    history = happens(OLD_A, ("old", "a", "o1", "o2"), ("old", "a", "o1", "o3"), V2_A)
    assert judgement.compare_and_sets_held(history) == 2
