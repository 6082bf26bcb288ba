"""The rules of shard lineage, one row for each situation."""

import pytest

from service.core.shards import (
    CHILD_GRACE_SECONDS,
    FIRST_READ_SECONDS,
    FORGET_SECONDS,
    Position,
    after_gap,
    awaiting_children,
    first_position,
    first_positions,
    forgettable,
    is_horizon_safe,
    may_open,
    new_shards,
    parents_first,
    too_late_to_open,
    vanished,
)

NOW = 1_000_000.0


def reading(parent: str | None = None, sequence: str | None = None, as_of: float | None = NOW) -> Position:
    return Position(parent, sequence, as_of=as_of)


def finished(parent: str | None = None, at: float = NOW, as_of: float | None = NOW) -> Position:
    return Position(parent, "9", "finished", finished_at=at, as_of=as_of)


@pytest.mark.parametrize(
    ("why", "known", "shard", "allowed"),
    [
        ("a root", {"p": reading()}, "p", True),
        ("its parent is being read", {"p": reading(), "c": reading("p")}, "c", False),
        ("its parent is finished", {"p": finished(), "c": reading("p")}, "c", True),
        ("its parent was gone at the saved start, or is forgotten", {"c": reading("p")}, "c", True),
        ("its grandparent is being read", {"g": reading(), "p": reading("g"), "c": reading("p")}, "c", False),
        ("it is finished itself", {"p": finished()}, "p", False),
    ],
)
def test_a_shard_is_opened_only_after_its_parent(
    why: str, known: dict[str, Position], shard: str, allowed: bool
) -> None:
    assert may_open(known, shard) is allowed, why


@pytest.mark.parametrize(
    ("why", "known", "listed", "lost"),
    [
        ("all as before", {"p": reading()}, {"p": None}, []),
        ("an unread shard is not listed", {"p": reading(), "q": reading()}, {"q": None}, ["p"]),
        ("a finished shard may go", {"p": finished(), "c": reading("p")}, {"c": "p"}, []),
        (
            "a child that was never opened is not listed",
            {"p": finished(), "c": reading("p")},
            {"p": None},
            ["c"],
        ),
        ("a generation came and went unseen", {"p": finished()}, {"p": None, "g": "c"}, ["c"]),
        ("the parent of a shard of the saved start", {"c": reading("p")}, {"c": "p"}, []),
        ("a new child of a known parent that is not listed", {"p": finished()}, {"c": "p"}, []),
        ("a new child of a new parent", {"r": reading()}, {"r": None, "p": "r", "c": "p"}, []),
        ("nothing known, and the first shard names a parent", {}, {"c": "p"}, ["p"]),
    ],
)
def test_shards_that_vanished_unread(
    why: str, known: dict[str, Position], listed: dict[str, str | None], lost: list[str]
) -> None:
    assert vanished(known, listed) == lost, why


def test_parents_come_first_however_the_listing_is_ordered() -> None:
    listed = {"c2": "c1", "x": None, "c1": "p", "p": "gone"}
    assert list(parents_first(listed)) == ["p", "c1", "c2", "x"]


def test_the_saved_start_is_the_trim_horizon_of_every_listed_shard() -> None:
    start = first_positions({"c": "p", "p": "gone"}, NOW)
    assert start == {"p": Position("gone", as_of=NOW), "c": Position("p", as_of=NOW)}
    assert list(start) == ["p", "c"]
    assert [may_open(start, shard) for shard in start] == [True, False]


def test_new_shards_are_those_not_known_parents_first() -> None:
    assert new_shards({"p": finished()}, {"d": "c", "c": "p", "p": None}) == ["c", "d"]


