"""The picture of the console page can be taken anew, and does not weigh much."""

from tests.console.picture import PICTURE, state


def test_the_state_that_it_shows_has_one_condition_that_is_not_met() -> None:
    conditions = state(0.5)["status"]["gate"]["conditions"]
    assert [condition["name"] for condition in conditions if not condition["met"]] == ["validation"]


def test_it_loads_quickly() -> None:
    assert PICTURE.stat().st_size < 200_000
