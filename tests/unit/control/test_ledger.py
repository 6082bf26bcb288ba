"""The ledger's item: its size, and what is read of it."""

import pytest

from service.clock import SystemClock
from service.control.ledger import EntryReading, Ledger
from service.control.table import ControlTable
from service.core.item.size import item_bytes
from service.core.rules.ledger import (
    Entry,
    ForwardClaim,
    ForwardHalf,
    Place,
    ReverseClaim,
    ReverseHalf,
    Track,
    count_version,
)
from service.errors import Fatal
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


async def stored(memory: MemoryDynamoDB, ledger: Ledger) -> Entry:
    """An entry with both halves, as it is read again."""
    read: EntryReading = await ledger.read(KEY)
    for half in (FORWARD, REVERSE):
        update, read = ledger.update(read, half)
        assert memory.apply(update)
    again = await ledger.read(KEY)
    assert again.entry == read.entry
    return again.entry


async def test_both_halves_are_read_as_they_were_written(memory: MemoryDynamoDB, ledger: Ledger) -> None:
    entry = await stored(memory, ledger)
    assert (entry.key, entry.epoch, entry.forward, entry.reverse) == (KEY, 1, FORWARD, REVERSE)


async def test_an_entry_with_both_claims_open_takes_one_write_unit(memory: MemoryDynamoDB, ledger: Ledger) -> None:
    await stored(memory, ledger)
    (item,) = memory.items("control")
    assert item_bytes(item) < 1024


async def test_a_damaged_half_stops_the_lane(memory: MemoryDynamoDB, ledger: Ledger) -> None:
    await stored(memory, ledger)
    (item,) = memory.items("control")
    (shape,) = memory.tables.values()
    (key,) = shape.items
    shape.items[key] = shape.items[key].replace(item["forward"]["B"].encode(), b"AAAA")
    with pytest.raises(Fatal, match="is damaged"):
        await ledger.read(KEY)
