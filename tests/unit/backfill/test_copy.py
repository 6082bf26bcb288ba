"""The backfill on tables in memory: what it copies, what it leaves alone, and how it resumes after any stop."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from backfill import segment_copier, window
from backfill.records import read_run_status
from backfill.segment_copier import SCANS
from service.config import Settings
from service.core.item.change import Change
from service.core.item.stamp import backfill_version, stream_version
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.rules.guarded import change_writes, tombstone
from service.dynamodb.protocol import InsertThrottled, Page
from service.errors import Fatal, Fenced, Interrupted, Misconfigured, Poison, Refused, Retryable
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key
from tests.worlds.backfill_world import BAD, Throttling, World


async def test_it_copies_every_item_and_says_so() -> None:
    world = World()
    world.fill(50)
    report = await world.run()
    assert world.actual() == world.expected()
    assert report.ok
    assert (report.outcomes.copied, report.outcomes.present, report.outcomes.quarantined) == (50, 0, 0)
    assert (await world.state()).backfill_finished_at == report.run.finished_at


async def test_an_empty_table_is_finished_at_once() -> None:
    report = await World().run()
    assert report.ok
    assert report.outcomes.items == 0


async def test_what_a_change_has_written_is_never_overwritten() -> None:
    world = World()
    world.fill(8)
    world.put(lead("newer"), lead("deleted"))
    newer = Change("old", "s", "7" * 21, old_key("LEAD", "newer"), None, lead("newer", status={"S": "won"}))
    (write,) = change_writes(MAPPING, [newer], 1)
    grave = tombstone("leads", lead_key("deleted"), stream_version(1, "8" * 21), "_sync")
    world.db.apply(write, grave)
    report = await world.run()
    assert report.outcomes.present == 2
    assert world.db.item("leads", lead_key("newer")) == write.item
    assert world.db.item("leads", lead_key("deleted")) == grave.item


async def test_items_that_cannot_be_mapped_are_quarantined_and_the_rest_is_copied() -> None:
    world = World()
    world.fill(20)
    world.put(BAD)
    report = await world.run()
    assert not report.ok
    assert report.outcomes.quarantined == 1
    assert "tablesplit quarantine list" in report.to_text()
    (head,) = await world.quarantined()
    assert (head.table, head.key, head.reason, head.origin) == (
        "old",
        old_key("LEAD", "bad"),
        "unknown_entity",
        "backfill",
    )
    assert world.actual() == world.expected()


async def test_an_item_that_the_server_refuses_is_quarantined_and_its_neighbours_are_copied() -> None:
    world = World(settings=Settings(segments=1, page_items=50))
    world.fill(20)

    async def refuse(operation: str, subject: object) -> None:
        if operation == "insert" and isinstance(subject, Put) and subject.item["id"] == {"S": "0003"}:
            raise Poison("DynamoDB refuses it", reason="refused_by_dynamodb")

    world.db.before = refuse
    report = await world.run()
    assert (report.outcomes.copied, report.outcomes.quarantined) == (19, 1)
    (head,) = await world.quarantined()
    assert head.reason == "refused_by_dynamodb"
    assert head.key == old_key("LEAD", "0003")


async def test_a_bad_item_that_the_application_mends_meanwhile_is_left_to_its_change() -> None:
    world = World()
    world.put(BAD)
    mended = lead("bad")

    async def mend(operation: str, subject: object) -> None:
        if operation == "get" and subject == old_key("LEAD", "bad"):
            world.put(mended)

    world.db.before = mend
    report = await world.run()
    assert await world.quarantined() == []
    assert (report.outcomes.present, report.outcomes.quarantined) == (1, 0)


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


async def test_before_create_tables_it_does_nothing() -> None:
    world = World()
    world.fill(5)
    with pytest.raises(Misconfigured, match="has not been started"):
        await world.begin()


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


async def test_throttling_shrinks_the_rate_and_every_item_gets_through() -> None:
    world = World(settings=Settings(segments=4, page_items=1000))
    world.db = Throttling(world.clock, allowed=40)
    world.__post_init__()
    world.fill(1000)
    report = await world.run()
    assert world.actual() == world.expected()
    assert report.outcomes.copied == 1000
    assert world.db.refusals < 1000, "more refusals than writes: the rate was not adapted"
    waited = {reason for shown in world.display.snapshots for reason in shown.waiting_for}
    assert "partition_throttled" in waited
    assert world.clock.monotonic() < 60, "the rate does not grow back"


async def test_the_operators_write_limit_is_kept() -> None:
    world = World(settings=Settings(segments=4, page_items=1000))
    world.fill(400)
    await world.run(max_write_units=100)
    units = 200 * 3 + 200 * 2  # leads go to the table and two indexes, deals to the table and one
    assert world.clock.monotonic() >= (units - 4 * 75) / 100
    assert world.clock.monotonic() <= units / 100 + 2
    assert any("operator_write_limit" in shown.waiting_for for shown in world.display.snapshots)


async def test_the_operators_read_limit_is_kept() -> None:
    world = World(settings=Settings(segments=2, page_items=50))
    world.fill(1000)
    await world.run(max_read_units=100)  # in memory each item reads one unit
    assert 7 <= world.clock.monotonic() <= 16
    assert any("operator_read_limit" in shown.waiting_for for shown in world.display.snapshots)


async def test_a_target_that_never_recovers_from_throttling_ends_the_run() -> None:
    world = World(settings=Settings(segments=1, retry_deadline_seconds=20))
    world.db = Throttling(world.clock, allowed=0)
    world.__post_init__()
    world.fill(3)
    with pytest.raises(Retryable, match="throttled"):
        await world.run()


async def test_a_slow_target_is_named_as_what_is_waited_for() -> None:
    world = World(settings=Settings(segments=1, page_items=500, backfill_concurrency=1))
    world.fill(300)

    async def slow(operation: str, subject: object) -> None:
        if operation == "insert":
            await world.clock.sleep(0.1)

    world.db.before = slow
    await world.run()
    assert any("target_slow" in shown.waiting_for for shown in world.display.snapshots)


async def test_progress_is_never_complete_before_the_last_acknowledgement() -> None:
    world = World(settings=Settings(segments=3, page_items=1000), estimate=10)
    world.fill(90)

    async def slow(operation: str, subject: object) -> None:
        if operation == "insert":
            await world.clock.sleep(1)

    world.db.before = slow
    await world.run()
    *before, last = world.display.snapshots
    assert last.percent == 100
    assert last.eta_seconds == 0
    assert max(shown.percent or 0 for shown in before if shown.segments_done < 3) == 99.9
    assert all(shown.percent != 100 for shown in before if shown.segments_done < 3)


async def test_the_memory_holds_a_bounded_number_of_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window, "MOST_ITEMS", 40)
    monkeypatch.setattr(segment_copier, "FIRST_ITEMS", 40)
    world = World(settings=Settings(segments=20, page_items=30))
    world.fill(2000)
    await world.start()
    held = most = 0

    async def count(operation: str, subject: object) -> None:
        nonlocal held
        held -= operation == "insert"
        await asyncio.sleep(0)

    scan = world.db.scan

    async def counted(*args: Any, **kwargs: Any) -> Page:
        nonlocal held, most
        page = await scan(*args, **kwargs)
        held += len(page.items)
        most = max(most, held)
        return page

    monkeypatch.setattr(world.db, "scan", counted)
    world.db.before = count
    await asyncio.wait_for(world.begin(), 30)
    assert held == 0
    assert 60 < most <= SCANS * (40 + 30)


@pytest.mark.parametrize(
    "items, seconds, most",
    [(100, 5, 100), (100, 0.001, 1000), (1000, 10, 500), (1000, 1000, 25), (0, 0, 25)],
)
def test_the_next_window_has_what_takes_five_seconds(items: int, seconds: float, most: int) -> None:
    assert window.next_size(items, seconds) == most


async def test_however_low_the_write_limit_pages_are_saved_every_few_seconds() -> None:
    world = World(settings=Settings(segments=2, page_items=1000))
    world.fill(2000)
    await world.start()
    task = world.begin(max_write_units=40)
    await world.clock.advance(30)
    saved = []
    for _ in range(6):
        await world.clock.advance(10)
        saved.append(sum(segment.outcomes.items for segment in (await world.segments()).values()))
    assert saved == sorted(set(saved)), "ten seconds in which nothing was saved"
    await world.kill(task)


def test_a_window_is_full_at_two_megabytes_however_few_items_that_are() -> None:
    part = window.Window(1000)
    page = Page([lead("1")], {"pk": {"S": "x"}}, consumed_units=256.0)
    complete = []
    for _ in range(2):
        part.add(MAPPING, 1, page)
        complete.append(part.complete)
    assert complete == [False, True]


async def test_writes_go_out_in_another_order_than_they_were_read() -> None:
    world = World(settings=Settings(segments=1, page_items=1000))
    world.put(*(lead(f"{n:04d}") for n in range(200)))
    order: list[str] = []

    async def note(operation: str, subject: object) -> None:
        if operation == "insert" and isinstance(subject, Put):
            order.append(subject.item["SK"]["S"])

    world.db.before = note
    page = await world.db.scan("old", segment=0, segments=1, start=None, limit=1000)
    as_read = [f"2024-05#{item['id']['S']}" for item in page.items]
    await world.run()
    assert sorted(order) == sorted(as_read)
    assert sum(one == other for one, other in zip(order, as_read, strict=True)) < 20


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


async def test_a_delete_before_the_copy_arrives_stays_deleted() -> None:
    """Scan, then delete and tombstone, then the copy: the tombstone stays."""
    world = World(settings=Settings(segments=1))
    world.put(lead("x"))

    async def delete_first(operation: str, subject: object) -> None:
        if operation == "insert" and world.db.item("old", old_key("LEAD", "x")):
            world.db.apply(Delete("old", old_key("LEAD", "x")))
            world.db.apply(tombstone("leads", lead_key("x"), stream_version(1, "9" * 21), "_sync"))

    world.db.before = delete_first
    report = await world.run()
    assert report.outcomes.present == 1
    item = world.db.item("leads", lead_key("x"))
    assert item is not None
    assert item["_sync"]["M"]["d"] == {"BOOL": True}
    assert item["_sync"]["M"]["v"]["S"] > backfill_version(1)


async def test_a_group_that_waited_long_for_the_operator_s_limit_is_patient_with_its_first_throttle() -> None:
    world = World()
    world.fill(100)
    first_tries: set[str] = set()

    async def throttle_once(table: str, items: Sequence[Item], *rest: Any, **options: Any) -> list[bool]:
        name = str(sorted(map(str, items)))
        if name not in first_tries:
            first_tries.add(name)
            raise InsertThrottled("throttled", [None] * len(items))
        return await insert_many(table, items, *rest, **options)

    insert_many, world.db.insert_many = world.db.insert_many, throttle_once  # type: ignore[method-assign]
    await world.run(max_write_units=1.0)
    assert world.actual() == world.expected()
