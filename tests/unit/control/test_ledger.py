"""The ledger in the control table: each direction writes its own half, on condition of that half alone; and the former form."""

from dataclasses import replace

import orjson
import pytest

from service.control.ledger import PARTITIONS, EntryReading, Ledger, direction_of, ledger_id
from service.control.table import ControlTable
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.rules.ledger import (
    Entry,
    ForwardClaim,
    ForwardHalf,
    Move,
    ReverseClaim,
    ReverseHalf,
    Track,
    count_version,
    new_entry,
)
from service.errors import Fatal
from tests.builders.dual_lead import EPOCH, KEY, MAY, count, place, version
from tests.fakes.clocks import VirtualClock
from tests.fakes.memory import MemoryDynamoDB

HERE, THERE = place().text, place(MAY).text
MOVE = Move(THERE, HERE, "a", "b", {"status": "c"}, ("status",), version(50))
FORWARD = ForwardHalf(
    seen=count(3),
    done=version(40),
    claim=ForwardClaim(version(50), count(4), "w", (THERE, HERE), (THERE,), ("note",), refused=True, move=MOVE),
    places=(HERE,),
    refused=version(40),
    pending=("status",),
    passed={"0" * 8: count(3)},
)
REVERSE = ReverseHalf(
    count=count(9),
    whole=count(2),
    puts={"status": count(3)},
    last=count(9),
    tracks={HERE: Track(version(60), version(40))},
    claims={THERE: ReverseClaim(version(70), version(50), "w", count(9), None, ("visits",), released=True)},
    places=(HERE, THERE),
    held_since=5.0,
)


@pytest.fixture
def db() -> MemoryDynamoDB:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return db


@pytest.fixture
def ledger(db: MemoryDynamoDB) -> Ledger:
    return ledger_of(db)


def ledger_of(db: MemoryDynamoDB, epoch: int = EPOCH) -> Ledger:
    return Ledger(ControlTable(db, "control"), VirtualClock(), "old", epoch)


def save(
    db: MemoryDynamoDB, ledger: Ledger, read: EntryReading, half: ForwardHalf | ReverseHalf
) -> EntryReading | None:
    write, after = ledger.update(read, half)
    return after if db.apply(write) else None


def same_reading(read: EntryReading, after: EntryReading | None) -> bool:
    """Whether what is read is what a write has left: the entry, and the revisions that the next write is conditional on."""
    assert after is not None
    revisions = [(of.revision("forward"), of.revision("reverse")) for of in (read, after)]
    return read.entry == after.entry and revisions[0] == revisions[1]


async def test_where_there_is_none_an_entry_of_the_present_epoch_is_read(db: MemoryDynamoDB) -> None:
    read = await ledger_of(db, 3).read(KEY)
    assert (read.entry, read.item) == (new_entry(KEY, 3), None)
    assert read.revision("forward") is read.revision("reverse") is None


async def test_both_halves_come_back_as_they_were_written(db: MemoryDynamoDB, ledger: Ledger) -> None:
    first = save(db, ledger, await ledger.read(KEY), FORWARD)
    assert first is not None
    after = save(db, ledger, first, REVERSE)
    read = await ledger.read(KEY)
    assert same_reading(read, after)
    assert read.entry == Entry(KEY, EPOCH, FORWARD, REVERSE, VirtualClock().now())
    assert [direction_of(half) for half in (FORWARD, REVERSE)] == ["forward", "reverse"]


async def test_each_direction_writes_without_waiting_for_the_other(db: MemoryDynamoDB, ledger: Ledger) -> None:
    """Both have read the same entry; on condition of the whole entry one of the two would be refused."""
    assert save(db, ledger, await ledger.read(KEY), FORWARD) is not None
    read = await ledger.read(KEY)
    assert save(db, ledger, read, REVERSE) is not None
    assert save(db, ledger, read, replace(FORWARD, done=version(41))) is not None
    entry = (await ledger.read(KEY)).entry
    assert (entry.forward.done, entry.reverse) == (version(41), REVERSE)


