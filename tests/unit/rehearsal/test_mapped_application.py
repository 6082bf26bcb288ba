"""The application by the mapping, on tables in memory, where the order of requests can be chosen."""

import asyncio

import pytest

from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.transform import forward, old_key
from service.core.phases.acting import Side
from service.rehearsal.by_mapping import MappedApplication
from tests.builders.designs import items_of, mapping_of
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

MAPPING = mapping_of("game")
PLAYER: Item = items_of("game")[0]


@pytest.fixture
def db() -> MemoryDynamoDB:
    db = MemoryDynamoDB()
    db.create_table("game", ("PK", "SK"))
    for name, shape in MAPPING.tables.items():
        db.create_table(name, shape.key_names)
    v2 = forward(MAPPING, PLAYER)
    db.apply(Put("game", PLAYER))
    db.apply(Put(v2.table, v2.item))
    return db


@pytest.mark.parametrize("side", ["old", "v2"])
async def test_of_two_first_increments_at_once_one_is_made(db: MemoryDynamoDB, side: Side) -> None:
    """The item has no change token: nothing but the counter itself shows the other writer."""
    applications = [MappedApplication(db, MAPPING, VirtualClock(), [PLAYER]) for _ in range(2)]
    both_have_read = asyncio.Barrier(2)

    async def wait_for_the_other(operation: str, subject: object) -> None:
        if operation == "write":
            await both_have_read.wait()

    db.before = wait_for_the_other
    key, one = old_key(MAPPING, PLAYER), {"N": "1"}
    made = await asyncio.gather(*(app.compare_and_set(side, key, "count", None, one) for app in applications))
    assert sorted(made) == [False, True]
