"""The backfill under throttling and under the operator's limits, and the bounds of its windows and its memory."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from backfill import segment_copier, window
from backfill.segment_copier import SCANS
from service.config import Settings
from service.core.item.wire import Item
from service.dynamodb.protocol import InsertThrottled, Page
from service.errors import Limit, Retryable
from service.telemetry.metrics import WAIT_REASONS
from tests.builders.small_crm import MAPPING, lead
from tests.worlds.backfill_world import Throttling, World

WAITED = "tablesplit_wait_seconds_total"


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


@pytest.mark.parametrize(
    "limit, waited",
    [
        ("partition", "partition_throttled"),
        ("not_said", "partition_throttled"),
        ("provisioned", "table_throttled"),
        ("on_demand_maximum", "table_throttled"),
        ("account", "table_throttled"),
    ],
)
async def test_only_a_partition_s_limit_slows_the_keys(limit: Limit, waited: str) -> None:
    world = World()
    world.fill(400)
    calls = 0

    async def throttle_often(table: str, items: Sequence[Item], *rest: Any, **options: Any) -> list[bool]:
        nonlocal calls
        calls += 1
        if calls <= 40:
            raise InsertThrottled("throttled", [None] * len(items), limit=limit)
        return await insert_many(table, items, *rest, **options)

    insert_many, world.db.insert_many = world.db.insert_many, throttle_often  # type: ignore[method-assign]
    await world.run()
    assert world.actual() == world.expected()
    page = world.metrics.registry
    assert {reason for reason in WAIT_REASONS if page.get_sample_value(WAITED, {"reason": reason})} - {
        "target_slow"
    } == {waited}


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
