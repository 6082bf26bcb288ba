"""The conflict log: whole changes in chunks beside small heads, and the note of items that are held."""

import asyncio
import random
from base64 import b64encode
from dataclasses import replace
from gzip import compress

import orjson
import pytest

from service.control.conflict_documents import listing, page
from service.control.conflicts import Conflict, ConflictHead, Conflicts, Held, Resolution
from service.control.ledger import ledger_id
from service.control.table import ControlTable, PackedPart
from service.control.waiting_changes import WaitingChange
from service.core.item.change import Change
from service.core.item.wire import Item
from service.core.item.write import Put
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
    await conflicts.keep(conflict)
    assert await conflicts.load(conflict.id) == conflict
    assert await conflicts.count_open() == 1


async def test_two_incompressible_images_on_each_side_fit_into_one_transaction(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    rng = random.Random(7)
    old, new, here, there = ({**lead("a"), "x": {"S": rng.randbytes(199_000).hex()}} for _ in range(4))
    small = lost(old=old, new=new)
    large = replace(small, v2=(("leads", lead_key("a"), here), ("leads", lead_key("a", "2024-06"), there)))
    puts = await conflicts.puts(large)
    sizes = [len(orjson.dumps(put.item)) for put in puts if isinstance(put, Put)]
    assert 2 + 3 <= len(sizes) <= 2 + 8
    assert max(sizes) < RECORD_BYTES
    assert sum(sizes) < TRANSACTION_BYTES
    assert db.apply(*puts)
    assert await conflicts.load(large.id) == large


async def test_binary_images_of_the_largest_size_take_eight_chunks_at_most(conflicts: Conflicts) -> None:
    rng = random.Random(7)
    images = [{**lead("a"), "x": {"B": b64encode(rng.randbytes(408_000)).decode()}} for _ in range(4)]
    small = lost(old=images[0], new=images[1])
    puts = await conflicts.puts(replace(small, v2=tuple(("leads", lead_key("a"), image) for image in images[2:])))
    sizes = [len(orjson.dumps(put.item)) for put in puts if isinstance(put, Put)]
    assert len(sizes) == 2 + 8  # a head, and the count of open conflicts
    assert sum(sizes) < TRANSACTION_BYTES


async def test_a_change_that_is_decided_anew_replaces_its_conflict(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    """v2 was written between the first decision and its write: another unit is lost now, or fewer images are kept."""
    rng = random.Random(7)
    first = lost(old={**lead("a"), "x": {"S": rng.randbytes(400_000).hex()}})
    second = replace(lost(), fields=("status",), at=AT + 9)
    assert second.id == first.id
    assert len(await conflicts.puts(first)) > len(await conflicts.puts(second))
    await conflicts.keep(first)
    await conflicts.keep(second)
    assert await conflicts.load(first.id) == second
    assert await conflicts.count_open() == 1
    await conflicts.keep(first)
    assert await conflicts.load(first.id) == first


async def test_a_conflict_of_an_earlier_version_has_all_the_chunks_that_there_are(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    conflict = lost(old={**lead("a"), "x": {"S": random.Random(7).randbytes(400_000).hex()}})
    head, *others = await conflicts.puts(conflict)
    assert isinstance(head, Put)
    document = orjson.loads(head.item["document"]["S"])
    del document["chunks"]
    former = {**head.item, "document": {"S": orjson.dumps(document).decode()}}
    assert db.apply(replace(head, item=former), *others)
    assert await conflicts.load(conflict.id) == conflict


async def test_a_change_that_is_carried_after_all_has_no_conflict(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    await conflicts.keep(lost())
    await conflicts.keep(lost("a", 2))
    assert db.apply(*await conflicts.removals(lost().id))
    assert list(await conflicts.heads()) == [lost("a", 2).id]
    assert not await conflicts.has_open(ledger_id("old", old_key("LEAD", "b")))
    with pytest.raises(Misconfigured):
        await conflicts.load(lost().id)
    assert db.apply(*await conflicts.removals(lost().id)), "whether it is there or not"


async def test_a_conflict_that_is_taken_out_leaves_no_image(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    incompressible = [{**lead("a"), "x": {"S": random.Random(seed).randbytes(190_000).hex()}} for seed in range(2)]
    await conflicts.keep(lost(old=incompressible[0], new=incompressible[1]))
    assert len(db.items("control")) > 2 + 1
    assert db.apply(*await conflicts.removals(lost().id))
    assert [item["pk"]["S"] for item in db.items("control")] == ["count#conflict"]


async def test_counting_and_listing_read_no_images(db: MemoryDynamoDB, conflicts: Conflicts) -> None:
    await conflicts.keep(lost("a"))
    await conflicts.keep(lost("b", 2))
    asked: list[object] = []

    async def note(operation: str, subject: object) -> None:
        asked.append(subject)

    db.before = note
    assert await conflicts.count_open() == 2
    assert len((await listing(conflicts))["items"]) == 2
    partitions = {str(subject) for subject in asked}
    assert not any("'conflict#" in partition for partition in partitions)


async def test_resolved_ones_are_kept_and_no_longer_open(conflicts: Conflicts) -> None:
    conflict = lost()
    await conflicts.keep(conflict)
    head = await conflicts.head(conflict.id)
    assert await conflicts.resolve(conflict.id, head, Resolution("v2", "ann", AT))
    assert await conflicts.count_open() == 0
    assert (await listing(conflicts))["items"] == []
    (row,) = (await listing(conflicts, resolved=True))["items"]
    assert row["resolution"] == {"kept": "v2", "by": "ann", "at": "2023-11-14T22:13:20Z"}
    assert (await conflicts.load(conflict.id)).change == conflict.change
    assert not await conflicts.resolve(conflict.id, head, Resolution("old", "bob", AT))


async def test_the_count_lists_nothing_and_is_right_after_every_interleaving(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    log = [lost(f"{number}") for number in range(300)]
    await asyncio.gather(*map(conflicts.keep, [*log, *log[:20]]))
    heads = [await conflicts.head(one.id) for one in log[:40]]
    resolution = Resolution("v2", "ann", AT)
    await asyncio.gather(
        *(conflicts.resolve(one.id, head, resolution) for one, head in zip(log, heads, strict=False)),
        *(conflicts.take_out(one.id) for one in log[30:60]),
        *(conflicts.keep(one) for one in log[10:20]),
    )
    open_ids = await conflicts.open_heads()
    assert len(open_ids) in range(240, 251)
    assert {one.id for one in log[60:]} <= open_ids.keys()
    read: list[str] = []

    async def note(operation: str, subject: object) -> None:
        read.append(str(subject))

    db.before = note
    assert await conflicts.count_open() == len(open_ids)
    partition = "{'pk': {'S': 'conflict'}}"
    assert read.count(partition) <= 1, "of few conflicts the names are listed, while a part of the count is not there"


async def test_a_change_that_is_decided_anew_after_its_conflict_was_resolved_is_open_again(
    conflicts: Conflicts,
) -> None:
    conflict = lost()
    await conflicts.keep(conflict)
    await conflicts.resolve(conflict.id, await conflicts.head(conflict.id), Resolution("v2", "ann", AT))
    await conflicts.keep(conflict)
    assert (await conflicts.count_open(), len(await conflicts.heads())) == (1, 1)
    assert (await conflicts.head(conflict.id)).value.resolution is None


class Former:
    """A log as an earlier version left it: resolved conflicts among the open ones, and no count."""

    def __init__(self, control: ControlTable) -> None:
        self._heads = control.records("conflict", ConflictHead)

    async def keep(self, number: int, resolved: Resolution | None = None) -> None:
        head = ConflictHead("old", old_key("LEAD", str(number)), "LEAD", "overlap", (), "", AT, resolved, 0)
        await self._heads.put(f"{number:04x}", head, None)


async def test_what_an_earlier_version_left_is_counted_listed_and_kept_apart(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    former = Former(ControlTable(db, "control"))
    for number in range(30):
        await former.keep(number, Resolution("v2", "ann", AT) if number % 3 else None)
    assert len(await conflicts.open_heads()) == 10
    assert len(await conflicts.heads()) == 30
    assert await conflicts.count_open() == 30, "too many is safe: the gate stays closed until the next sync has begun"
    found, after = [], ""
    while after is not None:
        document = await page(conflicts, after, 4)
        found += [item["id"] for item in document["items"]]
        after = document["next"]
    assert found == [f"{number:04x}" for number in range(0, 30, 3)]
    assert await conflicts.expire(AT - 1) == 0
    assert (await conflicts.count_open(), len(await conflicts.heads())) == (10, 30)
    assert await conflicts.expire(AT + 1) == 20
    assert (await conflicts.count_open(), len(await conflicts.heads())) == (10, 10)


async def test_the_listing_shows_conflicts_and_held_items_oldest_first(
    db: MemoryDynamoDB, conflicts: Conflicts
) -> None:
    later, earlier = lost("a", 30), lost("b", 2)
    key = old_key("DEAL", "c")
    keys = (("deals", {"PK": deal("c")["pk"]}), ("deals", {"PK": {"S": "other"}}))
    held_id = ledger_id("old", key)
    await conflicts.keep(later)
    await conflicts.keep(earlier)
    assert db.apply(*await conflicts.held_puts(held_id, Held("old", key, "DEAL", keys, AT + 5)))
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
    assert await conflicts.held_removals("x") == []
    assert db.apply(*await conflicts.held_puts("x", held))
    assert db.apply(*await conflicts.held_puts("x", replace(held, since=AT + 1)))
    assert await conflicts.held() == {"x": replace(held, since=AT + 1)}
    assert db.apply(*await conflicts.held_removals("x"))
    assert await conflicts.held() == {}


async def test_an_unknown_id_is_reported_plainly(conflicts: Conflicts) -> None:
    with pytest.raises(Misconfigured, match="no conflict has the id nope"):
        await conflicts.load("nope")


async def test_an_item_has_an_open_conflict_until_each_is_resolved(conflicts: Conflicts, db: MemoryDynamoDB) -> None:
    a = ledger_id("old", old_key("LEAD", "a"))
    names = [lost("a", number).id for number in range(12)]
    replaced = replace(lost("a"), id=f"{a}-replaced", reason="replaced", change=None)
    for conflict in (*(lost("a", number) for number in range(12)), lost("b"), replaced):
        await conflicts.keep(conflict)
    for name in names:
        assert await conflicts.has_open(a)
        assert await conflicts.resolve(name, await conflicts.head(name), Resolution("v2", "ann", AT))
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
    await conflicts.keep(conflict)
    await ControlTable(db, "control").records(f"conflict#{conflict.id}", PackedPart).save("000", PackedPart(text))
    with pytest.raises(Fatal, match=rf"^control table: conflict {conflict.id} is damaged") as damaged:
        await conflicts.load(conflict.id)
    assert damaged.value.remedy.startswith("restore the table from its backup")
