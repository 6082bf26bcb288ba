"""The conflict log: whole changes in chunks beside small heads, and the note of items that are held."""

import random
from base64 import b64encode
from dataclasses import replace
from gzip import compress

import orjson
import pytest

from service.control.conflicts import Conflict, Conflicts, Held, Resolution, listing
from service.control.ledger import ledger_id
from service.control.table import ControlTable, PackedPart
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.errors import Fatal, Misconfigured
from tests.builders.small_crm import deal, lead, lead_key, old_key
from tests.fakes.memory import MemoryDynamoDB

AT = 1_700_000_000.0
TRANSACTION_BYTES = 4 * 2**20
RECORD_BYTES = 400 * 2**10


@pytest.fixture
def db() -> MemoryDynamoDB:
    db = MemoryDynamoDB()
    db.create_table("control", ("pk", "sk"))
    return db


@pytest.fixture
def conflicts(db: MemoryDynamoDB) -> Conflicts:
    return Conflicts(ControlTable(db, "control"))


def lost(name: str = "a", number: int = 1, old: Item | None = None, new: Item | None = None) -> Conflict:
    """A change of a lead that lost its company to v2."""
    key = old_key("LEAD", name)
    old, new = old or lead(name), new or lead(name, company={"S": "old side"})
    change = Change("old", "shard", str(10**20 + number), key, old, new, created=AT - 1)
    waiting = WaitingChange(change, 1)
    v2 = (
        ("leads", lead_key(name), {**lead_key(name), "id": {"S": name}, "company": {"S": "v2 side"}}),
        ("leads", lead_key(name, "2024-06"), None),
    )
    name_of = f"{ledger_id('old', key)}-{waiting.version}"
    return Conflict(name_of, "old", key, "LEAD", "overlap", ("company",), waiting, v2, AT + number)


