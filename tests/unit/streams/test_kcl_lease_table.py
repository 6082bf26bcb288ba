"""KCL's lease table follows the saved positions, and another's is left alone."""

import pytest

from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.shards import Position
from service.errors import Refused
from service.streams.kcl.lease_table import KEY, OWNER_MARK, LeaseTable
from tests.fakes.memory import MemoryDynamoDB

READ = Position(parent_id=None, sequence="1000")
NEW = Position(parent_id="p", sequence=None)
FINISHED = Position(parent_id=None, sequence="900", state="finished")


@pytest.fixture
def db() -> MemoryDynamoDB:
    db = MemoryDynamoDB()
    db.create_table("leases", (KEY,))
    return db


def put(db: MemoryDynamoDB, shard_id: str, checkpoint: str, **more: str) -> None:
    db.apply(
        Put("leases", {KEY: {"S": shard_id}, "checkpoint": {"S": checkpoint}, **{n: {"S": v} for n, v in more.items()}})
    )


def checkpoints(db: MemoryDynamoDB) -> dict[str, str]:
    return {row[KEY]["S"]: row["checkpoint"]["S"] for row in db.items("leases")}


def table(db: MemoryDynamoDB) -> LeaseTable:
    return LeaseTable(db, "leases", "control")


async def test_rows_that_are_missing_are_made() -> None:
    db = MemoryDynamoDB()
    db.create_table("leases", (KEY,))
    await table(db).follow({}, {"a": READ, "b": NEW, "c": FINISHED})
    assert checkpoints(db) == {"a": "1000", "b": "TRIM_HORIZON", "c": "SHARD_END"}
    made: dict[str, Item] = {row[KEY]["S"]: row for row in db.items("leases")}
    assert made["b"]["parentShardId"] == {"SS": ["p"]}
    assert "parentShardId" not in made["a"]


@pytest.mark.parametrize(
    ("was", "position", "expected"),
    [
        ("500", READ, "1000"),  # the embedded engine has read on
        ("2000", READ, "1000"),  # the operator has accepted a gap
        ("500", Position(parent_id=None), "TRIM_HORIZON"),  # and here all that is left is to be read
        ("500", FINISHED, "SHARD_END"),
    ],
)
async def test_rows_are_brought_to_the_positions(
    db: MemoryDynamoDB, was: str, position: Position, expected: str
) -> None:
    put(db, "a", was, leaseOwner="w", tablesplit="control")
    await table(db).follow(await table(db).rows(), {"a": position})
    assert checkpoints(db) == {"a": expected}
    assert db.items("leases")[0]["leaseOwner"] == {"S": "w"}


async def test_a_row_that_its_worker_moves_meanwhile_is_left() -> None:
    # Read before its worker went on, the row would be put back to a position that is older than what the worker knows.
    db = MemoryDynamoDB()
    db.create_table("leases", (KEY,))
    put(db, "a", "500", tablesplit="control")
    rows = await table(db).rows()
    put(db, "a", "1500", tablesplit="control")
    await table(db).follow(rows, {"a": READ})
    assert checkpoints(db) == {"a": "1500"}


async def test_a_row_that_kcl_has_made_gets_our_mark_and_keeps_its_checkpoint(db: MemoryDynamoDB) -> None:
    put(db, "a", "1500")
    await table(db).add("a", READ)
    await table(db).add("b", NEW)
    assert checkpoints(db) == {"a": "1500", "b": "TRIM_HORIZON"}
    assert {row[OWNER_MARK]["S"] for row in db.items("leases")} == {"control"}


@pytest.mark.parametrize(
    ("rows", "whose"),
    [
        ([("a", {"tablesplit": "another-control"})], "the migration of control table another-control"),
        ([("a", {}), ("b", {})], "another KCL application"),
        ([("a", {"tablesplit": "control"}), ("b", {"tablesplit": "other"})], "the migration of control table other"),
    ],
)
async def test_the_table_of_another_application_or_migration_is_refused(
    db: MemoryDynamoDB, rows: list[tuple[str, dict[str, str]]], whose: str
) -> None:
    for shard_id, more in rows:
        put(db, shard_id, "1", **more)
    with pytest.raises(Refused) as refused:
        await table(db).rows()
    assert refused.value.message == f"lease table leases belongs to {whose}"
    assert "TABLESPLIT_KCL_APPLICATION" in refused.value.remedy


async def test_an_empty_table_and_rows_of_which_one_is_ours_are_ours(db: MemoryDynamoDB) -> None:
    assert await table(db).rows() == {}
    put(db, "a", "1", tablesplit="control")
    put(db, "child", "TRIM_HORIZON")  # KCL made it
    assert set(await table(db).rows()) == {"a", "child"}