@pytest.mark.parametrize("half", [FORWARD, REVERSE], ids=["forward", "reverse"])
async def test_a_half_is_replaced_only_as_it_was_read(
    db: MemoryDynamoDB, ledger: Ledger, half: ForwardHalf | ReverseHalf
) -> None:
    nothing = await ledger.read(KEY)
    first = save(db, ledger, nothing, half)
    assert first is not None
    assert save(db, ledger, nothing, half) is None, "another worker has made the entry meanwhile"
    assert save(db, ledger, first, half) is not None, "the same content again is a write of its own"
    assert save(db, ledger, first, half) is None
    assert save(db, ledger, await ledger.read(KEY), half) is not None


async def test_a_half_that_was_never_written_is_made_once(db: MemoryDynamoDB, ledger: Ledger) -> None:
    save(db, ledger, await ledger.read(KEY), FORWARD)
    read = await ledger.read(KEY)
    assert save(db, ledger, read, REVERSE) is not None
    assert save(db, ledger, read, REVERSE) is None


async def test_an_entry_of_another_epoch_is_not_written(db: MemoryDynamoDB, ledger: Ledger) -> None:
    """Dropped and made anew in the next epoch: a worker that has read the former one must not go on with its counts."""
    read = save(db, ledger, await ledger.read(KEY), FORWARD)
    assert read is not None
    assert read.item is not None
    db.apply(Update("control", {name: read.item[name] for name in ("pk", "sk")}, {"epoch": {"N": "2"}}))
    assert save(db, ledger, read, FORWARD) is None
    assert save(db, ledger, read, REVERSE) is None
    assert not db.apply(ledger.delete(read))


async def test_an_entry_stays_in_its_epoch(db: MemoryDynamoDB, ledger: Ledger) -> None:
    save(db, ledger, await ledger.read(KEY), FORWARD)
    later = ledger_of(db, 2)
    save(db, later, await later.read(KEY), REVERSE)
    assert (await later.read(KEY)).entry.epoch == EPOCH


@pytest.mark.parametrize("half", [FORWARD, REVERSE], ids=["forward", "reverse"])
async def test_an_entry_is_dropped_only_while_neither_half_has_changed(
    db: MemoryDynamoDB, ledger: Ledger, half: ForwardHalf | ReverseHalf
) -> None:
    save(db, ledger, await ledger.read(KEY), FORWARD)
    save(db, ledger, await ledger.read(KEY), REVERSE)
    read = await ledger.read(KEY)
    save(db, ledger, read, half)
    assert not db.apply(ledger.delete(read))
    assert db.apply(ledger.delete(await ledger.read(KEY)))
    assert (await ledger.read(KEY)).item is None


async def test_an_entry_with_one_half_is_dropped_only_while_the_other_has_not_come(
    db: MemoryDynamoDB, ledger: Ledger
) -> None:
    save(db, ledger, await ledger.read(KEY), FORWARD)
    read = await ledger.read(KEY)
    save(db, ledger, read, REVERSE)
    assert not db.apply(ledger.delete(read))


def other_key(number: int) -> Item:
    return {**KEY, "pk": {"S": f"LEAD#{number}"}}


async def test_all_entries_are_listed_and_many_read_at_once(db: MemoryDynamoDB, ledger: Ledger) -> None:
    keys = [other_key(number) for number in range(20)]
    for key in keys:
        save(db, ledger, await ledger.read(key), FORWARD)
    assert sorted([read.entry.key["pk"]["S"] async for read in ledger.all()]) == sorted(key["pk"]["S"] for key in keys)
    many = await ledger.read_many([*keys[:3], other_key(99)])
    assert [many[ledger_id("old", key)].entry.forward for key in keys[:3]] == [FORWARD] * 3
    assert many[ledger_id("old", other_key(99))] == EntryReading(new_entry(other_key(99), EPOCH), None)


def test_the_name_of_an_entry_is_stable_and_does_not_depend_on_the_order_of_the_key() -> None:
    name = ledger_id("old", KEY)
    assert name == ledger_id("old", dict(reversed(KEY.items())))
    assert len({name, ledger_id("new", KEY), ledger_id("old", other_key(8))}) == 3
    assert name[:2] in PARTITIONS


CONTROL_KEY = {"pk": {"S": f"ledger#{ledger_id('old', KEY)[:2]}"}, "sk": {"S": ledger_id("old", KEY)}}
FORMER = {
    "key": KEY,
    "epoch": 1,
    "put": count_version(1, 4),
    "seen": count_version(1, 2),
    "done": version(40),
    "tracks": {HERE: {"done": version(60), "seen": version(40)}},
    "keys": [HERE],
    "held_since": None,
    "touched_at": 7.5,
}


