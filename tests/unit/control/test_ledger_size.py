"""The size of the ledger's item."""

import pytest

from service.clock import SystemClock
from service.control.ledger import Ledger
from service.control.table import ControlTable
from service.core.item.size import item_bytes
from service.core.rules.ledger import (
    ForwardClaim,
    ForwardHalf,
    Place,
    ReverseClaim,
    ReverseHalf,
    Track,
    count_version,
)
from tests.fakes.memory import MemoryDynamoDB

KEY = {"pk": {"S": "DEAL#1C1I7A6R-4711"}, "sk": {"S": "METADATA"}}
PLACE = Place("production-CRM-Deals-v2", {"PK": {"S": "DEAL"}, "SK": {"S": "2024-05#1C1I7A6R-4711"}})
VERSION = f"0001.{'1234567' * 3}{'0' * 19}"
COUNT = count_version(1, 12)
UNITS = ("company", "stage", "updated_at", "value")
FORWARD = ForwardHalf(
    seen=COUNT,
    done=VERSION,
    claim=ForwardClaim(VERSION, COUNT, "worker-host-12345-abcdef", (PLACE.text,), (PLACE.text,)),
    places=(PLACE.text,),
)
REVERSE = ReverseHalf(
    count=COUNT,
    puts=dict.fromkeys(UNITS, COUNT),
    last=COUNT,
    tracks={PLACE.text: Track(VERSION, VERSION)},
    claims={PLACE.text: ReverseClaim(VERSION, VERSION, "worker-host-12345-abcdef", COUNT, UNITS)},
    places=(PLACE.text,),
)


@pytest.fixture
def memory() -> MemoryDynamoDB:
    made = MemoryDynamoDB()
    made.create_table("control", ("pk", "sk"))
    return made


@pytest.fixture
def ledger(memory: MemoryDynamoDB) -> Ledger:
    return Ledger(ControlTable(memory, "control"), SystemClock(), "old", 1)


async def test_an_entry_with_both_claims_open_takes_one_write_unit(memory: MemoryDynamoDB, ledger: Ledger) -> None:
    read = await ledger.read(KEY)
    for half in (FORWARD, REVERSE):
        update, read = ledger.update(read, half)
        assert memory.apply(update)
    (item,) = memory.items("control")
    assert item_bytes(item) < 1024
