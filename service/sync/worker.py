"""The two lanes of one process, with their beats and metrics; and waiting until sync has caught up."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from service.app import App
from service.control.workers import BEAT_SECONDS, Beat, Workers, beat_seconds, worker_id
from service.errors import Interrupted, TablesplitError
from service.log import get_logger
from service.sync.forward_lane import ForwardLane
from service.sync.lane import Lane, read_alone
from service.sync.reverse_lane import ReverseLane
from service.sync.shared_lane import read_shared
from service.tasks import task_group

CATCH_UP_QUESTION_SECONDS = 15.0
"""How long one question whether sync has caught up may take; it is repeated until the answer is yes."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Old to v2, and v2 to old."""

    forward: Lane
    reverse: Lane

    def beat(self, number: int, now: float) -> Beat:
        """What this process reports about itself now. ``now``: epoch seconds."""
        return Beat(number, now, self.forward.beat(), self.reverse.beat())

    def unready(self) -> str | None:
        """Why a lane has stopped, with the remedy; None while both work or stand by."""
        for lane in (self.forward, self.reverse):
            if lane.failure is not None:
                return f"{lane.failure.message} ({lane.failure.remedy})"
        return None


@asynccontextmanager
async def sync_lanes(app: App, status_log: Coroutine[Any, Any, None]) -> AsyncIterator[Lanes]:
    """Run both lanes with their beats, and the ``status_log``, in the background.

    At the end the lanes save their positions and give their leases back.
    """
    read = read_shared if app.settings.engine == "kcl" else read_alone
    lanes = Lanes(ForwardLane(app, read), ReverseLane(app, read))
    workers = Workers(app.control, app.clock)
    background = (
        lanes.forward.run(),
        lanes.reverse.run(),
        _beat(app, lanes, workers),
        _measure(app, lanes),
        status_log,
    )
    try:
        async with task_group() as tasks:
            running = [tasks.create_task(work) for work in background]
            try:
                yield lanes
            finally:
                for task in running:
                    task.cancel()
    finally:
        with suppress(TablesplitError):  # a beat that cannot be removed is forgotten after an hour
            await workers.leave(worker_id())


async def _beat(app: App, lanes: Lanes, workers: Workers) -> None:
    number, logged = 0, None
    while True:
        number += 1
        try:
            await workers.report(worker_id(), lanes.beat(number, app.clock.now()))
            logged = None
        except TablesplitError as failure:
            if failure.message != logged:
                get_logger().warning("cannot report the state of this worker", **failure.to_log())
            logged = failure.message
        await app.clock.sleep(beat_seconds(app.settings.heartbeat_seconds))


async def _measure(app: App, lanes: Lanes) -> None:
    """Set the metrics of this process, also while it cannot report its beats."""
    while True:
        app.metrics.set_ready(lanes.unready() is None)
        for lane in (lanes.forward, lanes.reverse):
            app.metrics.set_read_lag(lane.name, lane.read_lag())
        await app.clock.sleep(BEAT_SECONDS)


async def catch_up(app: App, stop: asyncio.Event) -> None:
    """Return once every change that was in the stream when this was called has been applied. Raises Interrupted."""
    workers = Workers(app.control, app.clock)
    while not await workers.caught_up(CATCH_UP_QUESTION_SECONDS):
        if stop.is_set():
            raise Interrupted("stopped while catching up", remedy="go on with: tablesplit full-migration")
        await raise_failure(app)
        await app.clock.sleep(BEAT_SECONDS)  # while no worker holds the lease, caught_up answers no at once


async def raise_failure(app: App) -> None:
    """Raises Interrupted when a worker reports that its forward lane has stopped: waiting would never end."""
    for worker, beat in (await Workers(app.control, app.clock).live()).items():
        if beat.forward.role == "stopped" and beat.forward.failure is not None:
            raise Interrupted(
                f"sync worker {worker} has stopped: {beat.forward.failure}",
                remedy="remove the cause, then run this again",
            )
