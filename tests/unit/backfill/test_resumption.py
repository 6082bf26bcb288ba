"""A backfill that is stopped, killed, superseded or run again on tables in memory: what it saves and where it goes on."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest

from backfill.records import read_run_status
from service.config import Settings
from service.core.item.wire import Item
from service.core.item.write import Put
from service.errors import Fatal, Fenced, Interrupted, Refused, Retryable
from tests.builders.small_crm import lead
from tests.worlds.backfill_world import BAD, World


@pytest.mark.parametrize("chunk", range(4))
async def test_killed_before_any_call_it_goes_on_and_ends_right(chunk: int) -> None:
    """Kill the first worker right before its n-th call to the tables, for every n; a second worker finishes."""
    calls = await _calls_of_a_whole_run()
    for nth in range(chunk, calls, 4):
        world = _small_world()
        await world.start()
        assert await _run_until_call(world, nth), f"call {nth} of {calls} was never made"
        report = await world.run()
        assert world.actual() == world.expected(), f"killed before call {nth}"
        assert report.outcomes.items == 11, f"killed before call {nth}"
        assert len(await world.quarantined()) == 1


def _small_world() -> World:
    world = World(settings=Settings(segments=2, page_items=3))
    world.fill(10)
    world.put(BAD)
    return world


async def _calls_of_a_whole_run() -> int:
    world = _small_world()
    await world.start()
    calls: list[str] = []

    async def count(operation: str, subject: object) -> None:
        calls.append(operation)

    world.db.before = count
    task = world.begin()
    await world.clock.until(task.done)
    return len(calls) - 1  # the last call releases the lease


async def _run_until_call(world: World, nth: int) -> bool:
    """Run a backfill and kill it right before its call number ``nth``. False: it made fewer calls."""
    reached = asyncio.Event()
    made = 0

    async def stop_there(operation: str, subject: object) -> None:
        nonlocal made
        made += 1
        if made == nth + 1:
            reached.set()
        if made > nth:
            await asyncio.Event().wait()

    world.db.before = stop_there
    task = world.begin()
    await world.clock.until(lambda: reached.is_set() or task.done())
    await world.kill(task)
    world.db.before = None
    return reached.is_set()


async def test_finished_segments_and_saved_pages_are_not_read_again() -> None:
    world = World(settings=Settings(segments=4, page_items=1000))
    world.fill(60)
    await world.start()
    scans: Counter[str] = Counter()

    async def count(operation: str, subject: object) -> None:
        scans[operation] += 1
        if operation == "scan" and scans["scan"] == 4:
            await asyncio.Event().wait()  # the last segment is never read

    world.db.before = count
    task = world.begin()
    await world.clock.advance(1)
    await world.kill(task)
    world.db.before = None
    assert sum(segment.done for segment in (await world.segments()).values()) == 3
    scans.clear()

    async def only_count(operation: str, subject: object) -> None:
        scans[operation] += 1

    world.db.before = only_count
    report = await world.run()
    assert scans["scan"] == 1
    assert report.resumed
    assert report.outcomes.copied == 60
    assert world.actual() == world.expected()


async def test_a_page_is_saved_only_when_all_its_writes_are_acknowledged() -> None:
    world = World(settings=Settings(segments=1, page_items=1000))
    world.fill(60)
    await world.start()

    async def hold_one(operation: str, subject: object) -> None:
        if operation == "insert" and isinstance(subject, Put) and subject.item["id"] == {"S": "0030"}:
            await asyncio.Event().wait()

    world.db.before = hold_one
    task = world.begin()
    await world.clock.advance(60)
    (segment,) = (await world.segments()).values()
    assert segment.outcomes.items == 0
    assert len(world.db.items("leads")) + len(world.db.items("deals")) > 25
    await world.kill(task)


async def test_stopped_by_the_operator_it_ends_at_once_and_names_the_command_that_goes_on() -> None:
    world = World()
    world.fill(30)
    await world.start()
    world.db.before = _never
    task = world.begin(max_write_units=500)
    world.db.before = None
    world.stop.set()
    await world.clock.until(task.done, within=5)
    with pytest.raises(Interrupted) as stopped:
        await task
    assert stopped.value.remedy == "go on with: tablesplit migrate --max-write-units 500"
    assert stopped.value.exit_status == 3
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert status.state == "stopped"
    world.stop.clear()
    assert (await world.run()).outcomes.items == 30


async def _never(operation: str, subject: object) -> None:
    await asyncio.Event().wait()


async def test_a_finished_backfill_says_when_and_does_nothing() -> None:
    world = World()
    world.fill(5)
    first = await world.run()
    written = len(world.db.written)
    second = await world.run()
    assert second.already_finished
    assert second.ok
    assert second.run == first.run
    tables = {write.table for write in world.db.written[written:]}
    assert tables == {"control"}
    assert "has finished at 2023-11-14T" in second.to_text()


async def test_again_walks_the_table_anew_and_purging_waits_for_it() -> None:
    world = World()
    world.fill(5)
    first = await world.run()
    world.put(lead("late"))
    states: list[float | None] = []

    async def look(operation: str, subject: object) -> None:
        if operation == "scan":
            states.append((await world.state()).backfill_finished_at)

    world.db.before = look
    report = await world.run(again=True)
    assert report.run.id != first.run.id
    assert (report.outcomes.copied, report.outcomes.present) == (1, 5)
    assert set(states) == {None}


async def test_a_run_that_was_killed_just_before_it_said_that_it_finished_says_so_next_time() -> None:
    world = World()
    world.fill(5)
    await world.start()

    async def die_at_the_end(operation: str, subject: object) -> None:
        run = await world.records.run() if operation == "write" else None
        if run is not None and run.finished_at is not None:
            await asyncio.Event().wait()

    task = world.begin()
    world.db.before = die_at_the_end
    await world.clock.advance(1)
    await world.kill(task)
    world.db.before = None
    assert (await world.state()).backfill_finished_at is None
    report = await world.run()
    assert (await world.state()).backfill_finished_at == report.run.finished_at


async def test_another_number_of_segments_does_not_change_a_run_under_way() -> None:
    world = _small_world()
    await world.start()
    assert await _run_until_call(world, 20)
    report = await world.run(segments=5)
    assert report.run.segments == 2
    assert "--segments 5 was not applied" in report.note
    assert report.note in report.to_text()
    assert world.actual() == world.expected()


async def test_a_second_backfill_is_refused_while_the_first_is_alive() -> None:
    world = World()
    world.fill(5)
    await world.start()
    world.db.before = _scans_hang
    first = world.begin()
    await world.clock.advance(5)
    second = world.begin(owner="second")
    await world.clock.until(second.done, within=10)
    with pytest.raises(Refused, match="another backfill is running"):
        await second
    await world.kill(first)


async def _scans_hang(operation: str, subject: object) -> None:
    if operation == "scan":
        await asyncio.Event().wait()


async def test_a_killed_backfill_is_taken_over_within_ten_seconds() -> None:
    world = World()
    world.fill(5)
    await world.start()
    world.db.before = _scans_hang
    first = world.begin()
    await world.clock.advance(3)
    await world.kill(first)
    world.db.before = None
    second = world.begin(owner="second")
    await world.clock.until(second.done, within=10)
    assert (await second).outcomes.copied == 5


async def test_a_superseded_worker_saves_no_segment() -> None:
    world = World()
    world.fill(5)
    report = await world.run()
    segments = await world.records.segments(report.run)
    with pytest.raises(Fenced, match="another backfill has taken over"):
        await world.records.save_segment(0, segments[0])


@pytest.mark.parametrize("item", [lead("good"), BAD], ids=["copy", "quarantine"])
async def test_a_worker_whose_lease_has_run_out_writes_nothing_more(item: Item) -> None:
    world = World(settings=Settings(segments=1))
    world.put(item)
    await world.start()
    late = asyncio.Event()

    async def hold(operation: str, subject: object) -> None:
        if operation == "scan":
            await late.wait()
        elif operation == "write" and 0 < world.clock.monotonic() < 6:
            raise Retryable("no answer", reason="timeout")  # renewals do not arrive

    world.db.before = hold
    task = world.begin()
    await world.clock.advance(5.9)
    late.set()
    world.clock._elapsed = 6.1  # the process was suspended just before its write
    await world.clock.until(task.done)
    with pytest.raises(Fenced):
        await task
    assert world.db.items("leads") == []
    assert await world.quarantined() == []


async def test_a_run_of_another_mapping_is_not_gone_on_with() -> None:
    world = _small_world()
    await world.start()
    await _run_until_call(world, 12)
    run = await world.records.run()
    assert run is not None
    await world.control.records("backfill", type(run)).save("run", replace(run, mapping_hash="f" * 16), 99)
    with pytest.raises(Fatal, match="was begun with mapping ffffffffffffffff"):
        await world.run()


async def test_passing_trouble_that_does_not_pass_ends_the_run_and_the_next_goes_on() -> None:
    world = World()
    world.fill(30)

    async def fail(operation: str, subject: object) -> None:
        if operation == "insert":
            raise Retryable("Scan: no answer within 10 s", reason="timeout")

    world.db.before = fail
    with pytest.raises(Retryable, match="no answer"):
        await world.run()
    world.db.before = None
    assert (await world.run()).outcomes.copied == 30


async def test_status_on_another_machine_shows_where_it_stands() -> None:
    world = World(settings=Settings(segments=2, page_items=1000), estimate=40)
    assert await read_run_status(world.control, world.clock.now()) is None
    world.fill(40)
    await world.start()
    world.db.before = _scans_hang
    task = world.begin()
    await world.clock.advance(10)
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert (status.state, status.outcomes.items, status.segments_done) == ("running", 0, 0)
    await world.kill(task)
    world.db.before = None
    status = await read_run_status(world.control, world.clock.now() + 60)
    assert status is not None
    assert status.state == "stopped"
    await world.run()
    status = await read_run_status(world.control, world.clock.now())
    assert status is not None
    assert (status.state, status.outcomes.copied, status.segments_done) == ("finished", 40, 2)
