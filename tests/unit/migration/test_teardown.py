"""Dropping what tablesplit made, and the processes that must not run meanwhile."""

from dataclasses import replace
from typing import Any

import pytest

from service.control.engine import put_embedded_in_force, put_kcl_in_force
from service.control.leases import Lease
from service.control.state import Move, change_state
from service.control.workers import SILENT_SECONDS, Beat, Workers
from service.core.item.write import Put
from service.errors import Refused
from service.migration.start import create_and_start
from service.migration.teardown import drop_all
from service.streams.kcl.lease_table import KEY, OWNER_MARK
from tests.worlds.start_world import Started


def droppable(world: Started) -> list[str]:
    """Makes the world's tables droppable; the list gets what has been dropped."""
    dropped: list[str] = []

    async def drop() -> list[str]:
        dropped.append("all")
        return dropped

    async def delete(names: list[str]) -> list[str]:
        dropped.extend(names)
        return names

    setattr(world.tables, "drop", drop)  # noqa: B010 - the stand-in of other tests drops nothing
    setattr(world.tables, "delete", delete)  # noqa: B010
    return dropped


async def at_work(world: Started, said_at: float) -> Any:
    await create_and_start(world.app)
    workers = Workers(world.control, world.clock)
    await workers.report("w1", Beat(1, said_at))
    return workers


async def test_nothing_is_dropped_under_a_live_worker() -> None:
    world = Started()
    dropped = droppable(world)
    await at_work(world, world.clock.now())
    with pytest.raises(Refused, match="sync worker w1 is running"):
        await drop_all(world.app)
    assert dropped == []


async def test_a_silent_worker_does_not_block_the_drop() -> None:
    world = Started()
    dropped = droppable(world)
    await at_work(world, world.clock.now() - SILENT_SECONDS - 1)
    await drop_all(world.app)
    assert dropped == ["all"]


async def test_without_a_control_table_no_worker_is_looked_up() -> None:
    world = Started()
    dropped = droppable(world)
    world.tables.existing.clear()
    await drop_all(world.app)
    assert dropped == ["all"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"phase": "dual"}, "the phase is dual: "),
        ({"phase": "reverse"}, "the phase is reverse: "),
        ({"phase": "complete"}, "the phase is complete: "),
        ({"move": Move("dual", "settle", 0.0, 0.0, "ann")}, "the phase is forward and a move is under way: "),
    ],
)
async def test_v2_is_not_dropped_once_it_may_hold_what_the_old_table_does_not(
    changes: dict[str, Any], said: str
) -> None:
    world = Started()
    dropped = droppable(world)
    await create_and_start(world.app)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, **changes))
    with pytest.raises(Refused, match=f"^{said}"):
        await drop_all(world.app)
    assert dropped == []


async def test_with_a_damaged_record_nothing_is_dropped() -> None:
    world = Started()
    dropped = droppable(world)
    record = {"pk": {"S": "state"}, "sk": {"S": "migration"}, "document": {"S": "?"}, "rev": {"S": "1"}}
    world.db.apply(Put("control", record))
    with pytest.raises(Refused, match=r"is damaged .*: v2 may hold what the old table does not"):
        await drop_all(world.app)
    assert dropped == []


async def test_a_changed_mapping_does_not_prevent_starting_over() -> None:
    world = Started()
    dropped = droppable(world)
    await create_and_start(world.app)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, mapping_hash="another"))
    await drop_all(world.app)
    assert dropped == ["all"]


@pytest.mark.parametrize(
    ("owner", "expected"), [("control", ["kcl-old", "kcl-old-CoordinatorState", "all"]), ("another", ["all"])]
)
async def test_kcl_tables_are_dropped_if_they_are_this_migrations(owner: str, expected: list[str]) -> None:
    world = Started()
    dropped = droppable(world)
    await create_and_start(world.app)
    async with Lease.acquire(world.control, "sync", "w", world.clock, world.app.settings) as lease:
        await put_kcl_in_force(world.control, "forward", lease, "kcl")
        await put_embedded_in_force(world.control, world.clock, "forward", lease, 0)
    world.tables.existing |= {"kcl-old", "kcl-old-CoordinatorState"}
    world.db.create_table("kcl-old", (KEY,))
    world.db.apply(Put("kcl-old", {KEY: {"S": "shard"}, "checkpoint": {"S": "TRIM_HORIZON"}, OWNER_MARK: {"S": owner}}))
    await drop_all(world.app)
    assert dropped == expected
