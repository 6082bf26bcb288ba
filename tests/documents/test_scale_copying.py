"""The simulated backfill: where arithmetic gives the answer it gives the same, and nothing is left out."""

from dataclasses import replace

import pytest

from bench.scale.copy_experiments import by_request
from bench.scale.copy_plan import CopyPlan
from bench.scale.copying import segment_sizes, simulate_copy
from bench.scale.limits import PARTITION_WRITE_UNITS_PER_SECOND
from bench.scale.partitions import Partition, Splitting, able_to_be_hot, zipf
from bench.scale.simulated_time import SimulatedClock

EVEN = CopyPlan(
    items=10_000_000,
    shares=(1e-5,),
    tasks=4,
    segments=64,
    mean_life_seconds=None,
    start_seconds=0.0,
    bundle_windows=20,
    copy_seconds=141e-6,
)
"""With a cost of its own, so that what the simulation shows does not depend on the latest benchmark."""
ONE_KEY = replace(EVEN, items=1_000_000, tasks=1, shares=(1.0,), send_seconds=0.2, slack_seconds=1.0, bundle_windows=5)
FAILING = replace(EVEN, mean_life_seconds=60.0, start_seconds=10.0)


def test_when_cpu_is_short_it_takes_the_items_times_what_one_costs() -> None:
    found = simulate_copy(replace(EVEN, write_units_per_second=1e6))
    assert found.seconds == pytest.approx(EVEN.items * EVEN.copy_seconds / EVEN.tasks, rel=0.02)
    assert found.cpu_share > 0.98


def test_when_capacity_is_short_it_takes_the_units_over_the_budget() -> None:
    found = simulate_copy(replace(EVEN, write_units_per_second=30_000.0))
    assert found.seconds == pytest.approx(EVEN.items * 3 / 30_000, rel=0.02)


def test_the_hottest_key_bounds_the_duration_and_the_backfills_own_limits_come_close() -> None:
    found = simulate_copy(ONE_KEY)
    floor = ONE_KEY.items / PARTITION_WRITE_UNITS_PER_SECOND
    assert found.plan.floor_seconds == floor
    assert floor - ONE_KEY.slack_seconds <= found.seconds < 1.2 * floor
    assert found.tally.throttled > 0


def test_twice_as_hot_takes_twice_as_long() -> None:
    half = simulate_copy(replace(ONE_KEY, shares=(0.5,)))
    assert simulate_copy(ONE_KEY).seconds == pytest.approx(2 * half.seconds, rel=0.1)


def test_a_key_that_is_split_for_heat_is_copied_sooner() -> None:
    split = simulate_copy(replace(ONE_KEY, splitting=Splitting(after_seconds=60.0, most=8)))
    assert split.partitions == 8
    assert split.seconds < 0.5 * simulate_copy(ONE_KEY).seconds


@pytest.mark.parametrize("plan", [EVEN, FAILING, ONE_KEY, replace(FAILING, tasks=7, segments=100, items=9_999_991)])
def test_every_item_is_saved_once_and_written_at_least_once(plan: CopyPlan) -> None:
    found = simulate_copy(plan)
    units = found.tally.written_units / (plan.places * plan.write_units)
    assert found.tally.saved == plan.items
    assert plan.items * 0.999999 <= units <= plan.items + found.tally.redone + 1


def test_failures_cost_the_takeovers_and_what_was_in_flight() -> None:
    calm, failing = simulate_copy(replace(FAILING, mean_life_seconds=None)), simulate_copy(FAILING)
    assert calm.tally.redone == calm.tally.failures == 0
    assert failing.tally.failures > 0
    assert failing.tally.redone > 0
    assert failing.seconds > calm.seconds
    each = FAILING.lease_seconds + FAILING.start_seconds
    assert failing.tally.takeover_seconds == pytest.approx(each * failing.tally.failures)


def test_the_grain_of_the_simulation_does_not_decide_the_result() -> None:
    fine = simulate_copy(replace(EVEN, bundle_windows=2))
    assert simulate_copy(replace(EVEN, bundle_windows=100)).seconds == pytest.approx(fine.seconds, rel=0.04)


def test_request_by_request_a_hot_partition_is_never_used_beyond_what_it_takes() -> None:
    plan = replace(ONE_KEY, items=200_000, by_request=True, bundle_windows=1, send_seconds=600.0)
    found = simulate_copy(plan)
    assert found.tally.saved == plan.items
    assert found.seconds >= plan.floor_seconds - plan.slack_seconds


def test_eight_tasks_use_a_hot_partition_to_85_percent() -> None:
    plan = replace(by_request(8), items=450_000)
    assert plan.floor_seconds / simulate_copy(plan).seconds >= 0.85


def test_the_same_plan_gives_the_same_result() -> None:
    assert simulate_copy(FAILING) == simulate_copy(FAILING)


def test_the_slices_hold_every_item_once() -> None:
    plan = replace(EVEN, items=1_000_003, segments=10, tasks=3)
    sizes = [segment_sizes(plan, task) for task in range(3)]
    assert [len(slice_) for slice_ in sizes] == [4, 3, 3]
    assert sum(map(sum, sizes)) == plan.items


def test_shares_follow_zipf_and_only_what_exceeds_the_limit_can_be_hot() -> None:
    assert zipf(2, 1.0) == pytest.approx((2 / 3, 1 / 3))
    assert able_to_be_hot((0.5, 0.3, 0.2), 4_000, 1_000) == (0.5, 0.3)


def test_a_partition_takes_its_rate_and_refuses_the_rest() -> None:
    clock = SimulatedClock()
    partition = Partition(clock, slack_seconds=1.0)
    assert partition.take(1_500) == 500
    clock.run(clock.start(clock.sleep(0.25)))
    assert partition.take(300) == pytest.approx(50)