@pytest.mark.parametrize(
    ("why", "position", "listed", "forgotten"),
    [
        ("finished long ago and trimmed", finished(at=NOW - FORGET_SECONDS - 1), {}, ["p"]),
        (
            "finished long ago but still listed: it would come back as new",
            finished(at=NOW - FORGET_SECONDS - 1),
            {"p": None},
            [],
        ),
        ("finished a day ago", finished(at=NOW - FORGET_SECONDS / 2), {}, []),
        ("unfinished", reading(as_of=0), {}, []),
    ],
)
def test_finished_shards_are_forgotten_late(
    why: str, position: Position, listed: dict[str, str | None], forgotten: list[str]
) -> None:
    assert forgettable({"p": position}, listed, NOW) == forgotten, why


@pytest.mark.parametrize(
    ("why", "known", "awaited"),
    [
        ("ended just now", {"p": finished()}, ["p"]),
        ("its child is known", {"p": finished(), "c": reading("p")}, []),
        ("ended before the grace", {"p": finished(at=NOW - CHILD_GRACE_SECONDS)}, []),
        ("still being read", {"p": reading()}, []),
    ],
)
def test_children_are_waited_for_only_a_limited_time(why: str, known: dict[str, Position], awaited: list[str]) -> None:
    assert awaiting_children(known, NOW) == awaited, why


LONG_AGO = NOW - FIRST_READ_SECONDS - 1


@pytest.mark.parametrize(
    ("why", "known", "late"),
    [
        ("just seen", {"s": reading()}, False),
        ("seen a day ago, never read", {"s": reading(as_of=LONG_AGO)}, True),
        ("has a sequence number: the server reports it", {"s": reading(sequence="5", as_of=LONG_AGO)}, False),
        ("unknown when it was first seen", {"s": reading(as_of=None)}, False),
        (
            "began when its parent ended, which was read a moment ago",
            {"s": reading("p", as_of=LONG_AGO), "p": finished()},
            False,
        ),
        (
            "began when its parent ended, a day ago",
            {"s": reading("p", as_of=LONG_AGO), "p": finished(as_of=LONG_AGO)},
            True,
        ),
        ("its parent is being read", {"s": reading("p", as_of=LONG_AGO), "p": reading(sequence="1")}, True),
    ],
)
def test_a_shard_opened_too_late_may_have_been_trimmed(why: str, known: dict[str, Position], late: bool) -> None:
    assert too_late_to_open(known, "s", NOW) is late, why


@pytest.mark.parametrize(
    ("why", "known", "as_of"),
    [
        ("its parent was read up to then", {"p": finished(as_of=NOW - 5)}, NOW - 5),
        ("its parent ended while nobody read", {"p": finished(as_of=LONG_AGO)}, LONG_AGO),
        ("its parent is being read", {"p": reading(sequence="1", as_of=NOW - 60)}, NOW - 60),
        ("its parent ended before the start", {}, NOW),
        ("of the parent it is not known", {"p": finished(as_of=None)}, NOW),
    ],
)
def test_a_new_shard_may_have_begun_when_its_parent_ended(why: str, known: dict[str, Position], as_of: float) -> None:
    """Were it taken for new, what was trimmed of it while nobody read the stream would be missed without a word."""
    assert first_position(known, "p", NOW) == Position("p", as_of=as_of), why


@pytest.mark.parametrize(
    ("as_of", "safe"), [(NOW, True), (NOW - FIRST_READ_SECONDS, True), (LONG_AGO, False), (None, False)]
)
def test_the_trim_horizon_skips_only_what_is_older_than_a_day(as_of: float | None, safe: bool) -> None:
    assert is_horizon_safe(as_of, NOW) == safe


def test_an_accepted_gap_drops_vanished_restarts_trimmed_and_keeps_the_rest() -> None:
    known = {
        "done": finished(),
        "gone": reading(sequence="3"),
        "trimmed": reading(sequence="4"),
        "fine": reading("done", sequence="5"),
    }
    listed = {"trimmed": None, "fine": "done", "orphan": "never-seen"}
    assert after_gap(known, listed, {"trimmed"}, NOW + 1) == {
        "done": finished(),
        "trimmed": reading(as_of=NOW + 1),
        "orphan": reading("never-seen", as_of=NOW + 1),
        "fine": reading("done", sequence="5"),
    }
