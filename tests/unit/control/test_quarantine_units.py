"""Quarantine by unit, as `dual` has it: which units of a key wait, and how they leave."""

import asyncio

import pytest

from service.control.quarantine import Quarantine, QuarantineHead, quarantine_id
from service.control.quarantine_documents import described
from service.control.table import ControlTable
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.rules.units import ELEMENT
from service.errors import Fenced, Poison
from tests.builders.small_crm import lead, old_key
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

KEY = old_key("LEAD", "a")
ID = quarantine_id("old", KEY)
POISON = Poison("its fields lead to another key", reason="v2_key_mismatch")
WHOLE = ""
LATEST = "9999"
"""Above the version of every change."""


class World:
    """A quarantine, to which changes of one lead are added."""

    def __init__(self) -> None:
        self.db = MemoryDynamoDB()
        self.db.create_table("control", ("pk", "sk"))
        self.quarantine = Quarantine(ControlTable(self.db, "control"), VirtualClock())

    async def add(self, number: int, *units: str) -> None:
        await self.quarantine.add_change(waiting(number), POISON, units=units)

    async def heal(self, *units: str) -> bool:
        return await self.quarantine.heal("old", KEY, units, LATEST)

    async def head(self) -> QuarantineHead | None:
        return (await self.quarantine.heads_of([ID])).get(ID)

    async def units(self) -> tuple[str, ...] | None:
        """The units that wait; None: the key is not in quarantine."""
        head = await self.head()
        return head.units if head is not None else None


def waiting(number: int) -> WaitingChange:
    return WaitingChange(Change("old", "shard", str(number), KEY, lead("a"), lead("a", n={"N": str(number)})), 1)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_unit_stays_when_a_later_change_waits_with_it_and_only_that_one_counts(world: World) -> None:
    await world.add(1, "status")
    known = waiting(1).version
    await world.add(2, "status", "created_at")
    assert not await world.quarantine.heal("old", KEY, ("status",), known)
    head = await world.head()
    assert head is not None
    assert (head.units, head.since["status"]) == (("created_at", "status"), known)


async def test_a_unit_that_waits_again_does_not_count_the_changes_before(world: World) -> None:
    await world.add(1, "status", "created_at")
    assert not await world.heal("status")
    await world.add(2, "status")
    head = await world.head()
    assert head is not None
    assert head.since == {"status": waiting(1).version}


async def test_the_whole_item_stays_when_a_later_change_waits_with_it(world: World) -> None:
    await world.add(1)
    await world.add(2)
    assert not await world.quarantine.heal("old", KEY, (WHOLE,), waiting(1).version)
    assert await world.units() == ()
    assert await world.quarantine.changes(ID) == [waiting(2)]


async def test_units_of_later_changes_wait_beside_those_that_wait_already(world: World) -> None:
    await world.add(1, "status")
    await world.add(2, "created_at", "status")
    head = await world.head()
    assert head is not None
    assert (head.units, head.waiting, head.reason) == (("created_at", "status"), 2, "v2_key_mismatch")
    assert await world.quarantine.changes(ID) == [waiting(1), waiting(2)]


async def test_a_replay_waits_once(world: World) -> None:
    await world.add(1, "status")
    await world.add(1, "status")
    assert len(await world.quarantine.changes(ID)) == 1


@pytest.mark.parametrize("changes", [[(), ("status",)], [("status",), ()]])
async def test_with_one_change_of_the_whole_item_the_whole_item_waits(
    world: World, changes: list[tuple[str, ...]]
) -> None:
    for number, units in enumerate(changes):
        await world.add(number + 1, *units)
    assert await world.units() == ()


async def test_what_the_backfill_could_not_copy_waits_as_a_whole(world: World) -> None:
    await world.quarantine.add_copy("old", KEY, POISON)
    await world.add(1, "status")
    head = await world.head()
    assert head is not None
    assert (head.units, head.origin, head.waiting) == ((), "stream", 1)