def put_former(db: MemoryDynamoDB, **changes: object) -> None:
    document = orjson.dumps({**FORMER, **changes}).decode()
    db.apply(Put("control", {**CONTROL_KEY, "document": {"S": document}, "rev": {"S": "r1"}}))


async def test_an_entry_of_the_former_form_is_read(db: MemoryDynamoDB, ledger: Ledger) -> None:
    """Reverse wrote the whole item then, so every unit counts as put with its last count."""
    put_former(db, held_since=3.0)
    entry = (await ledger.read(KEY)).entry
    assert entry.forward == ForwardHalf(seen=count(2), done=version(40), places=(HERE,))
    assert entry.reverse == ReverseHalf(
        count(4), count(4), {}, count(4), {HERE: Track(version(60), version(40))}, places=(HERE,), held_since=3.0
    )
    assert (entry.key, entry.epoch, entry.touched_at) == (KEY, 1, 7.5)


@pytest.mark.parametrize("first", [FORWARD, REVERSE], ids=["forward", "reverse"])
async def test_the_first_write_replaces_the_former_form_and_keeps_the_other_half(
    db: MemoryDynamoDB, ledger: Ledger, first: ForwardHalf | ReverseHalf
) -> None:
    put_former(db)
    read = await ledger.read(KEY)
    after = save(db, ledger, read, first)
    (item,) = db.items("control")
    assert item.keys() == {"pk", "sk", "key", "epoch", "touched_at", "forward", "forward_rev", "reverse", "reverse_rev"}
    now = await ledger.read(KEY)
    assert same_reading(now, after)
    expected = (first, read.entry.reverse) if first is FORWARD else (read.entry.forward, first)
    assert (now.entry.forward, now.entry.reverse) == expected
    other = now.entry.reverse if first is FORWARD else now.entry.forward
    assert save(db, ledger, now, other) is not None


async def test_of_two_first_writes_over_the_former_form_one_is_refused(db: MemoryDynamoDB, ledger: Ledger) -> None:
    """Each carries the other's half along as it was in the former document."""
    put_former(db)
    read = await ledger.read(KEY)
    assert save(db, ledger, read, FORWARD) is not None
    assert save(db, ledger, read, REVERSE) is None
    assert (await ledger.read(KEY)).entry.forward == FORWARD


async def test_an_entry_of_the_former_form_is_dropped_as_it_was_read(db: MemoryDynamoDB, ledger: Ledger) -> None:
    put_former(db)
    read = await ledger.read(KEY)
    db.apply(Update("control", CONTROL_KEY, {"rev": {"S": "r2"}}))
    assert not db.apply(ledger.delete(read))
    assert db.apply(ledger.delete(await ledger.read(KEY)))


DAMAGED: dict[str, Item] = {
    "no key": {"epoch": {"N": "1"}, "touched_at": {"N": "0"}},
    "no epoch": {"key": {"S": "{}"}, "touched_at": {"N": "0"}},
    "no JSON": {"key": {"S": "{"}, "epoch": {"N": "1"}, "touched_at": {"N": "0"}},
    "a half of another version": {
        "key": {"S": "{}"}, "epoch": {"N": "1"}, "touched_at": {"N": "0"}, "forward": {"S": '{"seen":"1","later":2}'},
    },
    "a former document without its tracks": {"document": {"S": '{"keys":[]}'}, "rev": {"S": "1"}},
    "a former document that is no JSON": {"document": {"S": "{"}, "rev": {"S": "1"}},
}  # fmt: skip


@pytest.mark.parametrize("row", DAMAGED)
async def test_a_damaged_entry_stops_the_sync_and_names_itself(db: MemoryDynamoDB, ledger: Ledger, row: str) -> None:
    db.apply(Put("control", {**CONTROL_KEY, **DAMAGED[row]}))
    with pytest.raises(Fatal, match=f"ledger entry {CONTROL_KEY['pk']['S']}/{CONTROL_KEY['sk']['S']} is damaged"):
        await ledger.read(KEY)
