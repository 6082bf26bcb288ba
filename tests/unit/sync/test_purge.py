"""The purger: each of the four conditions holds a tombstone back, and a re-created item is never taken."""

import asyncio
from dataclasses import replace

import pytest

from service.control.repairs import registered
from service.control.state import change_state, in_forward
from service.control.table import ControlTable
from service.core.item.write import Delete, Update
from service.core.rules.guarded import copy_write
from service.errors import Fenced, Retryable
from tests.builders.small_crm import MAPPING, lead, lead_key
from tests.fakes.clocks import settle
from tests.worlds.sync_world import Owner, SyncWorld

GRACE, HORIZON = 900.0, 20.0


class PurgeWorld(SyncWorld):
    """A lead that was deleted, the tombstone that stands for it, and a purger that knows of it."""

    async def begin(self, owner: Owner | None = None) -> None:
        self.purge = self.purger(owner)
        sink = self.sink()
        await sink.apply("shard", [self.put(lead("a")), self.delete("a")])
        for put in self.tombstones:
            self.purge.add(put)

    async def finish_backfill(self, at: float | None = 1.0) -> None:
        await change_state(
            self.control,
            MAPPING,
            0.0,
            lambda state: replace(in_forward(state, 0.0), backfill_finished_at=at),
        )

    async def wait(self, seconds: float, step: float = 10.0) -> int:
        """Let time pass with a look at every step; how many were purged."""
        purged = 0
        for _ in range(int(seconds // step)):
            await self.clock.advance(step)
            purged += await self.purge.purge_due()
        return purged

    @property
    def tombstone_is_there(self) -> bool:
        return self.db.item("leads", lead_key("a")) is not None


@pytest.fixture
async def world() -> PurgeWorld:
    return PurgeWorld()


async def test_a_tombstone_goes_once_everything_holds(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    assert await world.wait(GRACE - 20) == 0
    assert await world.wait(40) == 1
    assert not world.tombstone_is_there
    assert world.counts["purged"] == 1


async def test_it_waits_for_the_backfill_and_its_late_workers(world: PurgeWorld) -> None:
    await world.begin()
    world.rounds = 2
    assert await world.wait(GRACE + 100) == 0
    await world.finish_backfill()
    assert await world.wait(HORIZON, step=1) == 0
    assert await world.wait(10, step=1) == 1


async def test_a_backfill_that_walks_again_is_waited_for_again(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE - 100)
    await world.finish_backfill(at=None)
    assert await world.wait(500) == 0
    await world.finish_backfill(at=2.0)
    assert await world.wait(HORIZON, step=1) == 0
    assert await world.wait(10, step=1) == 1


async def test_a_backfill_that_finished_anew_between_two_looks_starts_its_horizon_anew(
    world: PurgeWorld,
) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE - 100)
    await world.finish_backfill(at=2.0)
    await world.clock.advance(200)
    assert await world.purge.purge_due() == 0


async def test_it_waits_until_two_rounds_have_passed_the_tombstone(world: PurgeWorld) -> None:
    await world.finish_backfill()
    world.rounds = 7
    await world.begin()
    world.rounds = 8
    assert await world.wait(GRACE + 100) == 0
    world.rounds = 9
    assert await world.wait(10) == 1


async def test_it_waits_until_no_superseded_owner_can_write(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin(Owner(held_since=GRACE))
    world.rounds = 2
    assert await world.wait(GRACE + HORIZON - 10) == 0
    assert await world.wait(20) == 1


async def test_it_waits_for_a_repair_begun_before_the_tombstone(world: PurgeWorld) -> None:
    world.horizon_seconds = GRACE + 100
    await world.finish_backfill()
    await world.begin(Owner(held_since=-world.horizon_seconds))
    await world.purge.purge_due()
    repairing = asyncio.create_task(_repair(world.control, world, world.horizon_seconds))
    await world.clock.advance(10)
    await world.sink().apply("shard", [world.put(lead("a")), world.delete("a")])
    world.purge.add(world.tombstones[-1])
    world.rounds = 2
    assert await world.wait(GRACE + 100) == 0
    assert await world.wait(30) == 1
    repairing.cancel()


async def test_a_repair_begun_after_the_tombstone_holds_nothing_back(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE - 20)
    repairing = asyncio.create_task(_repair(world.control, world, HORIZON))
    await settle()
    assert await world.wait(40) == 1
    repairing.cancel()


async def test_a_repair_whose_worker_died_counts_for_the_horizon_only(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.control.records("repair", dict).save("dead", {"owner": "killed"})
    await world.begin()
    world.rounds = 2
    assert await world.wait(GRACE + 20) == 1


async def test_an_item_created_again_is_not_taken(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.sink().apply("shard", [world.put(lead("a"))])
    assert await world.wait(GRACE + 20) == 0
    assert world.v2("a") is not None
    assert world.counts["changed"] == 1


async def test_an_attribute_that_the_application_put_on_a_tombstone_is_not_taken(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    world.db.apply(Update("leads", lead_key("a"), {"nobody_maps_this": {"S": "x"}}))
    assert await world.wait(GRACE + 20) == 0
    found = world.db.item("leads", lead_key("a"))
    assert found is not None
    assert found["nobody_maps_this"] == {"S": "x"}
    assert world.counts["changed"] == 1


async def test_it_waits_as_long_as_the_network_may_hold_a_copy_of_the_backfill(world: PurgeWorld) -> None:
    world.held_seconds = 960.0
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE + 100)
    await world.finish_backfill()
    assert await world.wait(HORIZON + 930) == 0
    held = copy_write(MAPPING, lead("a"), 1)
    assert not await world.db.write(held)
    assert await world.wait(50) == 1


async def test_an_item_created_and_deleted_again_waits_its_whole_time_again(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE - 100)
    world.tombstones.clear()
    await world.sink().apply("shard", [world.put(lead("a")), world.delete("a")])
    world.purge.add(world.tombstones[0])
    world.rounds = 4
    assert await world.wait(GRACE - 20) == 0
    assert await world.wait(30) == 1


async def test_a_superseded_owner_purges_nothing(world: PurgeWorld) -> None:
    await world.finish_backfill()
    owner = Owner()
    await world.begin(owner)
    world.rounds = 2
    await world.wait(GRACE - 20)
    owner.valid = False
    with pytest.raises(Fenced):
        await world.wait(40)
    assert world.tombstone_is_there


async def test_the_sweep_finds_what_a_restart_forgot_and_gives_it_its_whole_time(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    await world.wait(GRACE - 100)
    world.purge = world.purger()
    await world.purge.sweep()
    world.rounds = 2
    assert await world.wait(GRACE - 20) == 0
    assert await world.wait(40) == 1


async def test_the_sweep_does_not_restart_the_time_of_what_is_known(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    await world.wait(GRACE - 50)
    await world.purge.sweep()
    assert await world.wait(60) == 1


async def test_live_items_are_never_swept_up(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    await world.sink().apply("shard", [world.put(lead("b"))])
    world.purge = world.purger()
    await world.purge.sweep()
    world.rounds = 2
    assert await world.wait(GRACE + 20) == 1
    assert world.v2("b") is not None


async def test_a_full_queue_drops_what_the_sweep_finds_again(
    world: PurgeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.sync.upkeep.purge.QUEUE_TOMBSTONES", 1)
    await world.finish_backfill()
    sink = world.sink()
    world.purge = world.purger()
    for name in "ab":
        await sink.apply("shard", [world.put(lead(name)), world.delete(name)])
    for put in world.tombstones:
        world.purge.add(put)
    assert world.counts["overflow"] == 1
    world.rounds = 2
    assert await world.wait(GRACE + 20) == 1
    await world.purge.sweep()
    world.rounds = 4
    assert await world.wait(GRACE + 20) == 1


async def test_run_sweeps_looks_and_goes_on_after_passing_trouble(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    failed: list[object] = []

    async def fail_once(operation: str, subject: object) -> None:
        if operation == "get" and not failed:
            failed.append(subject)
            raise Retryable("throttled", reason="throttled")

    world.db.before = fail_once
    running = asyncio.create_task(world.purge.run())
    await world.clock.advance(GRACE + 20)
    assert not world.tombstone_is_there
    assert world.counts["throttled"] == 1
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def _repair(control: ControlTable, world: SyncWorld, seconds: float) -> None:
    async with registered(control, world.clock, "validator", seconds):
        await asyncio.Event().wait()


async def test_a_tombstone_written_while_its_predecessor_is_purged_is_kept_in_mind(world: PurgeWorld) -> None:
    await world.finish_backfill()
    await world.begin()
    world.rounds = 2
    arrived: list[object] = []

    async def delete_again(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) and not arrived:
            arrived.append(subject)
            world.tombstones.clear()
            await world.sink().apply("shard", [world.put(lead("a")), world.delete("a")])
            world.purge.add(world.tombstones[0])

    world.db.before = delete_again
    assert await world.wait(GRACE + 20) == 0
    assert arrived
    world.rounds = 4
    assert await world.wait(GRACE + 20) == 1
