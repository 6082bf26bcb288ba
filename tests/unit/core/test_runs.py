"""Runs of the application's own changes in one page, which are carried as one."""

from service.core.item.change import Change
from service.core.rules.authorship import Authorship
from service.core.rules.runs import runs

KEY = {"pk": {"S": "a"}}


def changes(text: str) -> list[Change]:
    """One change for each letter: a lower-case one of the application, an upper-case one of ours; a create or delete for x."""
    return [Change("t", "s", letter, KEY, None, None) for letter in text]


def author(change: Change, seen: str) -> Authorship:
    """Ours raises what has been seen."""
    ours = change.sequence.isupper()
    return Authorship(ours, max(seen, change.sequence.lower()) if ours else seen, None)


def found(text: str, *, together: bool = True) -> list[tuple[str, str, bool, str]]:
    """First and last change of each run, whether it is ours, and what has been seen."""
    return [
        (run.first.sequence, run.last.sequence, run.author.ours, run.author.seen)
        for run in runs(changes(text), "", author, lambda change: change.sequence != "x", together=together)
    ]


def test_changes_of_the_application_that_follow_one_another_are_one() -> None:
    assert found("abc") == [("a", "c", False, "")]


def test_a_change_of_ours_is_alone_and_ends_a_run() -> None:
    """It has changed what the next change of the application has seen."""
    assert found("abCDe") == [
        ("a", "b", False, ""),
        ("C", "C", True, "c"),
        ("D", "D", True, "d"),
        ("e", "e", False, "d"),
    ]


def test_a_run_is_judged_by_what_was_seen_before_it() -> None:
    assert found("Ca")[1] == ("a", "a", False, "c")


def test_apart_each_change_is_a_run_of_its_own() -> None:
    assert found("abC", together=False) == [("a", "a", False, ""), ("b", "b", False, ""), ("C", "C", True, "c")]


def test_a_create_or_a_delete_is_alone() -> None:
    """It is decided by what the other side has at that moment."""
    assert [run[:2] for run in found("abxc")] == [("a", "b"), ("x", "x"), ("c", "c")]


def test_a_run_has_all_its_changes() -> None:
    (run,) = runs(changes("abc"), "", author, lambda _: True)
    assert "".join(change.sequence for change in run.changes) == "abc"


def test_nothing_is_no_run() -> None:
    assert found("") == []
