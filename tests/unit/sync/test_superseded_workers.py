"""How long a sink waits before it decides on a claim of another worker: until that one can write no more."""

import asyncio
from dataclasses import dataclass, field

import pytest

from service.sync.sinks.context import SupersededWorkers
from tests.fakes.clocks import VirtualClock, settle

HORIZON = 60.0


@dataclass
class Taking:
    """A worker that takes shards over. ``shards``: how many so far."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    shards: int = 0

    def __post_init__(self) -> None:
        self.workers = SupersededWorkers(self.clock, HORIZON, lambda: self.shards)

    async def waits(self) -> float:
        """How many seconds pass until no other worker can write."""
        began = self.clock.monotonic()
        waiting = asyncio.ensure_future(self.workers.silent())
        await self.clock.until(waiting.done, within=1000)
        await waiting
        return self.clock.monotonic() - began


@pytest.mark.parametrize(("after", "waits"), [(0, 60), (20, 40), (60, 0), (500, 0)])
async def test_it_waits_until_the_horizon_has_passed_since_it_took_over(after: float, waits: float) -> None:
    taking = Taking()
    await taking.clock.advance(after)
    assert await taking.waits() == waits


async def test_each_shard_that_is_taken_over_begins_a_new_horizon() -> None:
    taking = Taking()
    await taking.clock.advance(500)
    taking.shards += 1
    assert await taking.waits() == HORIZON
    assert await taking.waits() == 0


async def test_it_does_not_return_before() -> None:
    taking = Taking()
    waiting = asyncio.ensure_future(taking.workers.silent())
    await taking.clock.advance(HORIZON - 1)
    assert not waiting.done()
    await taking.clock.advance(1)
    await settle()
    assert waiting.done()
