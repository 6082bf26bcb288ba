"""The retries of keys in quarantine that nobody has to ask for."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from service.control.quarantine import quarantine_id
from service.core.item.write import Put, Update
from service.errors import Fenced, Poison, Retryable
from service.migration.settlement.quarantine import drop_from_quarantine
from service.sync.upkeep.retry import Retrier
from tests.builders.small_crm import lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays

A, B = lead("a"), lead("b")
WON = {"status": {"S": "won"}}
EVERY = 300.0


class Retrying:
    """Two leads whose change waits, because v2's application has written an item there that stands for no old item."""

    def __init__(self) -> None:
        self.world = BothWays()
        self.postponed: list[str] = []
        self.retrier = Retrier(
            self.world.quarantine,
            self.world.ledger_retry("retrier"),
            self.world.clock,
            SimpleNamespace(verify_seconds=EVERY),
            self.postponed.append,
        )

    async def spoil(self) -> None:
        for item in (A, B):
            self.world.db.apply(Put("old", item))
        await self.world.carry()
        for item in (A, B):
            self.world.db.apply(Put("leads", v2_of(item, id=None, _sync=None)))
            await self.world.carry_from("leads")
            self.world.db.apply(Put("old", {**item, **WON}))
        await self.world.carry()

    def correct(self, *items: Any) -> None:
        for item in items:
            self.world.db.apply(Put("leads", v2_of(item, _sync=None)))

    async def waits(self) -> dict[str, int]:
        """The old keys that wait, with the attempts that were counted."""
        heads = (await self.world.quarantine.heads()).values()
        return {head.key["pk"]["S"]: head.attempts for head in heads if head.table == "old"}


@pytest.fixture
async def it() -> Retrying:
    retrying = Retrying()
    await retrying.spoil()
    assert await retrying.waits() == {"LEAD#a": 0, "LEAD#b": 0}
    return retrying


async def test_what_can_be_carried_leaves_quarantine_and_the_rest_stays(it: Retrying) -> None:
    it.correct(A)
    assert await it.retrier.retry_all() >= 1
    assert (it.world.v2_lead("a") or {})["status"] == WON["status"]
    assert await it.waits() == {"LEAD#b": 0}


async def test_a_failure_that_repeats_counts_no_attempt_and_a_new_reason_does(it: Retrying) -> None:
    for _ in range(3):
        assert await it.retrier.retry_all() == 0
    assert await it.waits() == {"LEAD#a": 0, "LEAD#b": 0}
    it.world.db.apply(Put("leads", v2_of(A, id=None, _sync={"S": "?"})))
    for _ in range(3):
        await it.retrier.retry_all()
    assert await it.waits() == {"LEAD#a": 1, "LEAD#b": 0}
    assert (await it.world.quarantine.head(quarantine_id("old", old_key("LEAD", "a")))).value.reason == "damaged_stamp"


async def test_a_key_that_the_sync_writes_now_is_postponed_and_the_next_is_retried(it: Retrying) -> None:
    it.correct(A, B)

    async def contended(operation: str, subject: object) -> None:
        if isinstance(subject, Update) and subject.table == "control":
            it.world.db.before = None
            raise Retryable("contended", reason="item_contended")

    it.world.db.before = contended
    await it.retrier.retry_all()
    assert (it.postponed, len(await it.waits())) == (["item_contended"], 1)
    await it.retrier.retry_all()
    assert await it.waits() == {}


async def test_a_key_that_left_meanwhile_is_passed(it: Retrying) -> None:
    it.correct(B)
    heads = await it.world.quarantine.heads()

    async def leave(operation: str, subject: object) -> None:
        if operation == "get":
            it.world.db.before = None
            for key_id in heads:
                await drop_from_quarantine(it.world.quarantine, key_id)

    it.world.db.before = leave
    assert await it.retrier.retry_all() == 0
    assert (await it.waits(), it.postponed) == ({}, [])


async def test_a_v2_key_is_retried_too(it: Retrying) -> None:
    world, key_id = it.world, quarantine_id("leads", lead_key("c"))
    await world.quarantine.add_copy("leads", lead_key("c"), Poison("bad", reason="bad"))
    world.put_on_both_sides(None, v2_of(lead("c")))
    await it.retrier.retry_all()
    await world.carry()
    assert (world.old_lead("c"), key_id in await world.quarantine.heads()) == (lead("c"), False)


async def test_an_old_write_that_nobody_has_read_survives_the_retry_of_a_v2_key() -> None:
    """Only the field that waits is given to old."""
    world = (it := Retrying()).world
    world.db.apply(Put("old", A))
    await world.carry()
    world.edit("leads", lead_key("a"), created_at={"S": "2030-01-01"})
    await world.carry()
    world.db.apply(Put("old", {**A, "company": {"S": "own"}}))
    world.edit("leads", lead_key("a"), created_at={"S": "2024-05-30"})
    world.skip()
    assert await it.retrier.retry_all() == 1
    await world.carry_from("leads")
    old = world.old_lead() or {}
    assert (old["company"], old["created_at"]) == ({"S": "own"}, {"S": "2024-05-30"})
    assert await world.conflicts.heads() == {}


async def test_it_retries_again_and_again_until_it_is_superseded(it: Retrying) -> None:
    running = asyncio.ensure_future(it.retrier.run())
    await it.world.clock.advance(EVERY + 1)
    assert len(await it.waits()) == 2
    it.correct(A)
    await it.world.clock.advance(EVERY)
    assert await it.waits() == {"LEAD#b": 0}

    async def superseded(operation: str, subject: object) -> None:
        raise Fenced("superseded")

    it.world.db.before = superseded
    await it.world.clock.advance(EVERY)
    with pytest.raises(Fenced):
        await running


async def test_trouble_with_the_list_of_keys_is_postponed(it: Retrying) -> None:
    it.correct(A, B)
    running = asyncio.ensure_future(it.retrier.run())

    async def throttled(operation: str, subject: object) -> None:
        if operation == "query":
            it.world.db.before = None
            raise Retryable("throttled", reason="throttled")

    it.world.db.before = throttled
    await it.world.clock.advance(EVERY + 1)
    assert (it.postponed, len(await it.waits())) == (["throttled"], 2)
    await it.world.clock.advance(EVERY)
    assert await it.waits() == {}
    running.cancel()
