"""One random run of the embedded engine and the backfill: workers are killed and superseded, then both sides are checked."""

import asyncio

from tests.convergence.invariants import check_converged, check_no_resurrection
from tests.convergence.live import Backfill, Live, Process, Retries, Sync, check_quarantined, replayed, started

STEPS = 4000


def replay(seed: int) -> None:
    """Run one seed."""
    replayed(__name__, _run, seed)


async def _run(seed: int) -> None:
    live = await started(seed)
    try:
        await _trouble(live)
        await _end(live)
    finally:
        for process in live.processes:
            await process.kill()


async def _trouble(live: Live) -> None:
    """Application, backfill, sync and retries at once; workers are killed and superseded at any step."""
    application = asyncio.create_task(live.application(live.rng.randint(1, 8)))
    backfill: Process = live.add(Backfill(live))
    sync: Process = live.take_over()
    while not (application.done() and backfill.task.done()):
        await live.conductor.step()
        chance = live.rng.random()
        if chance < 0.01:
            await sync.kill()
        if chance < 0.04:
            live.conductor.frozen.add(sync)  # why it lost its lease
            sync = live.take_over()
        elif chance < 0.05:
            backfill = live.add(Backfill(live))  # the previous one still has copies to write
        elif chance < 0.06:
            live.split()
        elif chance < 0.08:
            live.add(Retries(live))
        elif chance < 0.11:
            live.conductor.frozen = {process for process in live.processes if live.rng.random() < 0.4}
    backfill.task.result()


async def _end(live: Live) -> None:
    """An owner drains; superseded workers make their last writes and end; bad items are mended and retried; all is checked."""
    superseded, owner = list(live.processes), live.take_over()
    await _drained(live, owner)
    live.conductor.frozen.clear()
    for process in superseded:
        for _ in range(live.rng.choice((0, 5, 40))):
            await live.conductor.step()
        await process.kill()
    await check_quarantined(live)
    live.mend()
    await _drained(live, owner)
    await live.retry_all()
    await _drained(live, owner)
    assert await live.quarantine().heads() == {}
    check_no_resurrection(live.memory, live.mapping)
    check_converged(live.memory, live.mapping)


async def _drained(live: Live, owner: Sync) -> None:
    """Step until the stream has been read to its end twice more."""
    target = owner.engine.snapshot().rounds + 2
    for _ in range(STEPS):
        if owner.task.done():
            owner.task.result()
        if owner.engine.snapshot().rounds >= target:
            return
        await live.conductor.step()
    raise AssertionError(f"not drained after {STEPS} steps")
