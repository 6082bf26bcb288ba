"""The limits of the backfill: paces, the adaptive limit, and the reasons of waits."""

import asyncio

import pytest

from backfill.throttle import SHRINK, TRACKED_KEYS, AdaptiveLimit, Pace, ReadLimit, Reason, ThrottleWaits, WriteLimits
from service.core.item.size import json_bytes
from service.core.mapping.capacity import write_units
from tests.fakes.clocks import VirtualClock

KEY = ("leads", "LEAD")


def sent(limit: AdaptiveLimit, units: float, clock: VirtualClock) -> float:
    """Reserve ``units`` and use them at once. Returns when they were reserved."""
    limit.reserve(units)
    limit.used(units)
    return clock.monotonic()


def waits(clock: VirtualClock) -> ThrottleWaits:
    return ThrottleWaits(clock, lambda reason, seconds: None)


def test_a_pace_spaces_what_is_reserved() -> None:
    pace = Pace(VirtualClock(), 10)
    assert [pace.reserve(5), pace.reserve(5), pace.reserve(5)] == [0, 0.5, 1.0]


async def test_a_pace_saves_nothing_up_while_it_is_idle() -> None:
    clock = VirtualClock()
    pace = Pace(clock, 10)
    await clock.advance(100)
    assert [pace.reserve(10), pace.reserve(10)] == [0, 1.0]


def test_what_was_not_used_is_given_back() -> None:
    pace = Pace(VirtualClock(), 10)
    pace.reserve(100)
    pace.give_back(90)
    assert pace.reserve(1) == 1.0


def test_an_adaptive_limit_does_not_limit_before_it_is_throttled() -> None:
    limit = AdaptiveLimit(VirtualClock())
    assert [limit.reserve(1_000_000) for _ in range(3)] == [0, 0, 0]
    assert limit.units_per_second is None


async def test_an_adaptive_limit_shrinks_below_what_was_sent() -> None:
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    for _ in range(4):
        reserved_at = sent(limit, 500, clock)
        await clock.advance(0.5)
    assert limit.throttled(reserved_at)
    assert limit.units_per_second == pytest.approx(700, rel=0.05)


async def test_requests_on_their_way_shrink_the_limit_only_once() -> None:
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    first = sent(limit, 1000, clock)
    assert [limit.throttled(first), limit.throttled(first)] == [True, False]
    await clock.advance(1)
    second = sent(limit, 1, clock)
    assert limit.throttled(second)


async def test_what_was_reserved_before_a_limit_shrank_does_not_shrink_it_again() -> None:
    """A window's requests have all reserved their turn at the old pace, and come for seconds."""
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    first = sent(limit, 1000, clock)
    await clock.advance(1)
    assert limit.throttled(first)
    shrunk = limit.units_per_second or 0
    for _ in range(5):
        await clock.advance(1)
        assert not limit.throttled(first)
    assert (limit.units_per_second or 0) > shrunk
    assert limit.throttled(sent(limit, 1, clock))


async def test_what_only_waits_for_its_turn_is_no_rate_that_was_sent() -> None:
    """The reservations of a window come in one moment, and none in the next ones: neither is the rate."""
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    limit.throttled(sent(limit, 1000, clock))
    await clock.advance(10)
    pace = limit.units_per_second or 0
    reserved_at = clock.monotonic()
    limit.reserve(10 * pace)
    for _ in range(20):
        await clock.advance(0.1)
        limit.used(pace / 10)
    limit.throttled(reserved_at)
    assert (limit.units_per_second or 0) == pytest.approx(SHRINK * pace, rel=0.1)


async def test_a_shrunk_limit_grows_back_and_beyond() -> None:
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    limit.throttled(sent(limit, 1000, clock))
    rates = []
    for _ in range(10):
        await clock.advance(1)
        rates.append(limit.units_per_second or 0)
    assert rates == sorted(rates)
    assert rates[0] < 1000 < rates[-1]


async def test_after_an_outage_a_limit_is_back_within_two_minutes() -> None:
    clock = VirtualClock()
    limit = AdaptiveLimit(clock)
    for _ in range(60):
        limit.throttled(sent(limit, 1, clock))
        await clock.advance(1)
    assert (limit.units_per_second or 0) < 5
    for _ in range(120):
        await clock.advance(1)
        sent(limit, 1, clock)
    assert (limit.units_per_second or 0) > 1000


async def test_one_throttled_partition_key_does_not_slow_another() -> None:
    clock = VirtualClock()
    limits = WriteLimits(clock, waits(clock), None)
    limits.throttled([KEY], await limits.admit({KEY: 100}, 100))
    assert limits.units_per_second(KEY) is not None
    assert limits.units_per_second(("deals", "DEAL")) is None
    await asyncio.wait_for(limits.admit({("deals", "DEAL"): 1e6}, 1e6), 1)


async def test_the_keys_that_are_remembered_are_bounded_and_the_busy_ones_stay() -> None:
    clock = VirtualClock()
    limits = WriteLimits(clock, waits(clock), None)
    limits.throttled([KEY], await limits.admit({KEY: 1}, 1))
    for n in range(2 * TRACKED_KEYS):
        await limits.admit({("leads", str(n)): 1}, 1)
        assert limits.units_per_second(KEY) is not None
    assert len(limits._limits) == TRACKED_KEYS


async def test_every_wait_is_counted_under_its_reason_and_shown_while_it_lasts() -> None:
    clock = VirtualClock()
    counted: list[tuple[Reason, float]] = []
    throttle_waits = ThrottleWaits(clock, lambda reason, seconds: counted.append((reason, seconds)))
    limits = WriteLimits(clock, throttle_waits, 10)
    await limits.admit({KEY: 1}, 20)
    waiting = asyncio.ensure_future(limits.admit({KEY: 1}, 1))
    await clock.advance(1)
    assert throttle_waits.now == ("operator_write_limit",)
    await clock.until(waiting.done)
    assert throttle_waits.now == ()
    assert counted == [("operator_write_limit", 2.0)]
    assert throttle_waits.seconds == {"operator_write_limit": 2.0}


async def test_reads_wait_for_what_the_pages_before_them_cost() -> None:
    clock = VirtualClock()
    reads = ReadLimit(clock, waits(clock), 100)
    reads.settle(await reads.admit(), 50)
    second = asyncio.ensure_future(reads.admit())
    await clock.until(second.done)
    assert clock.monotonic() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "text, units",
    [(1, 1), (1022, 1), (1023, 1), (1024, 2), (2047, 2), (2048, 3), (409_599, 400)],
)
def test_an_item_costs_a_write_unit_for_each_started_kilobyte(text: int, units: int) -> None:
    item = {"a": {"S": "x" * text}}
    assert write_units(item, json_bytes(item)) == units
