"""An entry of the ledger goes only when nothing that is still to be read, or replayed, could need it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.control.leases import LeaseRecord
from service.control.ledger import Ledger
from service.control.state import Move, change_state, load_started_state
from service.control.stores import Stores
from service.core.item.wire import Item
from service.core.item.write import Delete, Put
from service.core.rules.agreement import BothSides, forgettable
from service.core.rules.ledger import Entry, ForwardHalf, Place, ReverseHalf, new_entry
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Fenced, Poison
from service.sync.upkeep.trim import Trimmer
from service.sync.upkeep.verify import Verifier
from tests.builders.small_crm import BASE, MAPPING, lead, lead_key, old_key, v2_of
from tests.worlds.both_ways_world import BothWays, Lanes, in_dual

A = lead("a", status={"S": "new"})
KEY = old_key("LEAD", "a")
VERIFY = {"verify_age_seconds": 0.0, "verify_keys_per_second": 1e9}
TIMES = SimpleNamespace(
    ledger_trim_seconds=60.0, writer_horizon_seconds=6.0, verify_seconds=300.0, settle_seconds=2.0, **VERIFY
)


class Trimming:
    """A world in `dual` with both lanes running, and the walks of one worker."""

    def __init__(self) -> None:
        self.world = BothWays()
        self.lanes = Lanes(self.world)
        self.good = True

    def begin(self) -> None:
        """A worker takes up the forward lane, or begins anew after a change of epoch."""
        world = self.world
        ledger = Ledger(world.control, world.clock, "old", world.epoch)
        stores = Stores(world.db, world.control, MAPPING, world.clock)
        self.verifier = Verifier(stores, TIMES, ledger, Trimmer(stores, TIMES, ledger, self.fence))

    def fence(self) -> None:
        if not self.good:
            raise Fenced("superseded")

    async def walk(self, after: float = 0) -> None:
        await self.world.clock.advance(after)
        task = asyncio.ensure_future(self.verifier.walk())
        await self.world.clock.until(task.done, within=1000)
        await task

    async def epoch(self) -> int:
        return (await load_started_state(self.world.control, MAPPING)).epoch

    async def entry(self) -> Any:
        read = await Ledger(self.world.control, self.world.clock, "old", 9).read(KEY)
        return read.entry if read.item is not None else None

    async def touched(self) -> None:
        """One item in the ledger, equal on both sides, of the first epoch, which is over."""
        self.world.db.apply(Put("old", A))
        await self.world.clock.advance(10)
        await self.bump()

    async def bump(self) -> None:
        await change_state(self.world.control, MAPPING, 0.0, lambda was: replace(was, epoch=was.epoch + 1))
        await self.world.clock.advance(2)
        self.begin()
        await self.walk()


@pytest.fixture
async def it() -> AsyncIterator[Trimming]:
    trimming = Trimming()
    await in_dual(trimming.world)
    running = asyncio.ensure_future(trimming.lanes.run())
    await trimming.world.clock.advance(1)
    trimming.begin()
    yield trimming
    running.cancel()


async def test_an_entry_goes_after_the_epoch_was_raised_acknowledged_and_a_horizon_has_passed(it: Trimming) -> None:
    it.world.db.apply(Put("old", A))
    await it.walk(after=10)
    assert await it.epoch() == 1
    await it.walk(after=60)
    assert (await it.epoch(), await it.entry() is None) == (2, False)
    it.begin()
    await it.walk(after=2)
    assert await it.entry() is not None
    await it.walk(after=6)
    assert await it.entry() is None
    assert (it.world.old_lead(), (it.world.v2_lead() or {})["status"]) == (A, A["status"])


async def test_an_entry_of_an_item_that_is_gone_goes_too(it: Trimming) -> None:
    it.world.db.apply(Put("old", A))
    await it.world.clock.advance(10)
    it.world.db.apply(Delete("old", KEY))
    await it.world.clock.advance(10)
    await it.bump()
    await it.walk(after=6)
    assert await it.entry() is None


async def still_there(it: Trimming) -> None:
    await it.walk(after=6)
    assert await it.entry() is not None


async def of_this_epoch(it: Trimming) -> None:
    """Its counts would begin again below that of the old item."""
    ledger = Ledger(it.world.control, cast(Any, SimpleNamespace(now=lambda: 1.0)), "old", 2)
    read = await ledger.read(KEY)
    it.world.db.apply(ledger.delete(read))
    it.world.db.apply(ledger.update(await ledger.read(KEY), read.entry.forward)[0])


async def not_acknowledged(it: Trimming) -> None:
    it.lanes.acting = replace((await load_started_state(it.world.control, MAPPING)).acting, epoch=1)
    await it.world.clock.advance(2)


async def taken_over(it: Trimming) -> None:
    await it.world.clock.advance(5)
    await it.world.control.records("lease", LeaseRecord).save("reverse sync", LeaseRecord("w2", 2, 6.0, 0.0))


async def touched_since(it: Trimming) -> None:
    it.world.db.apply(Put("old", {**A, "status": {"S": "b"}}))
    await it.world.clock.advance(2)


async def differs(it: Trimming) -> None:
    it.world.db.apply(Put("leads", v2_of(A, status={"S": "won"})))
    it.world.skip()


async def held(it: Trimming) -> None:
    await rewritten(it, lambda entry: replace(entry.reverse, held_since=1.0))


async def at_another_key(it: Trimming) -> None:
    await rewritten(it, lambda entry: replace(entry.forward, places=(), claim=None))
    await rewritten(it, lambda entry: replace(entry.reverse, places=(), tracks={}))


async def in_quarantine(it: Trimming) -> None:
    await it.world.quarantine.add_copy("old", KEY, Poison("bad", reason="bad"))


async def v2_key_in_quarantine(it: Trimming) -> None:
    await it.world.quarantine.add_copy("leads", lead_key("a"), Poison("bad", reason="bad"))


async def a_lane_stands_still(it: Trimming) -> None:
    """Once it has caught up for the walk: a record that came before the entry was read might be unread."""

    async def stand_still(operation: str, subject: object) -> None:
        if operation == "query" and subject == {"pk": {"S": "ledger#00"}}:
            it.lanes.reads = False

    it.world.db.before = stand_still


async def rewritten(it: Trimming, half: Callable[[Entry], ForwardHalf | ReverseHalf]) -> None:
    """The entry with another half, as if it had been left so long ago."""
    ledger = Ledger(it.world.control, cast(Any, SimpleNamespace(now=lambda: 1.0)), "old", 1)
    read = await ledger.read(KEY)
    it.world.db.apply(ledger.update(read, half(read.entry))[0])


HOLDS = [
    of_this_epoch,
    not_acknowledged,
    taken_over,
    touched_since,
    differs,
    held,
    at_another_key,
    in_quarantine,
    v2_key_in_quarantine,
    a_lane_stands_still,
]


@pytest.mark.parametrize("holds", HOLDS, ids=lambda one: one.__name__)
async def test_what_keeps_an_entry(it: Trimming, holds: Callable[[Trimming], Awaitable[None]]) -> None:
    await it.touched()
    await holds(it)
    await still_there(it)


async def test_the_application_writes_between_the_look_and_the_drop(it: Trimming) -> None:
    """Its change is read, and has changed the entry, before the entry is dropped: it stays."""
    await it.touched()
    later = {**A, "status": {"S": "later"}}

    async def in_between(operation: str, subject: object) -> None:
        if isinstance(subject, Delete) and subject.table == "control":
            it.world.db.before = None
            it.world.db.apply(Put("old", later))
            await it.world.carry()

    it.world.db.before = in_between
    await still_there(it)
    assert (it.world.v2_lead() or {})["status"] == later["status"]


@pytest.mark.parametrize("side", ["old", "leads"])
async def test_an_image_put_back_after_its_entry_was_dropped_is_carried(it: Trimming, side: str) -> None:
    """Its stamp is of the epoch before, so that the application must have written it."""
    db, carried = it.world.db, {**A, "status": {"S": "v2"}}
    await it.touched()
    db.apply(Put("leads", v2_of(carried, _sync=None)))
    await it.world.clock.advance(10)
    key: Item = KEY if side == "old" else lead_key("a")
    before = db.item(side, key)
    assert before is not None
    db.apply(Put("old", A))
    await it.world.clock.advance(10)
    await it.bump()
    await it.walk(after=6)
    assert await it.entry() is None
    db.apply(Put(side, before))
    await it.world.clock.advance(10)
    assert (it.world.old_lead() or {})["status"] == (it.world.v2_lead() or {})["status"] == carried["status"]


def test_what_differs_is_not_forgettable() -> None:
    place = Place("leads", lead_key("a"))
    entry = replace(new_entry(KEY, 1), forward=ForwardHalf(BASE, places=(place.text,)))
    assert forgettable(MAPPING, entry, BothSides((PlaceReading(place, v2_of(A)),), A))
    assert not forgettable(MAPPING, entry, BothSides((PlaceReading(place, v2_of(A, status={"S": "won"})),), A))


async def test_a_superseded_worker_drops_nothing(it: Trimming) -> None:
    await it.touched()
    it.good = False
    with pytest.raises(Fenced):
        await it.walk(after=6)
    assert await it.entry() is not None


async def test_the_epoch_is_not_raised_for_nothing(it: Trimming) -> None:
    await it.walk(after=70)
    assert await it.epoch() == 1


async def test_the_epoch_is_not_raised_while_a_move_is_under_way(it: Trimming) -> None:
    it.world.db.apply(Put("old", A))
    await it.world.clock.advance(10)
    await in_dual(it.world, move=Move("reverse", "announce", 1.0, 1.0, "somebody"))
    await it.walk(after=70)
    assert await it.epoch() == 1
    await in_dual(it.world, move=None)
    await it.walk(after=10)
    assert await it.epoch() == 2
