"""The in-memory table answers as DynamoDB Local does: the same verdicts, items, pages' content and stream records."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any
from uuid import uuid4

import pytest

from service.core.item.wire import AttributeValue, Item
from service.core.item.write import (
    Absent,
    AllOf,
    AnyOf,
    Check,
    Condition,
    Delete,
    Equals,
    Exists,
    Less,
    Path,
    Put,
    TransactItem,
    Update,
    Write,
)
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.protocol import ItemStore, StreamStore
from service.dynamodb.table_description import NewTable
from service.errors import Poison, Retryable
from tests.builders.planes import open_plane, plane_settings
from tests.fakes.memory import MemoryDynamoDB
from tests.fakes.memory_conditions import canonical

pytestmark = pytest.mark.local

KEY = ("PK", "SK")
INDEX = {"GSI1": ("G", "H")}
STEPS = 60
# DynamoDB Local leaves numbers inside lists and maps as they were written, DynamoDB does not: here they are plain.
VALUES: tuple[AttributeValue, ...] = (
    {"N": "1"},
    {"N": "1.0"},
    {"N": "-0"},
    {"N": "12345678901234567890123456789012345678"},
    {"N": "0.10"},
    {"N": "1E2"},
    {"S": ""},
    {"S": "1"},
    {"S": "é"},
    {"S": "\U0001f600"},
    {"S": "\uff5a"},
    {"B": "AAEC/w=="},
    {"BOOL": True},
    {"NULL": True},
    {"SS": ["b", "a"]},
    {"SS": ["a", "b"]},
    {"NS": ["2", "1.0"]},
    {"NS": ["1", "2"]},
    {"L": [{"N": "1"}, {"S": "x"}]},
    {"M": {"v": {"S": "0001.0009"}}},
    {"M": {"v": {"S": "0001.0010"}, "d": {"BOOL": True}}},
    {"M": {"v": {"N": "3"}}},
    {"M": {}},
)
PATHS: tuple[Path, ...] = (("PK",), ("a",), ("b",), ("_sync",), ("_sync", "v"), ("_sync", "nowhere"), ("a", "v"))
REFUSED: tuple[Item, ...] = (
    {"PK": {"S": "p"}},
    {"PK": {"S": "p"}, "SK": {"S": ""}},
    {"PK": {"S": "p"}, "SK": {"N": "1"}},
    {"PK": {"S": "p"}, "SK": {"S": "s"}, "G": {"S": ""}, "H": {"S": "h"}},
    {"PK": {"S": "p"}, "SK": {"S": "s"}, "G": {"N": "1"}, "H": {"S": "h"}},
    {"PK": {"S": "p"}, "SK": {"S": "s"}, "a": {"S": "x" * 410_000}},
)


@dataclass(frozen=True)
class Both:
    """The same table twice: on DynamoDB Local, and in memory."""

    table: str
    real: Any
    memory: MemoryDynamoDB
    real_arn: str
    memory_arn: str


@cache
def control_plane(url: str) -> ControlPlane:
    """boto3 takes 0.3 s to make a client."""
    return ControlPlane(plane_settings(url))


@pytest.fixture
async def both(dynamodb_local: str) -> AsyncIterator[Both]:
    control, table = control_plane(dynamodb_local), f"memory-{uuid4().hex[:12]}"
    control.create_table(NewTable(table, KEY, INDEX))
    described = control.describe_table(table)
    assert described is not None
    assert described.stream_arn is not None
    memory = MemoryDynamoDB()
    memory_arn = memory.create_table(table, KEY, indexes=INDEX)
    async with open_plane(dynamodb_local) as real:
        yield Both(table, real, memory, described.stream_arn, memory_arn)
    control.delete_table(table)


@pytest.mark.parametrize("seed", range(10))
async def test_random_writes_end_alike(both: Both, seed: int) -> None:
    rng = Random(seed)
    for step in range(STEPS):
        await _same_answer(both, rng, f"seed {seed}, step {step}")
    await _same_items(both)
    assert await _records(both.memory, both.memory_arn) == await _records(both.real, both.real_arn)


@pytest.mark.parametrize("number", range(len(REFUSED)))
async def test_refused_items_are_poison_for_both(both: Both, number: int) -> None:
    for store in (both.real, both.memory):
        with pytest.raises(Poison) as refused:
            await store.write(Put(both.table, REFUSED[number]))
        assert refused.value.reason == "refused_by_dynamodb"


@pytest.mark.parametrize("refused", [{"G": {"S": ""}}, {"G": {"N": "1"}}, {"a": {"S": "x" * 410_000}}])
async def test_refused_updates_are_poison_for_both_and_change_nothing(both: Both, refused: Item) -> None:
    update = Update(both.table, _key("p", "s"), refused)
    first = Put(both.table, _key("p", "first"))
    for store in (both.real, both.memory):
        for sent in (store.write(update), store.transact([first, update])):
            with pytest.raises(Poison) as caught:
                await sent
            assert caught.value.reason == "refused_by_dynamodb"
        assert [await store.get(both.table, key) for key in (first.item, update.key)] == [None, None]


async def test_a_lost_answer_leaves_the_same_doubt_in_memory(both: Both) -> None:
    """``test_data_plane`` has the same for real servers."""

    async def lost(operation: str, subject: object) -> None:
        both.memory.after = None
        raise Retryable("the connection was closed", reason="connection_closed")

    put = Put(both.table, _key("p", "s"), Absent(("PK",)))
    both.memory.after = lost
    assert [await both.memory.try_write(put) for _ in range(2)] == ["unknown", "refused"]
    both.memory.after = lost
    assert await both.memory.try_write(Put(both.table, _key("p", "s"))) == "written"


async def test_one_item_twice_in_a_transaction_is_poison_for_both(both: Both) -> None:
    twice: list[TransactItem] = [Put(both.table, _key("p", "s")), Update(both.table, _key("p", "s"), {"a": {"S": "x"}})]
    for store in (both.real, both.memory):
        with pytest.raises(Poison):
            await store.transact(twice)


async def test_pages_cover_every_item_once(both: Both) -> None:
    items = [
        {**_key(str(number % 3), f"{number:02}"), "G": {"S": "g"}, "H": {"S": f"{number:02}"}} for number in range(23)
    ]
    for store in (both.real, both.memory):
        for item in items:
            assert await store.write(Put(both.table, item))
        assert _bag(await _scanned(store, both.table, segments=3, limit=2)) == _bag(items)
        assert await _queried(store, both.table, {"G": {"S": "g"}}, index="GSI1") == items
        wanted = [item for item in items if item["PK"] == {"S": "1"}]
        assert await _queried(store, both.table, {"PK": {"S": "1"}}, index=None) == wanted
        assert await _queried(store, both.table, {"G": {"S": "g"}, "H": {"S": "07"}}, index="GSI1") == [items[7]]


async def _same_answer(both: Both, rng: Random, where: str) -> None:
    choice = rng.random()
    if choice < 0.3:
        write = _write(rng, both.table)
        answers = [await store.try_write(write) for store in (both.real, both.memory)]
    elif choice < 0.6:
        write = _write(rng, both.table)
        answers = [await store.write(write) for store in (both.real, both.memory)]
    elif choice < 0.75:
        items = [_item(rng, key) for key in _keys(rng)]
        answers = [await store.insert_many(both.table, items, KEY) for store in (both.real, both.memory)]
    elif choice < 0.95:
        transaction = [_transact_item(rng, both.table, key) for key in _keys(rng)]
        answers = [await store.transact(transaction) for store in (both.real, both.memory)]
    else:
        keys = _keys(rng)
        answers = [await _read(store, both.table, keys) for store in (both.real, both.memory)]
    assert answers[0] == answers[1], where


async def _read(store: ItemStore, table: str, keys: list[Item]) -> list[Any]:
    items = [await store.get(table, key) for key in keys]
    return [canonical({"M": item or {}}) for item in items]


async def _same_items(both: Both) -> None:
    keys = [_key(partition, sort) for partition in "pq" for sort in "st"]
    for read in (
        lambda store: _scanned(store, both.table, segments=2, limit=1),
        lambda store: store.get_many(both.table, keys),
        lambda store: _queried(store, both.table, {"PK": {"S": "p"}}, index=None),
        lambda store: _queried(store, both.table, {"G": {"S": "g"}}, index="GSI1"),
    ):
        assert _bag(await read(both.real)) == _bag(await read(both.memory))


async def _records(store: StreamStore, arn: str) -> list[Any]:
    """Every record of the table's one shard: event, key and images."""
    (shard,) = (await store.describe_stream(arn)).shards
    iterator: str | None = await store.shard_iterator(arn, shard.shard_id, "TRIM_HORIZON")
    records: list[Any] = []
    for _ in range(20):
        assert iterator is not None
        page = await store.get_records(iterator, 7)
        records += [_content(record) for record in page.records]
        iterator = page.next_iterator
    return records


