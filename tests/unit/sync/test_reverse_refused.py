"""A value of v2 that DynamoDB refuses on the old table, such as an empty text in the key of an index: only its item waits."""

import pytest

from service.control.quarantine import quarantine_id
from service.core.item.write import Delete, Put, Update
from service.errors import REFUSED, Poison
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

A, B = lead("a", status={"S": "new"}), lead("b", status={"S": "new"})
EMPTY = {"S": ""}
V2_ID = quarantine_id("leads", lead_key("a"))


@pytest.fixture
async def world() -> BothWays:
    """The old table has an index on ``company``, which no empty text may be in."""
    world = BothWays()

    async def no_empty_company(_: str, subject: object) -> None:
        written = subject.item if isinstance(subject, Put) else subject.set if isinstance(subject, Update) else {}
        if getattr(subject, "table", "") == "old" and written.get("company") == EMPTY:
            raise Poison("an index key is empty", reason=REFUSED)

    for item in (A, B):
        world.db.apply(Put("old", {**item, "company": {"S": "acme"}}))
    await world.carry()
    world.db.before = no_empty_company
    return world


async def test_the_item_waits_under_its_key_and_the_others_go_on(world: BothWays) -> None:
    """The lane stopped at it, with a message that named no key."""
    world.edit("leads", lead_key("a"), company=EMPTY, followers={"N": "5"})
    world.edit("leads", lead_key("b"), company={"S": "initech"})
    await world.carry()
    (head,) = (await world.quarantine.heads()).values()
    assert (head.table, head.key, head.reason, head.units) == (
        "leads",
        lead_key("a"),
        REFUSED,
        ("company", "followers"),
    )
    old = world.old_lead("b")
    assert old is not None
    assert old["company"] == {"S": "initech"}


@pytest.mark.parametrize("retried", [False, True])
async def test_once_it_is_corrected_all_that_waits_is_carried(world: BothWays, retried: bool) -> None:
    world.edit("leads", lead_key("a"), company=EMPTY, followers={"N": "5"})
    await world.carry()
    world.edit("leads", lead_key("a"), status={"S": "won"})  # is refused with it
    await world.carry()
    if retried:
        assert await world.ledger_retry().retry(V2_ID, repeated=True) == "an index key is empty"
    world.edit("leads", lead_key("a"), company={"S": "initech"})
    await world.carry()
    old = world.old_lead()
    assert old is not None
    assert [old[name] for name in ("company", "followers", "status")] == [{"S": "initech"}, {"N": "5"}, {"S": "won"}]
    assert (await world.quarantine.heads(), await world.conflicts.heads()) == ({}, {})


async def test_the_old_side_may_write_the_item_while_it_waits(world: BothWays) -> None:
    world.edit("leads", lead_key("a"), company=EMPTY)
    await world.carry()
    world.edit("old", old_key("LEAD", "a"), status={"S": "won"})
    await world.carry()
    world.edit("leads", lead_key("a"), company={"S": "initech"})
    await world.carry()
    v2, old = world.v2_lead(), world.old_lead()
    assert v2 is not None
    assert old is not None
    assert (v2["status"], old["status"], old["company"]) == ({"S": "won"}, {"S": "won"}, {"S": "initech"})


async def test_a_new_item_waits_as_a_whole(world: BothWays) -> None:
    world.db.apply(Put("leads", v2_of(lead("c", company=EMPTY), _sync=None, company=EMPTY)))
    await world.carry()
    (head,) = (await world.quarantine.heads()).values()
    assert (head.key, head.units) == (lead_key("c"), ())
    world.db.apply(Delete("leads", lead_key("c")))
    await world.carry()
    assert (await world.quarantine.heads(), world.old_lead("c")) == ({}, None)


async def test_an_operator_has_it_carried_once_the_old_table_takes_it(world: BothWays) -> None:
    world.edit("leads", lead_key("a"), company=EMPTY)
    await world.carry()
    world.db.before = None  # the index is gone
    assert await world.ledger_retry().retry(V2_ID) is None
    await world.carry()
    old = world.old_lead()
    assert old is not None
    assert (old["company"], await world.quarantine.heads()) == (EMPTY, {})


@pytest.mark.parametrize("after", [False, True])
async def test_a_worker_killed_at_it_leaves_the_same(world: BothWays, after: bool) -> None:
    refused = world.db.before
    world.edit("leads", lead_key("a"), company=EMPTY)
    await world.killed("leads", lambda write: write.table == "control", after=after)
    world.db.before = refused
    await world.carry()
    (head,) = (await world.quarantine.heads()).values()
    assert (head.units, head.waiting) == (("company",), 1)
