"""The long-running service: both lanes, their beats, and the HTTP side, until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from service.app import App
from service.errors import TablesplitError
from service.forward_lane import ForwardLane
from service.http_server import serve_http
from service.identity import worker_id
from service.lane import serve_alone
from service.lanes import Lanes
from service.log import get_logger
from service.reverse_lane import ReverseLane
from service.sharing import daemon_options, serve_shared
from service.snapshot import take_running_snapshot
from service.start import ensure_started, require_same_stream
from service.streams.kcl.daemon import require_daemon
from service.tasks import task_group
from service.view import View
from service.workers import BEAT_SECONDS, Workers

LOG_SECONDS = 30.0


async def run_sync(app: App, stop: asyncio.Event, *, http: bool = True) -> None:
    """Serve until ``stop`` is set. What is wrong at the start is raised; what goes wrong later stops its lane and is shown."""
    if app.settings.engine == "kcl":
        require_daemon(daemon_options(app))
    state = await ensure_started(app)
    await require_same_stream(app, state)
    async with sync_lanes(app) as lanes:
        if http:
            await _serve(app, View(app, lanes), stop)
        else:
            await stop.wait()


async def _serve(app: App, view: View, stop: asyncio.Event) -> None:
    async with serve_http(app.settings, view, app.clock) as address:
        get_logger().info("serving", http=address, worker=worker_id(), old_table=app.mapping.old.table)
        try:
            await stop.wait()
        finally:
            await view.close()


@asynccontextmanager
async def sync_lanes(app: App) -> AsyncIterator[Lanes]:
    """Both lanes with their beats in the background; at the end they save their positions and give their leases back."""
    serve = serve_shared if app.settings.engine == "kcl" else serve_alone
    lanes = Lanes(ForwardLane(app, serve), ReverseLane(app, serve))
    workers = Workers(app.control, app.clock)
    background = (lanes.forward.run(), lanes.reverse.run(), _beat(app, lanes, workers), _measure(app, lanes), _log(app))
    try:
        async with task_group() as tasks:
            running = [tasks.create_task(work) for work in background]
            try:
                yield lanes
            finally:
                for task in running:
                    task.cancel()
    finally:
        with suppress(TablesplitError):  # a beat that cannot be taken back is forgotten after an hour
            await workers.leave(worker_id())


async def _beat(app: App, lanes: Lanes, workers: Workers) -> None:
    number, silent_because = 0, None
    while True:
        number += 1
        try:
            await workers.say(worker_id(), lanes.beat(number, app.clock.now()))
            silent_because = None
        except TablesplitError as silent:
            if silent.message != silent_because:
                get_logger().warning("cannot report", reason=silent.message)
            silent_because = silent.message
        await app.clock.sleep(BEAT_SECONDS)


async def _measure(app: App, lanes: Lanes) -> None:
    """Measure this process for its metrics, also while it cannot report."""
    while True:
        app.metrics.set_ready(lanes.unready() is None)
        for lane in (lanes.forward, lanes.reverse):
            app.metrics.set_read_lag(lane.name, lane.read_lag())
        await app.clock.sleep(BEAT_SECONDS)


async def _log(app: App) -> None:
    """Log the snapshot, and show it in the metrics, every half minute."""
    while True:
        try:
            status = await take_running_snapshot(app)
            app.metrics.show(status)
            get_logger().info("status", **status.to_log())
        except TablesplitError as unseen:
            app.metrics.show(None)
            get_logger().warning("no status", reason=unseen.message, remedy=unseen.remedy)
        await app.clock.sleep(LOG_SECONDS)
