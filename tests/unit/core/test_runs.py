"""Which changes of one key are carried as one."""

from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.rules.authorship import Authorship
from service.core.rules.runs import Run, runs

KEY: Item = {"pk": {"S": "a"}}
NONE = "-"


def change(old: str, new: str) -> Change:
    """From one value to another; ``NONE``: no item."""
    images = [None if value == NONE else {**KEY, "value": {"S": value}} for value in (old, new)]
    return Change("old", "shard", f"{old}{new}", KEY, *images)


def taken(*changes: Change, ours: str = "", together: bool = True) -> list[str]:
    """The first and last change of each run. ``ours``: the change that tablesplit made."""

    def author_of(one: Change, seen: str) -> Authorship:
        made = one.sequence == ours
        return Authorship(made, one.sequence if made else seen, None)

    def text(run: Run) -> str:
        return run.first.sequence if run.first is run.last else f"{run.first.sequence}..{run.last.sequence}"

    return [text(run) for run in runs(changes, "", author_of, together=together)]


def test_changes_of_the_application_that_follow_one_another_are_one() -> None:
    assert taken(change("1", "2"), change("2", "3"), change("3", "4")) == ["12..34"]


def test_a_create_and_its_updates_are_one() -> None:
    assert taken(change(NONE, "1"), change("1", "2")) == ["-1..12"]


def test_a_change_of_tablesplit_ends_a_run() -> None:
    found = taken(change("1", "2"), change("2", "3"), change("3", "4"), change("4", "5"), ours="23")
    assert found == ["12", "23", "34..45"]


def test_a_delete_is_carried_alone() -> None:
    """Together with the create after it, it would be an update; together with the create before it, nothing."""
    found = taken(change("1", "2"), change("2", NONE), change(NONE, "3"), change("3", NONE))
    assert found == ["12", "2-", "-3", "3-"]


def test_a_move_is_told_from_its_one_change() -> None:
    assert taken(change("1", "2"), change("2", "3"), together=False) == ["12", "23"]
