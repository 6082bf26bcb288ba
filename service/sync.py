"""The long-running service: the forward lane, its beats, and the HTTP side, until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from service.app import App
from service.errors import TablesplitError
from service.http_server import serve_http
from service.identity import worker_id
from service.lane import ForwardLane
from service.log import get_logger
from service.snapshot import take_snapshot
from service.start import ensure_started, require_same_stream
from service.tasks import task_group
from service.view import View
from service.workers import BEAT_SECONDS, Workers

LOG_SECONDS = 30.0


async def run_sync(app: App, stop: asyncio.Event, *, http: bool = True) -> None:
    """Serve until ``stop`` is set. What is wrong at the start is raised; what goes wrong later stops the lane and is shown."""
    state = await ensure_started(app)
    await require_same_stream(app, state)
    app.metrics.set_build(version("tablesplit"), app.mapping.hash)
    async with sync_lane(app) as lane:
        if http:
            await _serve(app, View(app, lane), stop)
        else:
            await stop.wait()


async def _serve(app: App, view: View, stop: asyncio.Event) -> None:
    async with serve_http(app.settings, view) as address:
        get_logger().info("serving", http=address, worker=worker_id(), old_table=app.mapping.old.table)
        try:
            await stop.wait()
        finally:
            await view.close()


@asynccontextmanager
async def sync_lane(app: App) -> AsyncIterator[ForwardLane]:
    """A forward lane with its beats in the background; at the end it saves its positions and gives its lease back."""
    lane = ForwardLane(app)
    workers = Workers(app.control, app.clock)
    try:
        async with task_group() as tasks:
            background = [tasks.create_task(work) for work in (lane.run(), _beat(app, lane, workers), _log(app, lane))]
            try:
                yield lane
            finally:
                for task in background:
                    task.cancel()
    finally:
        with suppress(TablesplitError):  # a beat that cannot be taken back is forgotten after an hour
            await workers.leave(worker_id())


async def _beat(app: App, lane: ForwardLane, workers: Workers) -> None:
    number = 0
    while True:
        number += 1
        try:
            await workers.say(worker_id(), lane.beat(number))
        except TablesplitError as silent:
            get_logger().warning("cannot report", reason=silent.message)
        app.metrics.set_ready(lane.role != "stopped")
        await app.clock.sleep(BEAT_SECONDS)


async def _log(app: App, lane: ForwardLane) -> None:
    """Log the snapshot, and show it in the metrics, every half minute."""
    while True:
        try:
            status = await take_snapshot(app, caught_up=lane.at_tip())
            app.metrics.show(status)
            get_logger().info("status", **status.to_log())
        except TablesplitError as unseen:
            get_logger().warning("no status", reason=unseen.message, remedy=unseen.remedy)
        await app.clock.sleep(LOG_SECONDS)
