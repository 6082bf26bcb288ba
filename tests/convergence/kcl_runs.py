"""One random run of the kcl engine and the backfill: leases move, workers are killed, then one worker takes everything over."""

import asyncio
from collections.abc import Sequence

from service.control.checkpoints import Checkpoints
from service.control.table import ControlTable
from tests.convergence.invariants import check_converged, check_no_resurrection
from tests.convergence.kcl import KclWorker, Leases
from tests.convergence.live import Backfill, Live, check_quarantined, replayed, started

STEPS = 6000


def replay(seed: int) -> None:
    """Run one seed."""
    replayed(__name__, _run, seed)


async def _run(seed: int) -> None:
    live = await started(seed)
    leases = Leases(live)
    await leases.follow()
    try:
        await _trouble(live, leases)
        await _end(live, leases)
    finally:
        for process in live.processes:
            await process.kill()


async def _trouble(live: Live, leases: Leases) -> None:
    """Application, backfill and two workers at once."""
    application = asyncio.create_task(live.application(live.rng.randint(1, 8)))
    backfill = Backfill(live)
    live.add(backfill)
    workers = [_worker(live, leases) for _ in range(2)]
    while not (application.done() and backfill.task.done()):
        await live.conductor.step()
        chance = live.rng.random()
        if chance < 0.05:
            _assign(live, leases, workers)
        elif chance < 0.06:
            await workers.pop(0).kill()
            workers.append(_worker(live, leases))
        elif chance < 0.07:
            live.split()
        elif chance < 0.10:
            live.conductor.frozen = {process for process in live.processes if live.rng.random() < 0.4}
    backfill.task.result()


def _worker(live: Live, leases: Leases) -> KclWorker:
    worker = KclWorker(live, leases)
    live.add(worker)
    return worker


def _assign(live: Live, leases: Leases, workers: Sequence[KclWorker]) -> None:
    """Assign a random shard to a random worker, even if another one has it."""
    readable = leases.readable()
    if readable:
        leases.assign(live.rng.choice(readable), live.rng.choice(workers))


async def _end(live: Live, leases: Leases) -> None:
    """One worker takes over every shard; superseded ones make their last writes and end; bad items are mended; all is checked."""
    superseded, last = list(live.processes), _worker(live, leases)
    await _drained(live, leases, last)
    live.conductor.frozen.clear()
    for process in superseded:
        for _ in range(live.rng.choice((0, 5, 40))):
            await live.conductor.step()
        await process.kill()
    await _drained(live, leases, last)
    await check_quarantined(live)
    live.mend()
    await _drained(live, leases, last)
    await live.retry_all()
    await _drained(live, leases, last)
    assert await live.quarantine().heads() == {}
    check_no_resurrection(live.memory, live.mapping)
    check_converged(live.memory, live.mapping)


async def _drained(live: Live, leases: Leases, last: KclWorker) -> None:
    """Step until ``last`` has every shard, and every record is applied and saved."""
    for _ in range(STEPS):
        for shard_id in leases.readable():
            if leases.rows[shard_id].owner is not last:
                leases.assign(shard_id, last)
        if await _all_saved(live):
            return
        await live.conductor.step()
    raise AssertionError(f"not drained after {STEPS} steps")


async def _all_saved(live: Live) -> bool:
    saved = await Checkpoints(ControlTable(live.memory, "control"), live.arn, live.mapping.hash).load()
    stream = live.memory.stream(live.mapping.old.table)
    for shard in stream.describe(None).shards:
        position = saved.get(shard.shard_id)
        if position is None or (shard.ending is not None and position.state != "finished"):
            return False
        if position.state == "finished" and position.sequence is None:  # closed before the start: no record was read
            continue
        if int(position.sequence or 0) < stream.last_sequence(shard.shard_id):
            return False
    return True
