"""What makes a key leave quarantine under the ledger rule: by origin, and by what happens to the item on its side.

The backfill's keys are there only if an operator has forced the move into `dual` over them.
"""

import pytest

from service.control.quarantine import quarantine_id
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.errors import Poison, Retryable
from service.sync.ledger_retry import LedgerRetry
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

A = lead("a", status={"S": "new"})
MENDED = {**A, "status": {"S": "won"}, "followers": {"N": "5"}}
BAD = {**A, "entity_type": {"S": "GOBLIN"}}
KEY, V2_KEY = old_key("LEAD", "a"), lead_key("a")
ID, V2_ID = quarantine_id("old", KEY), quarantine_id("leads", V2_KEY)


@pytest.fixture
async def world() -> BothWays:
    return BothWays()


async def ended(world: BothWays) -> tuple[Item | None, Item | None]:
    """Both sides once all is read, as the application sees them; nothing waits, and nothing is in the conflict log."""
    await world.carry()
    assert (await world.quarantine.heads(), await world.conflicts.heads()) == ({}, {})
    v2 = world.v2_lead()
    return world.old_lead(), None if v2 is None else {name: v2[name] for name in ("status", "followers") if name in v2}


async def from_the_backfill(world: BothWays) -> None:
    world.put_on_both_sides(BAD, None)
    await world.quarantine.add_copy("old", KEY, Poison("its entity is unknown", reason="unknown_entity"))


async def from_the_stream(world: BothWays) -> None:
    for item in (A, BAD):
        world.db.apply(Put("old", item))
        await world.carry()
    assert list(await world.quarantine.heads()) == [ID]


ORIGINS = pytest.mark.parametrize("origin", [from_the_backfill, from_the_stream])
ON_V2 = {name: MENDED[name] for name in ("status", "followers")}


@ORIGINS
async def test_an_old_item_that_is_mended_leaves(world: BothWays, origin) -> None:
    await origin(world)
    world.db.apply(Put("old", MENDED))
    assert await ended(world) == (MENDED, ON_V2)
    assert world.left == [("old", "applied")]


@ORIGINS
async def test_an_old_item_that_is_deleted_leaves(world: BothWays, origin) -> None:
    await origin(world)
    world.db.apply(Delete("old", KEY))
    assert await ended(world) == (None, None)
    assert world.left == [("old", "superseded")]


UNREAD: dict[str, tuple[list[Item | None], Item | None]] = {
    "mended": ([MENDED], MENDED),
    "mended and deleted": ([MENDED, None], None),
    "deleted": ([None], None),
    "deleted and put again": ([None, MENDED], MENDED),
    "mended, deleted and put again": ([A, None, MENDED], MENDED),
}


@pytest.mark.parametrize("row", UNREAD)
async def test_a_copy_is_left_to_the_changes_that_are_unread_when_it_is_retried(world: BothWays, row: str) -> None:
    # Were the item copied as it is now, its changes would seem to meet a write of v2; were it dropped, an item that v2 deleted.
    writes, last = UNREAD[row]
    await from_the_backfill(world)
    for item in writes:
        world.db.apply(Put("old", item) if item is not None else Delete("old", KEY))
    assert await world.ledger_retry().retry(ID) is None
    assert await ended(world) == (last, ON_V2 if last else None)
    assert len(world.left) == 1


async def test_a_copy_stays_while_it_is_not_known_what_the_sync_has_read(world: BothWays) -> None:
    async def unknown() -> bool:
        return False

    await from_the_backfill(world)
    world.db.apply(Put("old", MENDED))
    with pytest.raises(Retryable, match="may not have read all changes"):
        await LedgerRetry(world.access(), world.context("old"), unknown).retry(ID)
    assert (list(await world.quarantine.heads()), world.v2_lead()) == ([ID], None)


async def test_a_copy_that_is_mended_while_the_retry_asks_the_sync_is_made_before_that_change(world: BothWays) -> None:
    await from_the_backfill(world)
    world.put_on_both_sides(A, None)  # its change was read before quarantine had the key

    async def mended_after_that() -> bool:
        await world.carry()
        world.db.apply(Put("old", MENDED))
        return True

    assert await LedgerRetry(world.access(), world.context("old"), mended_after_that).retry(ID) is None
    assert world.v2_lead() is not None
    assert await ended(world) == (MENDED, ON_V2)


UNREADABLE = v2_of(A, id=None)
"""v2's application has taken away the field by which the old item is found."""


@pytest.mark.parametrize("at_once", [False, True])
async def test_v2_deletes_an_item_after_making_it_unreadable_and_old_loses_it_too(
    world: BothWays, at_once: bool
) -> None:
    world.db.apply(Put("old", A))
    await world.carry()
    world.db.apply(Put("leads", UNREADABLE))
    if not at_once:  # else the sync reads the first record when the item is gone already
        await world.carry()
        assert list(await world.quarantine.heads()) == [V2_ID]
    world.db.apply(Delete("leads", V2_KEY))
    assert await ended(world) == (None, None)
    assert world.left == [("leads", "superseded")]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("table", ["old", "control"])
async def test_a_worker_is_killed_while_it_carries_the_delete_of_an_unreadable_item(
    world: BothWays, table: str, after: bool
) -> None:
    world.db.apply(Put("old", A))
    await world.carry()
    world.db.apply(Put("leads", UNREADABLE))
    world.db.apply(Delete("leads", V2_KEY))
    await world.killed("leads", lambda write: write.table == table, after=after)
    assert await ended(world) == (None, None)


async def test_a_v2_item_that_is_gone_is_left_to_its_delete_when_it_is_retried(world: BothWays) -> None:
    # Without what waits, the record of the delete does not show which old item it is about.
    world.db.apply(Put("old", A))
    await world.carry()
    world.db.apply(Put("leads", UNREADABLE))
    await world.carry()
    world.db.apply(Delete("leads", V2_KEY))
    assert await world.ledger_retry().retry(V2_ID) is None
    assert await ended(world) == (None, None)


async def test_a_v2_item_whose_delete_was_lost_with_its_stream_leaves_once_all_is_read(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(A, id=None, _sync=None)))
    await world.carry()
    world.db.apply(Delete("leads", V2_KEY))
    world.skip()
    assert await world.ledger_retry().retry(V2_ID) is None
    assert await ended(world) == (None, None)
    assert world.left == [("leads", "superseded")]


async def test_an_unreadable_v2_item_that_is_mended_leaves(world: BothWays) -> None:
    world.db.apply(Put("old", A))
    await world.carry()
    world.db.apply(Put("leads", UNREADABLE))
    await world.carry()
    world.db.apply(Put("leads", v2_of(A, status={"S": "v2"})))
    assert await ended(world) == ({**A, "status": {"S": "v2"}}, {"status": {"S": "v2"}, "followers": {"N": "0"}})
    assert world.left == [("leads", "applied")]


async def test_an_unreadable_v2_item_that_old_never_had_leaves_when_it_is_deleted(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(A, id=None, _sync=None)))
    await world.carry()
    world.db.apply(Delete("leads", V2_KEY))
    assert await ended(world) == (None, None)
    assert world.left == [("leads", "superseded")]
