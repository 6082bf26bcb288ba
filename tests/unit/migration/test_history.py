"""The last hour of the lanes: rates from counters, a bounded memory, and what a restart or a clock that was set back does to it."""

import pytest

from service.core.phases.facts import Facts, LaneFacts
from service.migration.status.history import KEPT_SECONDS, RATE_SECONDS, SAMPLE_SECONDS, History

UNKNOWN = {"application_per_second": None, "carried_per_second": None}


def facts(at: float, *, applied: int = 0, own: int = 0, stale: int = 0, lag: float | None = 0.0) -> Facts:
    outcomes = {"applied": applied, "own": own, "stale": stale}
    lane = LaneFacts("w", lag_seconds=lag, outcomes=outcomes)
    return Facts(at, 0.0, forward=lane, reverse=LaneFacts("w", lag_seconds=lag, outcomes={"carried_back": applied}))


def test_a_rate_is_that_of_the_last_half_minute_without_what_tablesplit_wrote_itself() -> None:
    history = History()
    for second in range(0, 121, 2):
        fast = max(0, second - 90)
        history.add(facts(float(second), applied=second + 9 * fast, own=second * 100, stale=second))
    rates = history.rates()
    assert rates["forward"] == {"application_per_second": 11.0, "carried_per_second": 10.0}
    assert rates["reverse"]["carried_per_second"] == 10.0
    assert RATE_SECONDS == 30.0


def test_there_is_no_rate_before_the_second_sample_nor_across_a_restart_of_a_worker() -> None:
    history = History()
    assert history.rates()["forward"] == UNKNOWN
    history.add(facts(0.0, applied=500))
    assert history.rates()["forward"] == UNKNOWN
    history.add(facts(10.0, applied=3))
    assert history.rates()["forward"] == UNKNOWN
    history.add(facts(20.0, applied=5))
    assert [point["forward"]["carried_per_second"] for point in history.points()] == [None, 0.2]


def test_the_points_are_those_of_an_hour_however_often_it_is_asked() -> None:
    history = History()
    for second in range(3 * int(KEPT_SECONDS)):
        history.add(facts(float(second), lag=float(second % 7)))
    points = history.points()
    assert len(points) == KEPT_SECONDS / SAMPLE_SECONDS - 1  # each has the rates since the sample before
    assert points[-1]["at"] == "1970-01-01T02:59:50Z"
    assert points[0]["at"] == "1970-01-01T02:00:10Z"


def test_a_lag_that_is_not_known_stays_so() -> None:
    history = History()
    history.add(facts(0.0))
    history.add(facts(10.0, lag=None))
    assert history.points()[0]["forward"]["lag_seconds"] is None


@pytest.mark.parametrize("now", [5.0, 50.0])
def test_what_lies_in_the_future_of_a_clock_that_was_set_back_is_forgotten(now: float) -> None:
    history = History()
    for second in (100.0, 110.0, 120.0):
        history.add(facts(second))
    history.add(facts(now))
    assert history.points() == []
    history.add(facts(now + 10))
    assert len(history.points()) == 1