async def test_a_conflict_comes_back_whole(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    conflict = lost()
    assert db.apply(*conflicts.puts(conflict))
    assert await conflicts.load(conflict.id) == conflict
    assert await conflicts.count_open() == 1


async def test_two_incompressible_images_on_each_side_fit_into_one_transaction(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    rng = random.Random(7)
    old, new, here, there = ({**lead("a"), "x": {"S": rng.randbytes(199_000).hex()}} for _ in range(4))
    small = lost(old=old, new=new)
    large = replace(small, v2=(("leads", lead_key("a"), here), ("leads", lead_key("a", "2024-06"), there)))
    puts = conflicts.puts(large)
    sizes = [len(orjson.dumps(put.item)) for put in puts]
    assert 1 + 3 <= len(puts) <= 1 + 8
    assert max(sizes) < RECORD_BYTES
    assert sum(sizes) < TRANSACTION_BYTES
    assert db.apply(*puts)
    assert await conflicts.load(large.id) == large


async def test_binary_images_of_the_largest_size_take_eight_chunks_at_most(conflicts: Conflicts) -> None:
    rng = random.Random(7)
    images = [{**lead("a"), "x": {"B": b64encode(rng.randbytes(408_000)).decode()}} for _ in range(4)]
    small = lost(old=images[0], new=images[1])
    puts = conflicts.puts(replace(small, v2=tuple(("leads", lead_key("a"), image) for image in images[2:])))
    assert len(puts) == 1 + 8
    assert sum(len(orjson.dumps(put.item)) for put in puts) < TRANSACTION_BYTES


async def test_a_change_that_is_decided_anew_replaces_its_conflict(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    """v2 was written between the first decision and its write: another unit is lost now, or fewer images are kept."""
    rng = random.Random(7)
    first = lost(old={**lead("a"), "x": {"S": rng.randbytes(400_000).hex()}})
    second = replace(lost(), fields=("status",), at=AT + 9)
    assert second.id == first.id
    assert len(conflicts.puts(first)) > len(conflicts.puts(second)) == 2
    assert db.apply(*conflicts.puts(first))
    assert db.apply(*conflicts.puts(second))
    assert await conflicts.load(first.id) == second
    assert await conflicts.count_open() == 1
    assert db.apply(*conflicts.puts(first))
    assert await conflicts.load(first.id) == first


async def test_a_conflict_of_an_earlier_version_has_all_the_chunks_that_there_are(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    conflict = lost(old={**lead("a"), "x": {"S": random.Random(7).randbytes(400_000).hex()}})
    head, *chunks = conflicts.puts(conflict)
    document = orjson.loads(head.item["document"]["S"])
    del document["chunks"]
    former = {**head.item, "document": {"S": orjson.dumps(document).decode()}}
    assert db.apply(replace(head, item=former), *chunks)
    assert await conflicts.load(conflict.id) == conflict


async def test_a_change_that_is_carried_after_all_has_no_conflict(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    db.apply(*conflicts.puts(lost()))
    db.apply(*conflicts.puts(lost("a", 2)))
    assert db.apply(*conflicts.removals(lost().id))
    assert list(await conflicts.heads()) == [lost("a", 2).id]
    assert not await conflicts.has_open(ledger_id("old", old_key("LEAD", "b")))
    with pytest.raises(Misconfigured):
        await conflicts.load(lost().id)
    assert db.apply(*conflicts.removals(lost().id)), "whether it is there or not"


async def test_a_conflict_that_is_taken_out_leaves_no_image(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    incompressible = [{**lead("a"), "x": {"S": random.Random(seed).randbytes(190_000).hex()}} for seed in range(2)]
    puts = conflicts.puts(lost(old=incompressible[0], new=incompressible[1]))
    assert len(puts) > 2
    db.apply(*puts)
    assert db.apply(*conflicts.removals(lost().id))
    assert db.items("control") == []


async def test_counting_and_listing_read_no_images(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    db.apply(*conflicts.puts(lost("a")))
    db.apply(*conflicts.puts(lost("b", 2)))
    asked: list[object] = []

    async def note(operation: str, subject: object) -> None:
        asked.append(subject)

    db.before = note
    assert await conflicts.count_open() == 2
    assert len((await listing(conflicts))["items"]) == 2
    assert {str(subject) for subject in asked} == {"{'pk': {'S': 'conflict'}}", "{'pk': {'S': 'held'}}"}


async def test_resolved_ones_are_kept_and_no_longer_open(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    conflict = lost()
    db.apply(*conflicts.puts(conflict))
    head = await conflicts.head(conflict.id)
    assert db.apply(conflicts.resolved_put(conflict.id, head, Resolution("v2", "ann", AT)))
    assert await conflicts.count_open() == 0
    assert (await listing(conflicts))["items"] == []
    (row,) = (await listing(conflicts, resolved=True))["items"]
    assert row["resolution"] == {"kept": "v2", "by": "ann", "at": "2023-11-14T22:13:20Z"}
    assert (await conflicts.load(conflict.id)).change == conflict.change
    assert not db.apply(conflicts.resolved_put(conflict.id, head, Resolution("old", "bob", AT)))


async def test_the_listing_shows_conflicts_and_held_items_oldest_first(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    later, earlier = lost("a", 30), lost("b", 2)
    key = old_key("DEAL", "c")
    keys = (("deals", {"PK": deal("c")["pk"]}), ("deals", {"PK": {"S": "other"}}))
    held_id = ledger_id("old", key)
    db.apply(*conflicts.puts(later))
    db.apply(*conflicts.puts(earlier))
    db.apply(conflicts.held_put(held_id, Held("old", key, "DEAL", keys, AT + 5)))
    rows = (await listing(conflicts))["items"]
    assert [row["id"] for row in rows] == [earlier.id, held_id, later.id]
    assert rows[0] == {
        "id": earlier.id,
        "kind": "conflict",
        "table": "old",
        "key": {"pk": "LEAD#b", "sk": "METADATA"},
        "entity": "LEAD",
        "reason": "overlap",
        "fields": ["company"],
        "at": "2023-11-14T22:13:22Z",
        "resolution": None,
        "remedy": f"see `tablesplit conflicts show {earlier.id}`, then resolve it",
    }
    assert (rows[1]["kind"], rows[1]["remedy"]) == ("two_live_keys", "delete one of the two on v2")
    assert rows[1]["v2"] == [{"table": "deals", "key": {"PK": "DEAL#c"}}, {"table": "deals", "key": {"PK": "other"}}]


async def test_a_held_item_is_noted_again_and_taken_off_whatever_was_there(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    held = Held("old", old_key("LEAD", "a"), "LEAD", (("leads", lead_key("a")), ("leads", lead_key("a", "2"))), AT)
    assert db.apply(conflicts.held_delete("x"))
    assert db.apply(conflicts.held_put("x", held))
    assert db.apply(conflicts.held_put("x", replace(held, since=AT + 1)))
    assert await conflicts.held() == {"x": replace(held, since=AT + 1)}
    assert db.apply(conflicts.held_delete("x"))
    assert await conflicts.held() == {}


async def test_an_unknown_id_is_reported_plainly(conflicts: Conflicts) -> None:
    with pytest.raises(Misconfigured, match="no conflict has the id nope"):
        await conflicts.load("nope")


async def test_an_item_has_an_open_conflict_until_each_is_resolved(conflicts: Conflicts, db: MemoryDynamoDB) -> None:
    a = ledger_id("old", old_key("LEAD", "a"))
    names = [lost("a", number).id for number in range(12)]
    replaced = replace(lost("a"), id=f"{a}-replaced", reason="replaced", change=None)
    for conflict in (*(lost("a", number) for number in range(12)), lost("b"), replaced):
        for put in conflicts.puts(conflict):
            db.apply(put)
    for name in names:
        assert await conflicts.has_open(a)
        db.apply(conflicts.resolved_put(name, await conflicts.head(name), Resolution("v2", "ann", AT)))
    assert not await conflicts.has_open(a)
    assert await conflicts.has_open(ledger_id("old", old_key("LEAD", "b")))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "%%%",
        b64encode(b"not gzip").decode(),
        b64encode(compress(b"{}"))[:-8].decode(),
        b64encode(compress(b'{"change": {"old": 1}}')).decode(),
    ],
    ids=["gone", "no base64", "no gzip", "cut off", "another content"],
)
async def test_a_damaged_chunk_is_named_with_what_to_do(db: MemoryDynamoDB, conflicts: Conflicts, text: str) -> None:
    conflict = lost()
    for put in conflicts.puts(conflict):
        await db.write(put)
    await ControlTable(db, "control").records(f"conflict#{conflict.id}", PackedPart).save("000", PackedPart(text))
    with pytest.raises(Fatal, match=rf"^control table: conflict {conflict.id} is damaged") as damaged:
        await conflicts.load(conflict.id)
    assert damaged.value.remedy.startswith("restore the table from its backup")
