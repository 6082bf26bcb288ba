"""Conditional updates in one BatchExecuteStatement on real servers: with PartiQL (DynamoDB Local) and without it (moto)."""

import asyncio
from uuid import uuid4

import pytest

from service.clock import SystemClock
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, Condition, Equals, Exists, Less, Put, Update
from service.dynamodb.control_plane import ControlPlane
from service.dynamodb.gathered import GatheredStore
from service.dynamodb.table_description import NewTable
from service.dynamodb.table_waits import until_active
from tests.builders.planes import RetryLog, open_plane, plane_settings

EPOCH = Equals(("epoch",), {"N": "2"})


def key(name: str) -> Item:
    return {"pk": {"S": "ledger#00"}, "sk": {"S": name}}


def half(rev: str | None) -> Condition:
    """The condition of a half of the ledger that was read with this revision, of an entry that exists."""
    first = Absent(("reverse_rev",)) if rev is None else Equals(("forward_rev",), {"S": rev})
    return AllOf((first, EPOCH))


CASES: list[tuple[str, Condition, bool]] = [
    ("there", half("r1"), True),
    ("there", half("r0"), False),
    ("there", half(None), True),
    ("there", AllOf((half("r1"), Exists(("it's",)))), True),
    ("there", AllOf((half("r1"), Absent(("it's",)))), False),
    ("there", AllOf((half("r1"), Equals(("flag",), {"BOOL": True}), Equals(("raw",), {"B": "AAE="}))), True),
    ("there", AllOf((half("r1"), Equals(("flag",), {"S": "true"}))), False),
    ("there", AllOf((half("r1"), Equals(("map",), {"M": {"v": {"S": "0001"}, "a": {"N": "1"}}}))), True),
    ("there", AllOf((half("r1"), Equals(("map",), {"M": {"a": {"N": "2"}}}))), False),
    (
        "there",
        AllOf(
            (half("r1"), Equals(("list",), {"L": [{"S": "a"}, {"NULL": True}]}), Equals(("set",), {"SS": ["b", "a"]}))
        ),
        True,
    ),
    ("there", Equals(("set",), {"SS": ["a"]}), False),
    ("there", AllOf((Equals(("map", "a"), {"N": "1"}), Less(("map", "v"), {"S": "0002"}))), True),
    ("there", AllOf((Equals(("map", "a"), {"N": "1"}), Less(("map", "v"), {"S": "0001"}))), False),
    ("there", Less(("map", "none"), {"S": "0001"}), False),
    ("there", Absent(("pk",)), False),
    ("absent", half("r1"), False),
    ("absent", half(None), False),
    ("absent", Absent(("pk",)), True),
]
EXPECTED = {
    "dynamodb_local": ["BatchExecuteStatement", "UpdateItem", "UpdateItem"],
    "moto_server": ["UpdateItem"] * len(CASES),
}
"""The requests after the probe. Two refusals are confirmed by updates of their own: a map and a set are compared."""

THERE: Item = {
    "forward_rev": {"S": "r1"},
    "epoch": {"N": "2"},
    "it's": {"S": "x"},
    "flag": {"BOOL": True},
    "raw": {"B": "AAE="},
    "map": {"M": {"a": {"N": "1"}, "v": {"S": "0001"}}},
    "list": {"L": [{"S": "a"}, {"NULL": True}]},
    "set": {"SS": ["a", "b"]},
    "document": {"S": "former"},
}


def cases(table: str) -> list[tuple[Update, Item | None, bool]]:
    """Each update of CASES, the item that is there before, and whether the update is made."""
    made = []
    for number, (kind, condition, expected) in enumerate(CASES):
        name = key(f"{kind}{number}")
        removed = ("document",) if condition != Absent(("pk",)) else ()
        update = Update(table, name, {"forward": {"S": '{"a": 1}'}, "key": {"S": "k"}}, removed, condition)
        made.append((update, {**name, **THERE} if kind == "there" else None, expected))
    return made


def after(update: Update, before: Item | None, *, made: bool) -> Item | None:
    """The item once the update was made, or refused."""
    if not made:
        return before
    left = {name: value for name, value in (before or update.key).items() if name not in update.remove}
    return {**left, **update.set}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param("dynamodb_local", marks=pytest.mark.local),
        pytest.param("moto_server", marks=pytest.mark.moto),
    ],
)
async def test_updates_in_a_batch_do_what_each_does_alone(server: str, request: pytest.FixtureRequest) -> None:
    url, table, counted = request.getfixturevalue(server), f"batched-{uuid4().hex[:8]}", RetryLog()
    admin = ControlPlane(plane_settings(url))
    await asyncio.to_thread(admin.create_table, NewTable(table, ("pk", "sk"), stream=False))
    async with open_plane(url, retries=counted) as plane:
        await until_active(admin, table, SystemClock())
        store = GatheredStore(plane)
        for _, before, _ in cases(table):
            if before is not None:
                await plane.write(Put(table, before))
        counted.requests.clear()
        outcomes = await asyncio.gather(*[store.try_write(update) for update, _, _ in cases(table)])
        assert outcomes == ["written" if made else "refused" for _, _, made in cases(table)]
        probe, *operations = [operation for operation, _ in counted.requests]
        assert probe == "BatchExecuteStatement"
        assert operations == EXPECTED[server]
        counted.requests.clear()
        items = await asyncio.gather(*[store.get(table, update.key) for update, _, _ in cases(table)])
        assert [operation for operation, _ in counted.requests] == ["BatchGetItem"]
    await asyncio.to_thread(admin.delete_table, table)
    assert items == [after(update, before, made=made) for update, before, made in cases(table)]
