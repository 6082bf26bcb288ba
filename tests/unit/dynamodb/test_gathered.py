"""The store that gathers what concurrent tasks ask for: what is sent together, when, and what each task gets."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from service.core.item.wire import Item
from service.core.item.write import Delete, Equals, Put, Update
from service.dynamodb.gathered import STATEMENTS, GatheredStore
from service.dynamodb.items import GET_MANY_KEYS
from service.dynamodb.protocol import AskedWrite, Fence, WriteOutcome
from service.errors import Fatal, Poison, Throttled
from tests.fakes.memory import MemoryDynamoDB

CONTROL, V2 = "control", "v2"
FIRST = {"S": "r1"}


class Batching(MemoryDynamoDB):
    """Records each call, and makes the updates of a batch one by one. A call can be held up until ``go`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, int]] = []
        self.go = asyncio.Event()
        self.go.set()
        self.unknown: frozenset[str] = frozenset()
        self.failure: Exception | None = None
        self.bad_keys: frozenset[str] = frozenset()
        for table in (CONTROL, V2):
            self.create_table(table, ("pk",))

    async def get(self, table: str, key: Item) -> Item | None:
        self.calls.append(("get", 1))
        await self.go.wait()
        if key["pk"]["S"] in self.bad_keys:
            raise Poison("a bad key", reason="refused_by_dynamodb")
        return await super().get(table, key)

    async def get_many(self, table: str, keys: Sequence[Item]) -> list[Item]:
        self.calls.append((f"get {table}", len(keys)))
        await self.go.wait()
        if any(key["pk"]["S"] in self.bad_keys for key in keys):
            raise Poison("a bad key", reason="refused_by_dynamodb")
        return await super().get_many(table, keys)

    async def try_write(self, write: object, *, fence: Fence | None = None) -> WriteOutcome:
        self.calls.append(("write", 1))
        return await super().try_write(write, fence=fence)  # type: ignore[arg-type]

    async def try_write_many(self, table: str, asked: Sequence[AskedWrite], *, fence: Fence | None = None) -> None:
        assert {one.write.table for one in asked} == {table}
        self.calls.append(("batch", len(asked)))
        if fence is not None:
            fence()
        await self.go.wait()
        for one in asked:
            if one.outcome.done():
                continue
            made = self.apply(one.write)
            refused: WriteOutcome = "unknown" if one.write.key["pk"]["S"] in self.unknown else "refused"
            one.outcome.set_result("written" if made else refused)
            if self.failure is not None:
                raise self.failure


def key(number: int) -> Item:
    return {"pk": {"S": f"{number:04d}"}}


def update(number: int, rev: Item | dict[str, str] = FIRST, table: str = CONTROL) -> Update:
    return Update(table, key(number), {"x": {"S": "new"}}, condition=Equals(("rev",), rev))  # type: ignore[arg-type]


@pytest.fixture
async def memory() -> Batching:
    made = Batching()
    for number in range(300):
        for table in (CONTROL, V2):
            made.apply(Put(table, {**key(number), "rev": FIRST, "n": {"N": str(number)}}))
    return made


async def turns(done: Callable[[], bool]) -> None:
    """Let the event loop go on until something is true."""
    for _ in range(100):
        if done():
            return
        await asyncio.sleep(0)
    raise AssertionError("it did not happen")


async def test_what_is_asked_in_one_turn_is_read_together_by_table(memory: Batching) -> None:
    store = GatheredStore(memory)
    items = await asyncio.gather(*[store.get(table, key(number)) for number in range(30) for table in (CONTROL, V2)])
    assert [item["n"]["N"] for item in items if item] == [str(number) for number in range(30) for _ in range(2)]
    assert sorted(memory.calls) == [("get control", 30), ("get v2", 30)]


async def test_a_key_asked_for_twice_is_read_once_and_an_absent_one_is_none(memory: Batching) -> None:
    store = GatheredStore(memory)
    first, again, absent = await asyncio.gather(*[store.get(V2, key(number)) for number in (7, 7, 999)])
    assert first == again is not None
    assert absent is None
    assert memory.calls == [("get v2", 2)]


async def test_a_single_question_is_a_plain_request(memory: Batching) -> None:
    store = GatheredStore(memory)
    assert await store.get(V2, key(1)) is not None
    assert await store.try_write(update(1)) == "written"
    assert memory.calls == [("get", 1), ("write", 1)]


async def test_batches_are_no_larger_than_the_server_takes(memory: Batching) -> None:
    store = GatheredStore(memory)
    await asyncio.gather(*[store.get(V2, key(number)) for number in range(GET_MANY_KEYS + 20)])
    assert [size for _, size in memory.calls] == [GET_MANY_KEYS, 20]
    memory.calls.clear()
    await asyncio.gather(*[store.try_write(update(number)) for number in range(2 * STATEMENTS + 5)])
    assert [size for _, size in memory.calls] == [STATEMENTS, STATEMENTS, 5]


async def test_a_read_begins_after_it_was_asked_for(memory: Batching) -> None:
    """The first reading is on its way when the item changes; a reading that is asked for afterwards sees the change."""
    store = GatheredStore(memory)
    memory.go.clear()
    first = asyncio.create_task(store.get(V2, key(1)))
    await turns(lambda: bool(memory.calls))
    memory.apply(Put(V2, {**key(1), "rev": {"S": "r2"}}))
    later = [asyncio.create_task(store.get(V2, key(number))) for number in (1, 2)]
    await turns(lambda: True)
    assert memory.calls == [("get", 1)], "the later ones wait for the first answer, and are sent then"
    memory.go.set()
    await first
    changed = await later[0]
    assert changed is not None
    assert changed["rev"] == {"S": "r2"}
    assert await later[1] is not None
    assert memory.calls == [("get", 1), ("get v2", 2)]


async def test_a_full_batch_waits_for_no_other(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.go.clear()
    tasks = [asyncio.create_task(store.get(V2, key(0)))]
    await turns(lambda: bool(memory.calls))
    tasks += [asyncio.create_task(store.get(V2, key(number))) for number in range(GET_MANY_KEYS)]
    await turns(lambda: len(memory.calls) == 2)
    memory.go.set()
    await asyncio.gather(*tasks)
    assert memory.calls == [("get", 1), ("get v2", GET_MANY_KEYS)]


async def test_each_update_has_its_own_condition_and_outcome(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.unknown = frozenset({"0003"})
    stale = {"S": "stale"}
    writes = [update(1), update(2, stale), update(3, stale)]
    assert await asyncio.gather(*[store.try_write(write) for write in writes]) == ["written", "refused", "unknown"]
    assert memory.calls == [("batch", 3)]


async def test_a_plain_write_that_is_unknown_is_false_so_its_caller_reads_again(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.unknown = frozenset({"0003"})
    writes = [update(1), update(3, {"S": "stale"})]
    assert await asyncio.gather(*[store.write(write) for write in writes]) == [True, False]
    assert memory.calls == [("batch", 2)]


async def test_two_updates_of_one_item_are_in_different_batches(memory: Batching) -> None:
    store = GatheredStore(memory)
    outcomes = await asyncio.gather(*[store.try_write(update(number)) for number in (1, 1, 2)])
    assert outcomes == ["written"] * 3
    assert memory.calls == [("batch", 2), ("write", 1)]


async def test_updates_of_different_fences_are_in_different_batches(memory: Batching) -> None:
    def closed() -> None:
        raise Fatal("the lease is over")

    def open_fence() -> None: ...

    store = GatheredStore(memory)
    outcomes = await asyncio.gather(
        *[store.try_write(update(number), fence=fence) for number in (1, 2, 3, 4) for fence in (open_fence, closed)],
        return_exceptions=True,
    )
    assert outcomes[::2] == ["written"] * 4
    assert all(isinstance(outcome, Fatal) for outcome in outcomes[1::2])


async def test_an_error_of_a_batch_is_that_of_all_without_an_outcome(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.failure = Throttled("slow down")
    outcomes = await asyncio.gather(*[store.try_write(update(number)) for number in range(3)], return_exceptions=True)
    assert outcomes[0] == "written"
    assert all(isinstance(outcome, Throttled) for outcome in outcomes[1:])


async def test_a_bad_key_harms_no_other(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.bad_keys = frozenset({"0002"})
    items = await asyncio.gather(*[store.get(V2, key(number)) for number in (1, 2, 3)], return_exceptions=True)
    assert isinstance(items[1], Poison)
    assert [isinstance(item, dict) for item in items] == [True, False, True]


async def test_updates_are_gathered_by_table_and_nothing_else_is(memory: Batching) -> None:
    store = GatheredStore(memory)
    updates = [update(number, table=table) for number in range(3) for table in (CONTROL, V2)]
    assert await asyncio.gather(*[store.try_write(each) for each in updates]) == ["written"] * 6
    assert memory.calls == [("batch", 3), ("batch", 3)]
    memory.calls.clear()
    assert await asyncio.gather(*[store.write(update(number), patient=False) for number in range(3)]) == [True] * 3
    assert await asyncio.gather(*[store.write(Delete(CONTROL, key(number))) for number in range(3)]) == [True] * 3
    assert memory.calls == [], "each was passed on as it is"


async def test_a_cancelled_question_is_not_sent(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.go.clear()
    first = asyncio.create_task(store.try_write(update(0)))
    tasks = [asyncio.create_task(store.try_write(update(number))) for number in (1, 2)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    memory.go.set()
    assert await asyncio.gather(first, tasks[0]) == ["written", "written"]
    assert memory.calls == [("batch", 2)]
    assert memory.item(CONTROL, key(2)) == {**key(2), "rev": FIRST, "n": {"N": "2"}}


async def test_a_request_ends_when_nobody_waits_for_it_any_more(memory: Batching) -> None:
    store = GatheredStore(memory)
    memory.go.clear()
    tasks = [asyncio.create_task(store.try_write(update(number))) for number in (1, 2)]
    await turns(lambda: bool(memory.calls))
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is left running"
    memory.go.set()
    assert await store.try_write(update(3)) == "written", "and the next question is sent"