def _content(record: dict[str, Any]) -> list[Any]:
    content = record["dynamodb"]
    images = [canonical({"M": content.get(name) or {}}) for name in ("Keys", "OldImage", "NewImage")]
    return [record["eventName"], content["StreamViewType"], *images]


async def _scanned(store: ItemStore, table: str, *, segments: int, limit: int) -> list[Item]:
    items = []
    for segment in range(segments):
        start: Item | None = None
        while True:
            page = await store.scan(table, segment=segment, segments=segments, start=start, limit=limit)
            items += page.items
            start = page.last_key
            if start is None:
                break
    return items


async def _queried(store: ItemStore, table: str, key: Item, *, index: str | None) -> list[Item]:
    items = []
    start: Item | None = None
    while True:
        page = await store.query(table, key, index=index, start=start, limit=4)
        items += page.items
        start = page.last_key
        if start is None:
            return items


def _bag(items: list[Item]) -> Counter[Any]:
    return Counter(canonical({"M": item}) for item in items)


def _key(partition: str, sort: str) -> Item:
    return {"PK": {"S": partition}, "SK": {"S": sort}}


def _keys(rng: Random) -> list[Item]:
    keys = [_key(partition, sort) for partition in "pq" for sort in "st"]
    return rng.sample(keys, rng.randint(1, 3))


