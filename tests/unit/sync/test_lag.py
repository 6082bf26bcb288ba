"""What lag tells in the course of time."""

import pytest

from service.sync.lag import CatchingUp, LowLag
from tests.fakes.clocks import VirtualClock

ROWS: list[tuple[list[float | None], float | None]] = [
    ([None], None),
    ([0], 0),
    ([100], None),  # one sample gives no speed
    ([100, 95, 90], 90 * 6 / 10),  # ten seconds less in six: so much of the rest
    ([90, 90, 90], None),
    ([90, 95, 100], None),
    ([100, 0], 0),
    ([100, 0, 100], None),  # what was before the tip says nothing
    ([100, None, 90], None),
]


@pytest.mark.parametrize(("lags", "left"), ROWS)
async def test_the_time_that_is_left_follows_from_how_fast_lag_shrinks(
    lags: list[float | None], left: float | None
) -> None:
    clock = VirtualClock()
    catching_up, left_now = CatchingUp(clock), None
    for lag in lags:
        left_now = catching_up.note(lag)
        await clock.advance(3)
    assert left_now == (None if left is None else pytest.approx(left))


async def test_only_the_last_minute_counts() -> None:
    clock = VirtualClock()
    catching_up = CatchingUp(clock)
    for lag in (10_000, *[500 - second for second in range(100)]):
        left = catching_up.note(lag)
        await clock.advance(1)
    assert left == pytest.approx(401)


async def test_what_was_low_by_another_limit_does_not_count() -> None:
    clock = VirtualClock()
    low = LowLag(clock, 100)
    begun = low.note(50)
    await clock.advance(30)
    assert low.note(50) == begun == clock.now() - 30
    low.follow(60)
    assert low.note(50) == clock.now()
    low.follow(60)
    await clock.advance(5)
    assert low.note(50) == clock.now() - 5
