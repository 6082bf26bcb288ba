"""Real runs move every counter, and create no series that did not exist from the start."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import isnan

import pytest

from service.control.state import change_state, in_forward
from service.core.item.write import Put
from service.core.rules.guarded import copy_write
from service.dynamodb.client import DynamoDBClient
from service.errors import Throttled
from service.migration.start import create_and_start
from service.migration.status.gauges import MigrationGauges
from service.migration.status.snapshot import log_status
from service.sync.worker import sync_lanes
from service.telemetry.metrics import Metrics
from tests.builders.planes import WaitlessClock, fixed_credentials, plane_settings
from tests.builders.small_crm import GENERATION, MAPPING, lead, lead_key, old_key, v2_of
from tests.fakes.clocks import VirtualClock
from tests.fakes.scripted_endpoint import answer, error, fault_server
from tests.worlds.backfill_world import BAD, Throttling
from tests.worlds.backfill_world import World as BackfillWorld
from tests.worlds.start_world import Started
from tests.worlds.sync_world import SyncWorld, bad

Samples = dict[str, float]


def samples(metrics: Metrics) -> Samples:
    """Every sample by name and labels."""
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if family.name.startswith("tablesplit_")
    }


def moved(before: Samples, after: Samples) -> set[str]:
    """The samples that a run has changed."""
    return {name for name, value in after.items() if value != before[name] and not isnan(value)}


async def applied(metrics: Metrics) -> None:
    """The guarded rule: a lead and a replay of it, a bad item that is deleted, and a tombstone that is purged."""
    world = SyncWorld(metrics=metrics)
    await change_state(world.control, MAPPING, 0.0, lambda was: replace(in_forward(was, 0.0), backfill_finished_at=1.0))
    purger, created = world.purger(), world.put(lead("a"))
    changes = [created, world.delete("a"), world.put(bad("b"))]
    await world.sink().apply("shard", changes)
    await world.sink().apply("shard", [created])
    await world.sink().apply("shard", [world.delete("b")])
    await world.retry().retry(world.id("b"))
    for put in world.tombstones:
        purger.add(put)
    world.rounds = 2
    await purger.purge_due()
    await world.clock.advance(1000)
    await purger.purge_due()


async def copied(metrics: Metrics) -> None:
    """A backfill against a slow target, by limits of its own: copied, present and bad items."""
    clock = VirtualClock()
    world = BackfillWorld(clock, Throttling(clock, allowed=3), metrics=metrics)
    world.fill(60)
    world.put(BAD)
    world.db.apply(copy_write(MAPPING, lead("0001"), GENERATION))
    await world.run(max_write_units=20.0, max_read_units=20.0)


async def synced(metrics: Metrics) -> None:
    """Both lanes: an old change forward, by the guarded rule, and then a v2 change back, by that of the ledger."""
    world = Started()
    world.app.metrics = metrics  # type: ignore[misc]  # a stand-in
    throttled = iter([Throttled("too much")])

    async def throttle_once(operation: str, _: object) -> None:
        if operation == "get_records":
            for trouble in throttled:
                raise trouble

    await create_and_start(world.app)
    world.db.before = throttle_once
    async with sync_lanes(world.app, log_status(world.app)):
        world.db.apply(Put("old", lead("a")))
        await world.clock.until(lambda: world.db.item("leads", lead_key("a")) is not None)
        await change_state(world.control, MAPPING, 0.0, lambda was: replace(was, phase="dual", rule="ledger", epoch=1))
        await world.clock.advance(30)
        world.db.apply(Put("leads", v2_of(lead("b"), _sync=None)))
        await world.clock.until(lambda: world.db.item("old", old_key("LEAD", "b")) is not None)
        await world.clock.advance(30)


async def asked(metrics: Metrics) -> None:
    """The data plane, against a server that throttles and tells what it has consumed."""
    consumed = {"ConsumedCapacity": {"TableName": "leads", "CapacityUnits": 1.0}}
    async with fault_server(error("ThrottlingException"), answer(consumed), answer(consumed)) as server:
        clock = WaitlessClock()
        opened = DynamoDBClient.open(plane_settings(server.url), metrics, clock, credentials=fixed_credentials(clock))
        async with opened as plane:
            await plane.write(Put("leads", lead_key("a")))
            await plane.get("leads", lead_key("a"))


RUNS: list[tuple[Callable[[Metrics], Awaitable[None]], set[str]]] = [
    (
        applied,
        {
            "tablesplit_writes_total[('direction', 'forward'), ('outcome', 'applied')]",
            "tablesplit_writes_total[('direction', 'forward'), ('outcome', 'stale')]",
            "tablesplit_writes_total[('direction', 'forward'), ('outcome', 'quarantined')]",
            "tablesplit_quarantine_left_total[('outcome', 'superseded')]",
            "tablesplit_tombstones_total[('outcome', 'purged')]",
        },
    ),
    (
        copied,
        {
            "tablesplit_backfill_items_total[('outcome', 'copied')]",
            "tablesplit_backfill_items_total[('outcome', 'present')]",
            "tablesplit_backfill_items_total[('outcome', 'quarantined')]",
            "tablesplit_wait_seconds_total[('reason', 'operator_read_limit')]",
            "tablesplit_wait_seconds_total[('reason', 'operator_write_limit')]",
            "tablesplit_wait_seconds_total[('reason', 'partition_throttled')]",
        },
    ),
    (
        synced,
        {
            "tablesplit_writes_total[('direction', 'forward'), ('outcome', 'applied')]",
            "tablesplit_writes_total[('direction', 'reverse'), ('outcome', 'applied')]",
            "tablesplit_retries_total[('reason', 'throttled')]",
            "tablesplit_apply_lag_seconds_count[('direction', 'forward')]",
            "tablesplit_apply_lag_seconds_count[('direction', 'reverse')]",
            "tablesplit_read_lag_seconds[('direction', 'forward')]",
            "tablesplit_read_lag_seconds[('direction', 'reverse')]",
            "tablesplit_ready[]",
        },
    ),
    (
        asked,
        {
            "tablesplit_requests_total[('operation', 'PutItem'), ('result', 'throttled')]",
            "tablesplit_requests_total[('operation', 'PutItem'), ('result', 'ok')]",
            "tablesplit_requests_total[('operation', 'GetItem'), ('result', 'ok')]",
            "tablesplit_request_seconds_count[('operation', 'PutItem')]",
            "tablesplit_retries_total[('reason', 'throttled')]",
            "tablesplit_consumed_capacity_units_total[('kind', 'write'), ('table', 'leads')]",
            "tablesplit_consumed_capacity_units_total[('kind', 'read'), ('table', 'leads')]",
        },
    ),
]


@pytest.mark.parametrize(("run", "expected"), RUNS, ids=[run.__name__ for run, _ in RUNS])
async def test_a_run_moves_what_it_should_and_adds_no_series(
    run: Callable[[Metrics], Awaitable[None]], expected: set[str]
) -> None:
    metrics = Metrics(("leads",))
    metrics.set_build("1", "x")
    before = samples(metrics)
    await run(metrics)
    after = samples(metrics)
    assert expected <= moved(before, {name: after[name] for name in before})
    new = {name.split("[")[0] for name in after.keys() - before.keys()}
    metrics.show(MigrationGauges(None))
    gauges = {name.split("[")[0] for name in samples(metrics).keys() - before.keys()}
    assert new <= gauges | {"tablesplit_gate_condition_met"}  # of the migration, which a sync has on top


def test_the_runs_move_every_metric_of_a_process() -> None:
    metrics = Metrics(("leads",))
    suffixes = {"counter": "_total", "histogram": "_count"}
    ours = {
        family.name + suffixes.get(family.type, "")
        for family in metrics.registry.collect()
        if family.name.startswith("tablesplit_") and family.type != "info"
    }
    assert ours == {name.split("[")[0] for _, expected in RUNS for name in expected}
