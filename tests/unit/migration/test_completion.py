"""Completing: stamps and bare tombstones are removed from v2 page by page, and a killed run goes on where it stopped."""

import asyncio
import contextlib
import itertools

import pytest

from service.config import Settings
from service.core.item.stamp import stream_version
from service.core.item.wire import Item
from service.core.item.write import Delete, Put, Update
from service.migration.completion import Stripped, finish_v2, strip_stamps
from tests.worlds.start_world import Started

PAGES = Settings(control_table="control", page_items=10, backfill_concurrency=1)


VERSION = stream_version(1, "1")


def stamped(name: str, **more: Item) -> Item:
    return {"PK": {"S": "LEAD"}, "SK": {"S": name}, "_sync": {"M": {"v": {"S": VERSION}}}, **more}


def key(name: str) -> Item:
    return {"PK": {"S": "LEAD"}, "SK": {"S": name}}


BARE = {"_sync": {"M": {"v": {"S": VERSION}, "d": {"BOOL": True}}}}


def world() -> Started:
    """25 leads with a stamp, one without, and two bare tombstones."""
    started = Started()
    setattr(started.app, "settings", PAGES)  # noqa: B010 - a stand-in
    started.db.after = None
    for number in range(25):
        started.db.apply(Put("leads", stamped(f"i{number}", id={"S": str(number)})))
    started.db.apply(Put("leads", {**key("plain"), "id": {"S": "p"}}))
    for name in ("t1", "t2"):
        started.db.apply(Put("leads", {**key(name), **BARE}))
    return started


def unfenced() -> None:
    """Good for ever."""


def left(started: Started) -> list[Item]:
    return sorted(started.db.items("leads"), key=lambda item: item["SK"]["S"])


WANTED = sorted(
    [*({**key(f"i{number}"), "id": {"S": str(number)}} for number in range(25)), {**key("plain"), "id": {"S": "p"}}],
    key=lambda item: item["SK"]["S"],
)


async def test_stamps_go_and_everything_else_stays() -> None:
    started = world()
    await strip_stamps(started.app, unfenced)
    assert left(started) == WANTED
    stored = await started.control.records("completing", Stripped).get("leads")
    assert stored is not None
    assert stored.value == Stripped(None, True, 25, 2)


async def test_only_then_do_items_expire() -> None:
    started = world()
    begun: list[bool] = []
    begin = started.tables.begin_expiry

    async def noted() -> None:
        begun.append(left(started) == WANTED)
        await begin()

    setattr(started.tables, "begin_expiry", noted)  # noqa: B010 - a stand-in
    await finish_v2(started.app, unfenced)
    assert begun == [True]


@pytest.mark.parametrize("request_number", range(0, 34, 3))
async def test_killed_after_any_request_it_goes_on_where_it_stopped(request_number: int) -> None:
    started = world()
    requests = itertools.count()

    async def die(operation: str, _: object) -> None:
        if operation == "write" and next(requests) >= request_number:
            raise ConnectionError("killed")

    started.db.after = die
    with contextlib.suppress(ConnectionError):
        await strip_stamps(started.app, unfenced)
    scanned = []

    async def note(operation: str, subject: object) -> None:
        if operation == "scan" and subject == "leads":
            scanned.append(subject)

    started.db.after = note
    await strip_stamps(started.app, unfenced)
    assert left(started) == WANTED
    saved = sum(request_number > last for last in (10, 21))  # a page of ten writes, then its progress
    assert len(scanned) <= 3 - saved


async def test_what_the_application_writes_meanwhile_stays() -> None:
    started = world()

    async def write(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) and subject.key == key("t1"):
            started.db.apply(Update("leads", key("t1"), {"id": {"S": "revived"}}))
        if isinstance(subject, Update) and subject.key == key("i3"):
            started.db.apply(Delete("leads", key("i3")))

    started.db.before = write
    await strip_stamps(started.app, unfenced)
    assert started.db.item("leads", key("t1")) == {**key("t1"), "id": {"S": "revived"}}
    assert started.db.item("leads", key("i3")) is None


async def test_a_damaged_stamp_goes_like_any_other() -> None:
    started = world()
    started.db.apply(Put("leads", {**key("odd"), "_sync": {"S": "nonsense"}}))
    await asyncio.wait_for(strip_stamps(started.app, unfenced), 10)
    assert started.db.item("leads", key("odd")) == key("odd")
