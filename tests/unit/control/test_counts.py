"""The count of quarantine: right after every interleaving, without a list of the keys."""

import asyncio
from collections import Counter

import pytest
from structlog.testing import capture_logs

from service.control.quarantine import PARTITION, Quarantine, QuarantineHead, quarantine_id
from service.control.quarantine_documents import page
from service.control.table import ControlTable
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.errors import Poison
from service.log import LOGGED_AGAIN_SECONDS
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

UNMAPPED = Poison("no such entity", reason="unknown_entity")


class World:
    """A quarantine on a control table in memory."""

    def __init__(self) -> None:
        self.db = MemoryDynamoDB()
        self.db.create_table("control", ("pk", "sk"))
        self.control = ControlTable(self.db, "control")
        self.clock = VirtualClock()
        self.quarantine = Quarantine(self.control, self.clock)

    async def add(self, *numbers: int) -> None:
        await asyncio.gather(*(self.quarantine.add_copy("old", key(number), UNMAPPED) for number in numbers))

    async def add_uncounted(self, number: int) -> None:
        """As an earlier version does."""
        head = QuarantineHead("old", key(number), "r", "m", 0.0, "backfill")
        await self.control.records(PARTITION, QuarantineHead).put(quarantine_id("old", key(number)), head, None)

    async def remove_uncounted(self, number: int) -> None:
        await self.control.records(PARTITION, QuarantineHead).forget(quarantine_id("old", key(number)))

    def add_before_a_count_is_written(self, *numbers: int) -> None:
        """Once, just before a part of the count is next written."""
        come: list[int] = []

        async def arrive(operation: str, subject: object) -> None:
            if operation == "write" and "count#" in str(subject) and not come:
                come.append(1)
                await self.add(*numbers)

        self.db.before = arrive


def key(number: int) -> Item:
    return {"pk": {"S": str(number)}}


@pytest.fixture
def world() -> World:
    return World()


async def test_keys_that_come_and_go_at_once_are_all_counted(world: World) -> None:
    await world.add(*range(60), *range(10))
    assert await world.quarantine.count() == 60
    await asyncio.gather(*(world.quarantine.resolve("old", key(number)) for number in range(0, 60, 2)), world.add(100))
    assert await world.quarantine.count() == 31 == len(await world.quarantine.heads())
    await asyncio.gather(*(world.quarantine.resolve_copy("old", key(number)) for number in range(101)))
    assert await world.quarantine.count() == 0


async def test_the_count_and_a_page_read_nothing_of_the_other_keys(world: World) -> None:
    await world.add(*range(300))
    read: Counter[str] = Counter()

    async def note(operation: str, subject: object) -> None:
        read[operation] += 1

    def refuse(*_: object) -> None:
        raise AssertionError("a list of all keys")

    world.db.before = note
    world.quarantine.heads = world.quarantine.ids = refuse  # type: ignore[method-assign, assignment]
    first = await page(world.quarantine, "", 10)
    second = await page(world.quarantine, first["next"], 10)
    assert (first["count"], len(first["items"]), read) == (300, 10, {"query": 4})
    ids = [item["id"] for item in first["items"] + second["items"]]
    assert ids == sorted(set(ids))


async def test_the_last_page_says_that_it_is_the_last(world: World) -> None:
    await world.add(1, 2, 3)
    assert (await page(world.quarantine, "", 4))["next"] is None
    assert await page(world.quarantine, "f" * 16, 4) == {"count": 3, "items": [], "next": None}


async def test_what_an_earlier_version_has_left_is_counted(world: World) -> None:
    for number in range(40):
        await world.add_uncounted(number)
    await world.add(50)
    assert await world.quarantine.count() == 41
    await world.quarantine.resolve("old", key(0))
    assert await world.quarantine.count() == 40


async def test_a_count_that_an_earlier_version_has_made_wrong_is_corrected(world: World) -> None:
    await world.add(*range(40))
    for number in range(5):
        await world.remove_uncounted(number)
    assert await world.quarantine.count() == 40
    await world.quarantine.ids()
    assert await world.quarantine.count() == 35


async def test_a_key_that_comes_while_the_count_is_corrected_is_not_missed(world: World) -> None:
    await world.add(*range(40))
    for number in range(5):
        await world.remove_uncounted(number)
    world.add_before_a_count_is_written(*range(50, 90))
    for _ in range(2):  # parts that have changed meanwhile are put right the second time
        await world.quarantine.ids()
    assert await world.quarantine.count() == 75 == len(await world.quarantine.heads())


async def test_a_key_that_comes_while_its_part_is_counted_is_not_missed(world: World) -> None:
    for number in range(40):
        await world.add_uncounted(number)
    world.add_before_a_count_is_written(*range(50, 90))
    assert await world.quarantine.count() == 80


async def test_the_first_key_of_each_reason_in_a_minute_is_said_and_its_key_at_level_debug_only() -> None:
    world = World()
    clock = world.clock
    with capture_logs() as logs:
        for number in range(20):
            change = Change("old", "s", str(number + 1), key(number), None, key(number))
            await world.quarantine.add_change(WaitingChange(change, 1), UNMAPPED)
        await clock.advance(LOGGED_AGAIN_SECONDS)
        change = Change("old", "s", "99", key(99), None, key(99))
        await world.quarantine.add_change(WaitingChange(change, 1), UNMAPPED)
    said = [entry for entry in logs if entry["log_level"] == "warning"]
    assert [(entry["reason"], entry["table"]) for entry in said] == [("unknown_entity", "old")] * 2
    assert all("key" not in entry for entry in said)
