"""Dropping what tablesplit made, and the processes that must not run meanwhile."""

import asyncio
import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from backfill.records import STALE_SECONDS, BackfillBeat, BackfillRecords
from backfill.segments import BackfillRun
from service.control.engine import put_embedded_in_force, put_kcl_in_force
from service.control.leases import Lease, renewed_seconds_ago
from service.control.made_tables import MadeTables
from service.control.state import NAME, PARTITION, Move, change_state
from service.control.workers import BEAT_SECONDS, SILENT_SECONDS, Beat, Workers
from service.core.item.write import Put
from service.errors import Misconfigured, Refused
from service.migration.start import create_and_start
from service.migration.teardown import Dropped, drop_all
from service.streams.kcl.lease_table import KEY, OWNER_MARK
from tests.worlds.start_world import Started

LEASES = ("move", "start", "sync", "reverse sync", "backfill")


async def drop(world: Started) -> Dropped:
    """Drop; the beats and leases are watched as long as it takes."""
    dropping = asyncio.create_task(drop_all(world.app))
    await world.clock.until(dropping.done, within=SILENT_SECONDS + STALE_SECONDS + 5)
    return await dropping


def own(*names: str) -> Started:
    """A world where tablesplit made the control table, and tables of these names."""
    world = Started()
    world.tables.names |= set(names)
    world.tables.own = {"control", *names}
    return world


async def beating(world: Started, wrong_by: float) -> None:
    """A worker, on a machine whose clock is wrong."""
    for number in itertools.count():
        await Workers(world.control, world.clock).report("w1", Beat(number, world.clock.now() + wrong_by))
        await world.clock.sleep(BEAT_SECONDS)


@pytest.mark.parametrize("wrong_by", [0.0, -120.0, 120.0])
async def test_nothing_is_dropped_under_a_live_worker_whatever_its_clock_says(wrong_by: float) -> None:
    world = own("leads")
    await create_and_start(world.app)
    working = asyncio.create_task(beating(world, wrong_by))
    with pytest.raises(Refused, match="sync worker w1 is running"):
        await drop(world)
    assert world.tables.dropped == []
    working.cancel()


async def test_a_silent_worker_does_not_block_the_drop_even_if_it_has_just_reported() -> None:
    world = own()
    await create_and_start(world.app)
    await Workers(world.control, world.clock).report("w1", Beat(1, world.clock.now()))
    assert (await drop(world)).dropped == ("control",)


@pytest.mark.parametrize("wrong_by", [0.0, -120.0])
async def test_nothing_is_dropped_under_a_backfill_whatever_its_clock_says(wrong_by: float) -> None:
    world = own()
    await create_and_start(world.app)
    records = BackfillRecords(world.control)
    await records.save_run(BackfillRun("b1", world.app.mapping.hash, 1, 1, world.clock.now() + wrong_by))

    async def work() -> None:
        while True:
            await records.save_beat(BackfillBeat("b1", world.clock.now() + wrong_by, 1.0, None))
            await world.clock.sleep(5)

    working = asyncio.create_task(work())
    with pytest.raises(Refused, match="a backfill is running"):
        await drop(world)
    working.cancel()
    assert (await drop(world)).dropped == ("control",)


async def test_a_table_that_tablesplit_did_not_make_stays_and_is_named() -> None:
    world = own("leads")
    world.tables.names.add("deals")
    await create_and_start(world.app)
    dropped = await drop(world)
    assert (dropped.dropped, dropped.released) == (("leads", "control"), ("deals",))
    assert "released deals: no record and no tag says that this migration made it; its items stay" in dropped.to_text()


async def test_a_table_without_a_tag_is_known_by_its_record_and_not_by_its_name() -> None:
    world = Started()
    world.tables.names |= {"leads", "deals"}
    await MadeTables(world.control).note({"control": "control", "leads": "leads", "deals": "deals"})
    world.tables.ids["deals"] = "deleted, and made anew by somebody else"
    assert (await drop(world)).to_json() == {"dropped": ["leads", "control"], "released": ["deals"]}


async def test_a_control_table_that_stays_is_left_without_our_records_and_with_everything_else() -> None:
    world = Started()
    await create_and_start(world.app)
    ours = {"document": {"S": "{}"}, "rev": {"S": "0123456789abcdef"}}
    others: list[dict[str, Any]] = [
        {"name": {"S": "not ours"}},
        ours | {"rev": {"S": "3"}},
        ours | {"rev": {"S": "x" * 16}},
        ours | {"rev": {"N": "3"}},
        ours | {"document": {"S": "a letter"}},
        ours | {"document": {"M": {}}},
        ours | {"token": {"S": "secret"}},
        ours | {"owner": {"S": "ann"}},
    ]
    foreign = [{"pk": {"S": "x"}, "sk": {"S": str(number)}, **other} for number, other in enumerate(others)]
    for item in foreign:
        world.db.apply(Put("control", item))
    assert (await drop(world)).released == ("control",)
    assert world.db.items("control") == foreign


async def test_what_was_made_is_recorded_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Started()
    world.tables.names.add("leads")

    async def make_missing(_: object) -> dict[str, str]:
        return {"leads": "created", "deals": "exists", "control": "exists"}

    async def describe(name: str) -> object:
        return SimpleNamespace(name=name, table_id=f"id of {name}")

    monkeypatch.setattr(world.tables, "make_missing", make_missing)
    monkeypatch.setattr(world.tables, "describe", describe)
    await create_and_start(world.app)
    existing = {name: f"id of {name}" for name in ("leads", "deals", "control")}
    assert await MadeTables(world.control).among(existing) == {"leads"}


