"""Every method of the data plane, and the control plane, on real servers: DynamoDB Local and moto."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from uuid import uuid4

import pytest

from service.clock import SystemClock
from service.core.item.wire import UNREADABLE, Item
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
    Put,
    TransactItem,
    Update,
)
from service.dynamodb.caller import Caller
from service.dynamodb.client import DynamoDBClient
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.protocol import InsertRefused
from service.dynamodb.table_description import Identity, NewTable
from service.dynamodb.table_waits import until_active, until_deleted, until_stream_enabled
from service.dynamodb.tables import table_differences
from service.errors import Fatal, Poison, Retryable, StreamGone
from tests.builders.planes import RetryLog, open_plane, plane_settings

NAMES = ("PK", "SK")


@dataclass(frozen=True)
class Server:
    """An open client of a server with what it counts, its control plane, and a fresh table."""

    name: str
    plane: DynamoDBClient
    control: ControlPlane
    table: str
    counted: RetryLog


@cache
def control_plane(url: str) -> ControlPlane:
    """boto3 takes 0.3 s to make a client."""
    return ControlPlane(plane_settings(url))


@pytest.fixture(
    params=[
        pytest.param("dynamodb_local", marks=pytest.mark.local),
        pytest.param("moto_server", marks=pytest.mark.moto),
    ]
)
async def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    url = request.getfixturevalue(request.param)
    control = control_plane(url)
    table = f"plane-{uuid4().hex[:12]}"
    control.create_table(NewTable(table, NAMES, {"GSI1": ("GSI1PK", "GSI1SK")}))
    counted = RetryLog()
    async with open_plane(url, retries=counted) as plane:
        yield Server(request.param, plane, control, table, counted)
    control.delete_table(table)


def key(partition: str, sort: str = "x") -> Item:
    return {"PK": {"S": partition}, "SK": {"S": sort}}


DIRTY: Item = key("dirty") | {
    "number": {"N": "12345678901234567890123456789012345678"},
    "small": {"N": "0.1"},
    "empty": {"S": ""},
    "binary": {"B": "AAEC/w=="},
    "null": {"NULL": True},
    "flag": {"BOOL": False},
    "list": {"L": [{"S": "a"}, {"M": {"deep": {"L": []}}}]},
    "map": {"M": {"it's": {"S": "quoted"}}},
    "strings": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1"]},
    "binaries": {"BS": ["AQ=="]},
    'it\'s "odd" \\ név': {"S": "x"},
    "name": {"S": "a reserved word"},
}


async def test_a_dirty_item_comes_back_as_it_was_written(server: Server) -> None:
    assert await server.plane.write(Put(server.table, DIRTY))
    assert await server.plane.get(server.table, key("dirty")) == DIRTY


async def test_a_dirty_item_comes_back_as_it_was_inserted(server: Server) -> None:
    assert await server.plane.insert_many(server.table, [DIRTY], NAMES) == [True]
    assert await server.plane.get(server.table, key("dirty")) == DIRTY


async def test_an_absent_item_is_none(server: Server) -> None:
    assert await server.plane.get(server.table, key("absent")) is None


STORED: Item = key("c") | {
    "_sync": {"M": {"v": {"S": "5"}}},
    "set": {"SS": ["a", "b"]},
    "n": {"N": "10"},
}

CONDITIONS: list[tuple[Condition, bool]] = [
    (Absent(("PK",)), False),
    (Absent(("other",)), True),
    (Absent(("_sync", "d")), True),
    (Exists(("_sync", "v")), True),
    (Exists(("_sync", "v", "deeper")), False),
    (Equals(("n",), {"N": "10.0"}), True),
    (Equals(("n",), {"S": "10"}), False),
    (Equals(("set",), {"SS": ["b", "a"]}), True),
    (Less(("_sync", "v"), {"S": "6"}), True),
    (Less(("_sync", "v"), {"S": "5"}), False),
    (Less(("n",), {"N": "9"}), False),
    (Less(("nothing",), {"S": "6"}), False),
    (AnyOf((Absent(("_sync",)), Less(("_sync", "v"), {"S": "6"}))), True),
    (AllOf((Exists(("PK",)), AnyOf((Absent(("n",)), Absent(("set",)))))), False),
    (AllOf((AnyOf((AllOf((Exists(("PK",)),)),)),)), True),
]


@pytest.mark.parametrize(("condition", "met"), CONDITIONS)
async def test_a_condition_decides(server: Server, condition: Condition, met: bool) -> None:
    await server.plane.write(Put(server.table, STORED))
    assert await server.plane.write(Put(server.table, STORED | {"new": {"S": "x"}}, condition)) is met
    assert ("new" in (await server.plane.get(server.table, key("c")) or {})) is met
    await server.plane.write(Put(server.table, STORED))
    assert await server.plane.write(Delete(server.table, key("c"), condition)) is met


async def test_an_update_sets_and_removes_and_leaves_the_rest(server: Server) -> None:
    before = key("u") | {"name": {"S": "before"}, "size": {"N": "1"}, "other": {"S": "stays"}}
    await server.plane.write(Put(server.table, before))
    change = Update(server.table, key("u"), {"name": {"S": "after"}, "a.b": {"L": []}}, ("size", "nothing"))
    assert await server.plane.write(change) is True
    after = key("u") | {"name": {"S": "after"}, "a.b": {"L": []}, "other": {"S": "stays"}}
    assert await server.plane.get(server.table, key("u")) == after


async def test_an_update_makes_the_absent_item_or_is_refused(server: Server) -> None:
    plane, table = server.plane, server.table
    assert await plane.write(Update(table, key("u"), {"a": {"S": "x"}}, ("b",), Exists(("PK",)))) is False
    assert await plane.get(table, key("u")) is None
    assert await plane.write(Update(table, key("u"), {"a": {"S": "x"}}, ("b",), Absent(("PK",)))) is True
    assert await plane.get(table, key("u")) == key("u") | {"a": {"S": "x"}}
    assert await plane.write(Update(table, key("u"), {}, ("a",), Exists(("PK",)))) is True
    assert await plane.get(table, key("u")) == key("u")


async def test_a_write_says_whether_it_was_written_or_refused(server: Server) -> None:
    put = Put(server.table, key("try"), Absent(("PK",)))
    assert [await server.plane.try_write(put) for _ in range(2)] == ["written", "refused"]
    update = Update(server.table, key("try"), {"a": {"S": "1"}}, (), Absent(("a",)))
    assert [await server.plane.try_write(update) for _ in range(2)] == ["written", "refused"]
    delete = Delete(server.table, key("try"), Exists(("PK",)))
    assert [await server.plane.try_write(delete) for _ in range(2)] == ["written", "refused"]


async def test_a_refused_write_whose_first_answer_was_lost_may_have_been_made(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_first_answer(monkeypatch)
    put = Put(server.table, key("try"), Absent(("PK",)))
    assert await server.plane.try_write(put) == "unknown"
    assert await server.plane.get(server.table, key("try")) == key("try")
    assert await server.plane.try_write(put) == "refused"


async def test_a_write_whose_first_answer_was_lost_is_made_again_when_it_may_be(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_first_answer(monkeypatch)
    assert await server.plane.try_write(Put(server.table, key("try"))) == "written"


def lose_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next request is answered, and the answer does not arrive."""
    once = Caller.once

    async def lost(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(Caller, "once", once)
        await once(*arguments, **named)
        raise Retryable("the connection was closed", reason="connection_closed")

    monkeypatch.setattr(Caller, "once", lost)


async def test_an_update_that_grows_the_item_beyond_the_limit_is_poison(server: Server) -> None:
    await server.plane.write(Put(server.table, key("u") | {"a": {"S": "x" * 300_000}}))
    with pytest.raises(Poison, match=rf"^UpdateItem on {server.table}: DynamoDB refuses the item: "):
        await server.plane.write(Update(server.table, key("u"), {"b": {"S": "x" * 120_000}}))


async def test_an_insert_never_overwrites(server: Server) -> None:
    await server.plane.write(Put(server.table, key("a") | {"first": {"S": "x"}}))
    items = [key(name) | {"second": {"S": "y"}} for name in ("a", "b", "c")]
    assert await server.plane.insert_many(server.table, items, NAMES) == [False, True, True]
    assert await server.plane.get(server.table, key("a")) == key("a") | {"first": {"S": "x"}}


@pytest.mark.parametrize("bad", [key(""), key("n") | {"n": {"N": "1e200"}}, key("s") | {"s": {"SS": []}}])
async def test_a_bad_item_does_not_keep_the_others_out(server: Server, bad: Item) -> None:
    with pytest.raises(InsertRefused) as caught:
        await server.plane.insert_many(server.table, [key("a"), bad, key("b")], NAMES)
    assert caught.value.results == [True, None, True]
    assert list(caught.value.refused) == [1]
    assert len(await server.plane.get_many(server.table, [key("a"), key("b")])) == 2


async def test_twenty_five_large_items_go_in_one_call(server: Server) -> None:
    items = [key(f"large-{n}") | {"text": {"S": "x" * 100_000}} for n in range(25)]
    assert await server.plane.insert_many(server.table, items, NAMES) == [True] * 25


async def test_a_refused_put_is_poison(server: Server) -> None:
    with pytest.raises(Poison, match=rf"^PutItem on {server.table}: DynamoDB refuses the item: ") as caught:
        await server.plane.write(Put(server.table, key("big") | {"text": {"S": "x" * 420_000}}))
    assert caught.value.reason == "refused_by_dynamodb"


async def test_get_many_finds_what_exists_beyond_one_request(server: Server) -> None:
    await server.plane.insert_many(server.table, [key(f"{n:03d}") for n in range(0, 250, 10)], NAMES)
    items = await server.plane.get_many(server.table, [key(f"{n:03d}") for n in range(250)])
    assert sorted(item["PK"]["S"] for item in items) == [f"{n:03d}" for n in range(0, 250, 10)]


async def test_get_many_continues_after_a_full_answer(server: Server) -> None:
    items = [key(f"{n:03d}") | {"text": {"S": "x" * 390_000}} for n in range(50)]
    for start in range(0, 50, 25):
        await server.plane.insert_many(server.table, items[start : start + 25], NAMES)
    items = await server.plane.get_many(server.table, [key(f"{n:03d}") for n in range(50)])
    assert sorted(item["PK"]["S"] for item in items) == [f"{n:03d}" for n in range(50)]


async def test_the_segments_of_a_scan_hold_every_item_once(server: Server) -> None:
    await server.plane.insert_many(server.table, [key(f"{n:02d}") for n in range(25)], NAMES)
    names = []
    for segment in range(3):
        start = None
        while True:
            page = await server.plane.scan(server.table, segment=segment, segments=3, start=start, limit=4)
            names += [item["PK"]["S"] for item in page.items]
            if (start := page.last_key) is None:
                break
    assert sorted(names) == [f"{n:02d}" for n in range(25)]


async def test_a_query_pages_in_sort_key_order(server: Server) -> None:
    items = [key("q", f"{n}") | {"GSI1PK": {"S": "index"}, "GSI1SK": {"S": f"{9 - n}"}} for n in range(5)]
    await server.plane.insert_many(server.table, items, NAMES)
    first = await server.plane.query(server.table, {"PK": {"S": "q"}}, limit=3, consistent=True)
    rest = await server.plane.query(server.table, {"PK": {"S": "q"}}, start=first.last_key)
    assert [item["SK"]["S"] for item in first.items + rest.items] == ["0", "1", "2", "3", "4"]
    assert rest.last_key is None
    by_index = await server.plane.query(server.table, {"GSI1PK": {"S": "index"}}, index="GSI1")
    assert [item["SK"]["S"] for item in by_index.items] == ["4", "3", "2", "1", "0"]


async def test_a_transaction_is_all_or_nothing(server: Server) -> None:
    plane, table = server.plane, server.table
    await plane.write(Put(table, key("old")))
    move: list[TransactItem] = [
        Put(table, key("new"), Absent(("PK",))),
        Delete(table, key("old"), Exists(("PK",))),
        Check(table, key("guard"), Absent(("PK",))),
    ]
    assert await plane.transact(move) is True
    assert await plane.get(table, key("old")) is None
    await plane.write(Put(table, key("old")))
    assert await plane.transact(move) is False
    assert await plane.get(table, key("old")) == key("old")


async def test_an_update_takes_part_in_a_transaction(server: Server) -> None:
    plane, table = server.plane, server.table
    await plane.write(Put(table, key("u") | {"a": {"S": "x"}, "b": {"S": "y"}}))
    update = Update(table, key("u"), {"a": {"S": "z"}}, ("b",), Equals(("a",), {"S": "x"}))
    assert await plane.transact([update, Check(table, key("guard"), Exists(("PK",)))]) is False
    assert await plane.get(table, key("u")) == key("u") | {"a": {"S": "x"}, "b": {"S": "y"}}
    assert await plane.transact([update, Put(table, key("with"))]) is True
    assert await plane.get(table, key("u")) == key("u") | {"a": {"S": "z"}}
    assert await plane.get(table, key("with")) == key("with")


async def test_an_answer_has_the_units_that_the_request_consumed(server: Server) -> None:
    plane, table, units = server.plane, server.table, server.counted.units
    indexed = key("a") | {"GSI1PK": {"S": "i"}, "GSI1SK": {"S": "j"}}
    await plane.write(Put(table, indexed))
    assert units[table, "write"] >= 1
    await plane.get(table, key("a"))
    await plane.get_many(table, [key("a")])
    assert units[table, "read"] >= 1
    if server.name == "dynamodb_local":  # moto reports less; neither reports what BatchExecuteStatement consumed
        before = units[table, "write"]
        await plane.transact([Put(table, key("d"))])
        assert units[table, "write"] >= before + 2


async def test_a_missing_table_is_fatal(server: Server) -> None:
    with pytest.raises(Fatal, match=r"^table not-there was not found in region ap-southeast-2 at http://"):
        await server.plane.get("not-there", key("a"))


async def test_the_stream_has_every_write_in_order(server: Server) -> None:
    plane, table = server.plane, server.table
    described = await until_stream_enabled(server.control, plane, table, SystemClock(), 30)
    arn = described.stream_arn
    assert arn is not None
    await plane.write(Put(table, key("s") | {"n": {"N": "1"}}))
    await plane.write(Put(table, key("s") | {"n": {"N": "2"}}))
    await plane.write(Delete(table, key("s")))
    stream = await plane.describe_stream(arn)
    assert stream.view_type == "NEW_AND_OLD_IMAGES"
    records = []
    for shard in stream.shards:
        iterator = await plane.shard_iterator(arn, shard.shard_id, "TRIM_HORIZON")
        records += (await plane.get_records(iterator)).records
    assert [record["eventName"] for record in records] == ["INSERT", "MODIFY", "REMOVE"]
    middle = records[1]["dynamodb"]
    assert isinstance(middle, dict)
    after = await plane.shard_iterator(
        arn, stream.shards[0].shard_id, "AFTER_SEQUENCE_NUMBER", middle["SequenceNumber"]
    )
    assert [record["eventName"] for record in (await plane.get_records(after)).records] == ["REMOVE"]


async def test_an_open_shard_has_no_children(server: Server) -> None:
    table = server.control.describe_table(server.table)
    assert table is not None
    assert table.stream_arn is not None
    stream = await server.plane.describe_stream(table.stream_arn)
    children = await server.plane.describe_stream(table.stream_arn, children_of=stream.shards[0].shard_id)
    assert children.shards == ()


async def test_the_stream_of_no_table_is_gone(server: Server) -> None:
    table = server.control.describe_table(server.table)
    assert table is not None
    assert table.stream_arn is not None
    old = table.stream_arn.rpartition("/")[0].replace(server.table, "not-there")
    with pytest.raises(StreamGone):
        await server.plane.describe_stream(f"{old}/2020-01-01T00:00:00.000")


async def test_a_table_is_made_described_streamed_and_deleted(server: Server) -> None:
    control, clock = server.control, SystemClock()
    name = f"{server.table}-2"
    control.create_table(NewTable(name, ("PK", None), {"ByOwner": ("owner", "SK")}, stream=False))
    table = await until_active(control, name, clock, 30)
    assert (table.key, table.billing, table.stream_view_type) == (("PK", None), "PAY_PER_REQUEST", None)
    assert {index: schema.key for index, schema in table.indexes.items()} == {"ByOwner": ("owner", "SK")}
    assert {index.projection for index in table.indexes.values()} == {None}
    control.enable_stream(name)
    streamed = await until_stream_enabled(control, server.plane, name, clock, 30)
    assert streamed.stream_view_type == "NEW_AND_OLD_IMAGES"
    with pytest.raises(Fatal, match=rf"^CreateTable on {name}: "):
        control.create_table(NewTable(name, ("PK", None)))
    with pytest.raises(Fatal, match=rf"^UpdateTable on {name}: "):
        control.enable_stream(name)
    control.delete_table(name)
    await until_deleted(control, name, clock, 30)
    assert await asyncio.to_thread(control.describe_table, name) is None


async def test_a_table_that_somebody_makes_anew_is_another_one(server: Server) -> None:
    control, clock, ids = server.control, SystemClock(), set()
    for _ in range(2):
        control.create_table(NewTable(f"{server.table}-4", ("PK", None), stream=False))
        made = await until_active(control, f"{server.table}-4", clock, 30)
        again = await asyncio.to_thread(control.describe_table, made.name)
        assert again is not None
        assert again.table_id == made.table_id
        ids.add(made.table_id)
        control.delete_table(made.name)
        await until_deleted(control, made.name, clock, 30)
    assert len(ids) == 2


async def test_an_index_has_what_its_projection_says(server: Server) -> None:
    name, keys = f"{server.table}-3", {index: ("owner", index) for index in ("All", "Keys", "Some")}
    wanted = NewTable(name, ("PK", None), keys, stream=False, projections={"Keys": (), "Some": ("b", "a")})
    server.control.create_table(wanted)
    table = await until_active(server.control, name, SystemClock(), 30)
    projected = {index: schema.projection for index, schema in table.indexes.items()}
    assert projected == {"All": None, "Keys": (), "Some": ("a", "b")}
    assert table_differences(wanted, table) == []
    more = {"All": ("a",), "Keys": ("a",), "Some": ("a", "c")}
    differences = table_differences(replace(wanted, projections=more), table)
    assert differences == ["index Keys projects KEYS_ONLY, wanted a", "index Some projects a, b, wanted a, c"]
    assert table_differences(replace(wanted, projections={}), table) == [
        "index Keys projects KEYS_ONLY, wanted ALL",
        "index Some projects a, b, wanted ALL",
    ]
    server.control.delete_table(name)


async def test_a_local_server_knows_no_identity(server: Server) -> None:
    assert server.control.caller_identity() == Identity("local", "local")


async def test_the_server_gives_its_time(server: Server) -> None:
    assert abs(server.control.server_time() - SystemClock().now()) < 5


async def test_half_a_surrogate_pair_hides_nothing_but_its_own_attribute(server: Server) -> None:
    if server.name != "dynamodb_local":
        pytest.skip("moto refuses it")
    whole, broken = key("whole") | {"t": {"S": "ok"}}, key("broken") | {"t": {"S": "x\ud83d"}, "u": {"S": "ok"}}
    for item in (broken, whole):
        await asyncio.to_thread(
            server.control._calls.call, "dynamodb", "put_item", server.table, {"TableName": server.table, "Item": item}
        )
    marked = key("broken") | {"t": {UNREADABLE: '{"S": "x\\ud83d"}'}, "u": {"S": "ok"}}
    assert await server.plane.get(server.table, key("broken")) == marked
    page = await server.plane.scan(server.table, segment=0, segments=1, start=None, limit=10)
    assert sorted(page.items, key=str) == sorted([marked, whole], key=str)
    arn = (await until_stream_enabled(server.control, server.plane, server.table, SystemClock())).stream_arn
    assert arn is not None
    shard = (await server.plane.describe_stream(arn)).shards[0].shard_id
    records = await server.plane.get_records(await server.plane.shard_iterator(arn, shard, "TRIM_HORIZON"))
    assert [record["dynamodb"]["NewImage"] for record in records.records] == [marked, whole]
