"""The backfill on tables in memory: what it copies, what it leaves alone, and what it puts into quarantine."""

import pytest

from service.config import Settings
from service.core.item.change import Change
from service.core.item.stamp import backfill_version, stream_version
from service.core.item.write import Delete, Put
from service.core.rules.guarded import change_writes, tombstone
from service.errors import Misconfigured, Poison
from tests.builders.small_crm import MAPPING, lead, lead_key, old_key
from tests.worlds.backfill_world import BAD, World


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


async def test_before_create_tables_it_does_nothing() -> None:
    world = World()
    world.fill(5)
    with pytest.raises(Misconfigured, match="has not been started"):
        await world.begin()


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