async def test_without_a_control_table_no_worker_is_looked_up() -> None:
    world = own()
    world.tables.names.clear()
    assert (await drop_all(world.app)).to_text() == "nothing to drop: none of the tables exists"


async def test_without_the_control_table_that_knows_the_phase_no_v2_table_is_dropped() -> None:
    world = own("leads")
    world.tables.names.remove("control")
    with pytest.raises(Refused, match=r"^there is no control table control, but leads exists") as refused:
        await drop_all(world.app)
    assert refused.value.remedy.startswith("set TABLESPLIT_CONTROL_TABLE to the migration's control table")
    assert world.tables.dropped == []


async def test_by_the_control_table_of_another_old_table_nothing_is_dropped() -> None:
    world = own("leads")
    await create_and_start(world.app)
    records = world.control.records(PARTITION, dict[str, Any])
    await records.change(NAME, lambda was: {**(was or {}), "old_table": "another"})
    with pytest.raises(Misconfigured, match="control table control belongs to old table another, not old"):
        await drop_all(world.app)
    assert world.tables.dropped == []


async def test_after_complete_nobody_is_told_to_delete_the_control_table() -> None:
    world = own()
    await create_and_start(world.app)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, phase="complete"))
    with pytest.raises(Refused) as refused:
        await drop_all(world.app)
    assert refused.value.remedy == "after `complete` v2 is the application's: delete by hand what nobody needs"


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
    world = own()
    await create_and_start(world.app)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, **changes))
    with pytest.raises(Refused, match=f"^{said}"):
        await drop_all(world.app)
    assert world.tables.dropped == []


async def test_with_a_damaged_record_nothing_is_dropped() -> None:
    world = Started()
    record = {"pk": {"S": "state"}, "sk": {"S": "migration"}, "document": {"S": "?"}, "rev": {"S": "1"}}
    world.db.apply(Put("control", record))
    with pytest.raises(Refused, match=r"is damaged .*: v2 may hold what the old table does not"):
        await drop_all(world.app)
    assert world.tables.dropped == []


async def test_a_phase_that_is_entered_while_the_beats_are_watched_is_seen_before_anything_is_dropped() -> None:
    world = own("leads")
    await create_and_start(world.app)
    await Workers(world.control, world.clock).report("w1", Beat(1, world.clock.now()))
    dropping = asyncio.create_task(drop_all(world.app))
    await world.clock.advance(SILENT_SECONDS / 2)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, phase="dual"))
    await world.clock.until(dropping.done)
    with pytest.raises(Refused, match=r"^the phase is dual: "):
        await dropping
    assert world.tables.dropped == []


@pytest.mark.parametrize("name", LEASES)
async def test_nothing_is_dropped_while_another_process_holds_a_lease_and_ours_are_given_back(name: str) -> None:
    world = own("leads")
    await create_and_start(world.app)
    async with Lease.acquire(world.control, name, "w", world.clock, world.app.settings):
        with pytest.raises(Refused, match=f"another {name} is running"):
            await drop(world)
    assert world.tables.dropped == []
    now = world.clock.now()
    assert [await renewed_seconds_ago(world.control, one, now) for one in LEASES] == [None] * len(LEASES)


async def test_every_lease_is_held_while_v2_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    world = own("leads")
    await create_and_start(world.app)
    held: list[tuple[list[str], int]] = []
    delete = world.tables.delete

    async def looking(names: list[str]) -> list[str]:
        ages = [await renewed_seconds_ago(world.control, one, world.clock.now()) for one in LEASES]
        held.append((names, len(LEASES) - ages.count(None)))
        return await delete(names)

    monkeypatch.setattr(world.tables, "delete", looking)
    assert (await drop(world)).dropped == ("leads", "control")
    assert [one for one in held if one[0]] == [(["leads"], len(LEASES)), (["control"], 0)]


async def test_a_changed_mapping_does_not_prevent_starting_over() -> None:
    world = own()
    await create_and_start(world.app)
    await change_state(world.control, world.app.mapping, 0.0, lambda was: replace(was, mapping_hash="another"))
    assert (await drop_all(world.app)).dropped == ("control",)


@pytest.mark.parametrize(
    ("owner", "expected"), [("control", ("kcl-old", "kcl-old-CoordinatorState", "control")), ("another", ("control",))]
)
async def test_kcl_tables_are_dropped_if_they_are_this_migrations(owner: str, expected: tuple[str, ...]) -> None:
    world = own()
    await create_and_start(world.app)
    async with Lease.acquire(world.control, "sync", "w", world.clock, world.app.settings) as lease:
        await put_kcl_in_force(world.control, "forward", lease, "kcl")
        await put_embedded_in_force(world.control, world.clock, "forward", lease, 0)
    world.tables.names |= {"kcl-old", "kcl-old-CoordinatorState"}
    world.db.create_table("kcl-old", (KEY,))
    world.db.apply(Put("kcl-old", {KEY: {"S": "shard"}, "checkpoint": {"S": "TRIM_HORIZON"}, OWNER_MARK: {"S": owner}}))
    assert (await drop_all(world.app)).dropped == expected
