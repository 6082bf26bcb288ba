"""Repairs under way: how old one counts for who watches, and how long one that died is waited for."""

import pytest

from service.control.repairs import RepairWatch, registered
from service.control.table import ControlTable
from service.errors import Fenced
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def control() -> ControlTable:
    store = MemoryDynamoDB()
    store.create_table("control", ["pk", "sk"])
    return ControlTable(store, "control")


async def test_a_repair_may_have_begun_right_after_the_previous_look(
    control: ControlTable, clock: VirtualClock
) -> None:
    watch = RepairWatch(control, clock, 100)
    assert await watch.oldest_age() is None
    await clock.advance(10)
    async with registered(control, clock, "validator", 60):
        assert await watch.oldest_age() == 10
        await clock.advance(5)
        assert await watch.oldest_age() == 15
    assert await watch.oldest_age() is None


async def test_a_repair_found_at_the_first_look_is_older_than_everything(
    control: ControlTable, clock: VirtualClock
) -> None:
    async with registered(control, clock, "validator", 60):
        assert await RepairWatch(control, clock, 100).oldest_age() == float("inf")


async def test_the_oldest_of_several_counts(control: ControlTable, clock: VirtualClock) -> None:
    watch = RepairWatch(control, clock, 100)
    await watch.oldest_age()
    async with registered(control, clock, "first", 60):
        await clock.advance(10)
        await watch.oldest_age()
        async with registered(control, clock, "second", 60):
            assert await watch.oldest_age() == 10
        assert await watch.oldest_age() == 10


async def test_a_repair_whose_worker_died_is_waited_for_a_horizon_from_when_it_was_seen(
    control: ControlTable, clock: VirtualClock
) -> None:
    watch = RepairWatch(control, clock, 100)
    await control.records("repair", dict).save("dead", {"owner": "killed"})
    await watch.oldest_age()
    await clock.advance(99)
    assert await watch.oldest_age() is not None
    assert list(await control.records("repair", dict).all()) == ["dead"]
    await clock.advance(1)
    assert await watch.oldest_age() is None
    assert await control.records("repair", dict).all() == {}


async def test_a_repair_stops_at_its_deadline_and_is_taken_off(control: ControlTable, clock: VirtualClock) -> None:
    async def late_repair() -> None:
        async with registered(control, clock, "validator", 6) as fence:
            fence()
            await clock.advance(6)
            fence()

    with pytest.raises(Fenced, match="repair of validator took longer than 6 s"):
        await late_repair()
    assert await control.records("repair", dict).all() == {}
