"""The simulated sync: what arithmetic says, conservation, and what a failure or a burst does."""

from dataclasses import replace

import pytest

from bench.scale.changes import Arrivals, fair_level, simulate_sync
from bench.scale.sync_plan import Burst, Outage, SyncPlan
from service.core.shards import RETENTION_SECONDS

ALIKE = SyncPlan(shards=40, shard_skew=0.0, tasks=2, changes_per_second=2_000.0, hours=2.0, apply_seconds=452e-6)
"""With a cost of its own, so that what the simulation shows does not depend on the latest benchmark."""
BURST = Burst(begin=600.0, seconds=600.0, factor=4.0)


def test_with_capacity_to_spare_there_is_no_lag_and_everything_is_applied() -> None:
    found = simulate_sync(ALIKE)
    assert found.worst_lag_seconds == pytest.approx(0.0, abs=1e-6)
    assert found.applied == pytest.approx(found.arrived)


def test_after_an_outage_it_catches_up_when_the_arithmetic_says() -> None:
    found = simulate_sync(replace(ALIKE, outage=Outage(600.0, 900.0, all_tasks=True)))
    assert found.worst_lag_seconds == pytest.approx(900.0, abs=2 * ALIKE.step_seconds)
    load = ALIKE.load
    assert found.caught_up_seconds(1_500.0) == pytest.approx(900.0 * load / (1 - load), rel=0.05)


def test_a_failed_task_holds_up_its_own_shards_only_and_applies_a_little_again() -> None:
    one = simulate_sync(replace(ALIKE, outage=Outage(600.0, 300.0)))
    every = simulate_sync(replace(ALIKE, outage=Outage(600.0, 300.0, all_tasks=True)))
    assert one.redone == pytest.approx(every.redone / 2)
    assert one.redone == pytest.approx(ALIKE.changes_per_second / 2)
    assert one.applied == pytest.approx(one.arrived)


def test_lag_grows_by_the_arithmetic_until_changes_are_trimmed() -> None:
    plan = replace(ALIKE, changes_per_second=8_000.0, hours=200.0, step_seconds=300.0)
    found = simulate_sync(plan)
    assert plan.load > 1
    assert found.trimmed_seconds == pytest.approx(RETENTION_SECONDS * plan.load / (plan.load - 1), rel=0.01)


def test_a_burst_within_capacity_leaves_no_lag_and_one_beyond_it_is_worked_off() -> None:
    small = simulate_sync(replace(ALIKE, burst=replace(BURST, factor=1.5)))
    large = simulate_sync(replace(ALIKE, burst=BURST))
    assert small.worst_lag_seconds < ALIKE.step_seconds
    assert large.worst_lag_seconds > 60
    assert large.applied == pytest.approx(large.arrived)


def test_the_busiest_shard_falls_behind_further_than_the_average() -> None:
    outage = Outage(600.0, 900.0, all_tasks=True)
    uneven = simulate_sync(replace(ALIKE, shard_skew=1.0, outage=outage))
    assert uneven.worst_lag_seconds > 1_000.0


def test_what_one_process_asks_grows_with_its_shards() -> None:
    one = replace(ALIKE, tasks=1)
    assert replace(one, shards=80).looks_cpu == pytest.approx(2 * one.looks_cpu)
    assert replace(one, shards=80).requests_cpu == pytest.approx(2 * one.requests_cpu)


def test_arrivals_and_their_moments_are_each_others_inverse() -> None:
    arrivals = Arrivals(BURST)
    for moment in (0.0, 300.0, 600.0, 900.0, 1_200.0, 5_000.0):
        assert arrivals.moment(arrivals.by(moment)) == pytest.approx(moment)
    assert arrivals.by(1_200.0) == 600 + 4 * 600


def test_who_wants_little_does_not_wait_for_who_wants_much() -> None:
    assert fair_level([1.0, 2.0, 30.0], 9.0) == 6.0
    assert fair_level([1.0, 2.0, 3.0], 9.0) == 3.0
    assert fair_level([4.0, 30.0, 30.0], 9.0) == 3.0
