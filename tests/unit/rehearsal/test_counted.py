"""The counting writers of a rehearsal: what they write, and what is said of it at the end."""

import asyncio
from typing import Any

import pytest

from service.core.item.wire import AttributeValue, Item, key_text
from service.rehearsal.counted import judge_counting
from service.rehearsal.counting import COUNTER, SHARED_COUNTER, TURN, CountingWriters, CountLog
from service.rehearsal.history import Operation
from tests.builders.mappings import crm
from tests.fakes.clocks import VirtualClock

K = "k"
OWN, TURNS = COUNTER["old"], TURN["old"]
MODEL: Item = {"pk": {"S": "DEAL#7"}, "sk": {"S": "METADATA"}, "entity_type": {"S": "DEAL"}, "id": {"S": "7"}}


def counted(side: Any, name: str, was: int | str | None, now: int | str, at: float) -> Operation:
    def value(content: int | str | None) -> AttributeValue | None:
        return None if content is None else {"N": str(content)} if isinstance(content, int) else {"S": content}

    return Operation(side, K, name, value(was), value(now), at)


def there(**numbers: int) -> dict[str, Item]:
    return {K: {name: {"N": str(content)} for name, content in numbers.items()}}


def test_says_what_was_acknowledged_and_what_is_there():
    log = CountLog([counted("old", OWN, None, 1, 0), counted("old", OWN, 1, 2, 1), counted("old", TURNS, None, "a", 2)])
    report = judge_counting(log, there(**{OWN: 2}), there(**{OWN: 2}))
    assert (report.ok, report.broken) == (True, ())
    assert report.to_text() == ("increments: 2 acknowledged, 2 found on old, 2 on v2; compare-and-sets: 1 of 1 held")


BROKEN: list[tuple[str, list[Operation], dict[str, Item]]] = [
    ("an increment is gone", [counted("old", OWN, None, 1, 0), counted("old", OWN, 1, 2, 1)], there(**{OWN: 1})),
    (
        "a shared counter has one side's increments",
        [counted("old", SHARED_COUNTER, None, 1, 0), counted("v2", SHARED_COUNTER, None, 1, 1)],
        there(**{SHARED_COUNTER: 1}),
    ),
    ("a compare-and-set succeeds twice", [counted("old", TURNS, "a", "b", 0), counted("old", TURNS, "a", "c", 1)], {}),
    ("a turn goes back", [counted("old", TURNS, "a", "b", 0), counted("old", TURNS, "z", "c", 1)], {}),
]


@pytest.mark.parametrize("_case, operations, final", BROKEN, ids=[case for case, *_ in BROKEN])
def test_a_rehearsal_fails_for_any_of_these(_case, operations, final):
    judged = judge_counting(CountLog(operations), final, final)
    assert not judged.ok
    assert "BROKEN: k" in judged.to_text()


def test_a_copy_that_is_on_one_side_only_fails_it():
    report = judge_counting(CountLog(copies=[K]), there(), {})
    assert not report.ok
    assert "copies with their stamp: 0 of 1 on both sides" in report.to_text()


class InMemory:
    """An application whose two sides are one dictionary; it makes others wait between a read and the write after it."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.sides: list[str] = []

    async def read(self, side: Any, key: Item) -> Item | None:
        item = self.items.get(key["pk"]["S"])
        await asyncio.sleep(0)
        return item

    async def create(self, side: Any, item: Item) -> None:
        self.items[item["pk"]["S"]] = item

    async def compare_and_set(self, side: Any, key: Item, name: str, was: Any, value: AttributeValue) -> bool:
        item = self.items[key["pk"]["S"]]
        if item.get(name) != was:
            return False
        self.items[key["pk"]["S"]] = {**item, name: value}
        self.sides.append(side)
        return True

    async def duplicate(self, side: Any, key: Item, new: Item) -> None:
        self.items[new["pk"]["S"]] = {**self.items[key["pk"]["S"]], "pk": new["pk"]}


async def test_writers_count_on_the_sides_that_they_may_write_and_what_they_log_is_there():
    application, stop, clock = InMemory(), asyncio.Event(), VirtualClock()
    writers = CountingWriters(application, [MODEL], crm(), clock)
    await writers.create_items()
    running = asyncio.create_task(writers.run(stop, 0.1))
    await writers.allow("old")
    await clock.until(lambda: len(application.sides) > 20)
    assert {*application.sides} == {"old"}
    await writers.allow("old", "v2")
    await clock.until(lambda: application.sides.count("v2") > 20)
    await writers.allow()
    stop.set()
    await clock.until(running.done)
    await writers.copy("v2", "copy")
    final = {key_text({"pk": {"S": name}, "sk": {"S": "METADATA"}}): item for name, item in application.items.items()}
    report = judge_counting(writers.log, final, final)
    assert (report.ok, report.broken, report.copies_found) == (True, (), 1)
    assert report.increments == report.found_on_old == report.found_on_v2 > 20
    assert report.held == report.compare_and_sets > 0
