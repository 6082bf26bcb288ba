"""Conflicts that were resolved long ago are deleted with their images; whatever is open stays."""

import asyncio
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from service.control.conflicts import Conflict, Conflicts, Resolution
from service.control.table import ControlTable
from service.core.item.write import Put
from service.errors import Retryable
from service.sync.upkeep.expire import LOOK_SECONDS, Expirer
from tests.builders.small_crm import lead, old_key
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

KEEP = 86_400.0


class World:
    """A conflict log in memory, and what deletes from it."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.db = MemoryDynamoDB()
        self.db.create_table("control", ("pk", "sk"))
        self.conflicts = Conflicts(ControlTable(self.db, "control"))
        self.postponed: list[str] = []
        times = SimpleNamespace(keep_resolved_seconds=KEEP)
        self.expirer = Expirer(self.conflicts, self.clock, times, self.postponed.append)

    async def conflict(self, name: str, resolved_at: float | None) -> None:
        conflict = Conflict(name, "old", old_key("LEAD", name), "LEAD", "replaced", (), None, (), 0.0, old=lead(name))
        await self.conflicts.keep(conflict)
        if resolved_at is not None:
            was = await self.conflicts.head(name)
            assert await self.conflicts.resolve(name, was, Resolution("v2", "alice", resolved_at))

    def left(self) -> list[str]:
        """The partitions that have records of conflicts."""
        return [item["pk"]["S"] for item in self.db.items("control") if not item["pk"]["S"].startswith("count#")]


@pytest.fixture
def world() -> World:
    return World()


async def test_what_was_resolved_long_ago_goes_with_its_images_and_the_rest_stays(world: World) -> None:
    now = world.clock.now()
    await world.conflict("long ago", now - KEEP - 1)
    await world.conflict("lately", now - KEEP + 1)
    await world.conflict("open", None)
    assert await world.expirer.expire() == 1
    partitions = {item["pk"]["S"] for item in world.db.items("control")}
    assert partitions == {"conflict", "conflict#open", "conflict_resolved", "conflict#lately", "count#conflict"}
    assert await world.conflicts.load("lately")
    assert await world.conflicts.load("open")


async def test_a_kill_between_the_images_and_the_head_is_made_good(world: World) -> None:
    await world.conflict("long ago", world.clock.now() - KEEP - 1)

    async def die(operation: str, write: object) -> None:
        if operation == "write" and "'S': 'conflict_resolved'" in str(write):
            raise asyncio.CancelledError

    world.db.before = die
    with pytest.raises(asyncio.CancelledError):
        await world.expirer.expire()
    world.db.before = None
    assert await world.expirer.expire() == 1
    assert world.left() == []


async def test_it_looks_again_and_again(world: World) -> None:
    await world.conflict("a", world.clock.now())
    looking = asyncio.create_task(world.expirer.run())
    await world.clock.advance(KEEP + 2 * LOOK_SECONDS)
    assert world.left() == []
    looking.cancel()


async def test_a_damaged_conflict_is_logged_and_stops_nothing(world: World) -> None:
    await world.conflict("a", None)
    head = next(item for item in world.db.items("control") if item["pk"] == {"S": "conflict"})
    world.db.apply(Put("control", {**head, "document": {"S": "{}"}}))
    with capture_logs() as logs:
        looking = asyncio.create_task(world.expirer.run())
        await world.clock.advance(1)
    assert not looking.done()
    assert [entry["event"] for entry in logs] == ["old conflicts are not deleted"]
    looking.cancel()


async def test_trouble_with_the_table_is_for_the_next_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def throttled(_: float) -> int:
        raise Retryable("slow down", reason="throttled")

    monkeypatch.setattr(world.conflicts, "expire", throttled)
    looking = asyncio.create_task(world.expirer.run())
    await world.clock.advance(LOOK_SECONDS + 1)
    assert world.postponed == ["throttled", "throttled"]
    looking.cancel()
