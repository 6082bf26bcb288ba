"""Eight jobs of a backfill that share one hot partition key: the real copier, in virtual time, on a table that throttles by key."""

import asyncio
from random import Random

from backfill.segment_copier import SCANS
from backfill.throttle import ThrottleWaits, WriteLimits
from backfill.window import FIRST_ITEMS, Window, next_size
from backfill.window_copier import RequestSlots, Target, WindowCopier
from service.control.quarantine import Quarantine
from service.control.table import ControlTable
from service.dynamodb.protocol import Page
from tests.builders.small_crm import GENERATION, MAPPING, lead
from tests.fakes.clocks import VirtualClock
from tests.worlds.backfill_world import Throttling

UNITS_PER_SECOND = 200
"""An item of this test is one unit."""

LATENCY_SECONDS = 0.01


class Job:
    """One job: it copies its slice of the leads window by window. All leads have the same v2 partition key."""

    def __init__(self, db: Throttling, number: int, items: int) -> None:
        clock = db.clock
        waits = ThrottleWaits(clock, lambda _reason, _seconds: None)
        quarantine = Quarantine(ControlTable(db, "control"), clock)
        limits, slots = WriteLimits(clock, waits, None), RequestSlots(waits, 16)
        target = Target(db, quarantine, limits, waits, slots, lambda: None, clock, 600.0)
        self._copier = WindowCopier(target, MAPPING, Random(number), lambda _: None)
        self._clock = clock
        self._left = [lead(f"{number}-{item:05}") for item in range(items)]

        self._size = FIRST_ITEMS

    async def run(self) -> None:
        await asyncio.gather(*[self._scan() for _ in range(SCANS)])

    async def _scan(self) -> None:
        while self._left:
            items, self._left = self._left[: self._size], self._left[self._size :]
            window, began = Window(self._size), self._clock.monotonic()
            window.add(MAPPING, GENERATION, Page(items, None, 0.0))
            await self._copier.copy(window)
            self._size = next_size(len(items), self._clock.monotonic() - began)


async def test_eight_jobs_use_a_hot_partition_to_85_percent() -> None:
    db, jobs, items = Throttling(VirtualClock(), UNITS_PER_SECOND, LATENCY_SECONDS), 8, 12_000
    db.create_table("control", ("pk", "sk"))
    db.create_table("leads", ("PK", "SK"))
    all_jobs = asyncio.gather(*[Job(db, number, items // jobs).run() for number in range(jobs)])
    await db.clock.until(all_jobs.done, within=600)
    await all_jobs
    assert len(db.items("leads")) == items
    assert db.refusals > 0
    assert items / UNITS_PER_SECOND / db.clock.monotonic() >= 0.85