def _item(rng: Random, key: Item) -> Item:
    content = {name: rng.choice(VALUES) for name in ("a", "b", "_sync") if rng.random() < 0.7}
    index = {"G": {"S": "g"}, "H": {"S": rng.choice("xy")}} if rng.random() < 0.5 else {}
    return {**key, **content, **index}


def _write(rng: Random, table: str) -> Write:
    key, condition = _keys(rng)[0], _condition(rng) if rng.random() < 0.8 else None
    if rng.random() < 0.25:
        return Delete(table, key, condition)
    return _put_or_update(rng, table, key, condition)


def _put_or_update(rng: Random, table: str, key: Item, condition: Condition | None) -> Put | Update:
    item = _item(rng, key)
    if rng.random() < 0.5:
        return Put(table, item, condition)
    changed = {name: value for name, value in item.items() if name not in key}
    removed = [name for name in ("a", "b", "_sync", "G", "H") if name not in changed and rng.random() < 0.5]
    return Update(table, key, changed, tuple(removed) if changed else ("b", "H"), condition)


def _transact_item(rng: Random, table: str, key: Item) -> TransactItem:
    condition = rng.choice((None, Absent(("PK",)), Exists(("a",)), _condition(rng)))
    if condition is not None and rng.random() < 0.3:
        return Check(table, key, condition)
    return _put_or_update(rng, table, key, condition)


def _condition(rng: Random, depth: int = 2) -> Condition:
    path = rng.choice(PATHS)
    if depth and rng.random() < 0.3:
        junction = rng.choice((AllOf, AnyOf))
        return junction(tuple(_condition(rng, depth - 1) for _ in range(rng.randint(1, 3))))
    ordered = [value for value in VALUES if value.keys() & {"S", "N", "B"}]
    return rng.choice((Absent(path), Exists(path), Equals(path, rng.choice(VALUES)), Less(path, rng.choice(ordered))))