async def test_a_unit_that_is_healed_leaves_and_the_others_wait_on(world: World) -> None:
    """The former rule took the key out when another field was written, and the waiting change was lost."""
    await world.add(1, "created_at", "status")
    assert not await world.heal("status")
    assert await world.units() == ("created_at",)
    assert await world.quarantine.changes(ID) == [waiting(1)]


async def test_with_its_last_unit_the_key_leaves_quarantine(world: World) -> None:
    await world.add(1, "created_at")
    await world.add(2, "status")
    assert not await world.heal("created_at")
    assert await world.heal("status")
    assert (await world.units(), await world.quarantine.changes(ID)) == (None, [])


async def test_units_that_do_not_wait_heal_nothing(world: World) -> None:
    await world.add(1, "created_at")
    before = world.db.items("control")
    assert not await world.heal("status")
    assert not await world.heal(WHOLE)
    assert not await world.heal()
    assert world.db.items("control") == before


async def test_a_whole_item_leaves_only_as_a_whole(world: World) -> None:
    await world.add(1)
    assert not await world.heal("status")
    assert await world.units() == ()
    assert await world.heal(WHOLE)
    assert await world.units() is None


async def test_units_that_cannot_be_carried_with_the_rest_of_a_whole_item_wait_on(world: World) -> None:
    await world.add(1)
    await world.add(2, "created_at")
    assert not await world.quarantine.heal("old", KEY, (WHOLE,), LATEST, ("created_at",))
    assert await world.units() == ("created_at",)
    assert len(await world.quarantine.changes(ID)) == 2
    assert await world.heal("created_at")


async def test_more_units_of_a_change_that_waits_already_wait_with_it(world: World) -> None:
    """A worker has crashed, and the change is decided again while v2 has changed."""
    await world.add(1, "status")
    await world.add(1, "created_at")
    head = await world.head()
    assert head is not None
    assert (head.units, head.waiting) == (("created_at", "status"), 1)


async def test_a_retry_that_fails_in_the_same_way_is_not_counted_when_it_is_made_by_itself(world: World) -> None:
    await world.add(1, "status")
    await world.quarantine.note_failure(ID, POISON, repeated=True)
    head = await world.head()
    assert head is not None
    assert head.attempts == 0
    await world.quarantine.note_failure(ID, POISON)
    await world.quarantine.note_failure(ID, Poison("otherwise", reason="too_big"), repeated=True)
    head = await world.head()
    assert head is not None
    assert (head.attempts, head.reason) == (2, "too_big")


async def test_a_key_that_is_not_in_quarantine_has_left_it(world: World) -> None:
    assert await world.heal("status")


async def test_a_change_that_comes_while_the_last_unit_is_healed_is_kept(world: World) -> None:
    """It is of another unit: to be decided again by whoever heals."""
    await world.add(1, "status")
    come: list[int] = []

    async def arrive(operation: str, subject: object) -> None:
        if operation == "transact" and "Delete" in str(subject) and "count#" in str(subject) and not come:
            come.append(2)
            await world.add(2, "created_at")

    world.db.before = arrive
    assert not await world.heal("status")
    world.db.before = None
    assert await world.units() == ("created_at",)
    assert await world.quarantine.changes(ID) == [waiting(2)]


async def test_two_that_heal_different_units_at_once_heal_both(world: World) -> None:
    await world.add(1, "created_at", "status")
    assert True in await asyncio.gather(world.heal("created_at"), world.heal("status"))
    assert await world.units() is None


async def test_a_worker_that_has_lost_its_lease_puts_nothing_in_quarantine(world: World) -> None:
    def fenced() -> None:
        raise Fenced("superseded")

    with pytest.raises(Fenced):
        await world.quarantine.add_change(waiting(1), POISON, fenced, ("status",))
    assert await world.units() is None


async def test_people_are_shown_the_fields_that_wait(world: World) -> None:
    await world.add(1, f'tags{ELEMENT}{{"S":"a"}}', f'tags{ELEMENT}{{"S":"b"}}', "status")
    head = await world.head()
    assert head is not None
    assert described(ID, head)["fields"] == ["status", "tags"]
