"""The long-running service: both lanes, their beats, and the HTTP side, until it is told to stop."""

import asyncio

from service.app import App
from service.control.identity import worker_id
from service.errors import TablesplitError
from service.http_api.server import serve_http
from service.http_api.view import View
from service.log import get_logger
from service.migration.start import ensure_started
from service.migration.status.gauges import MigrationGauges
from service.migration.status.snapshot import take_running_snapshot
from service.streams.kcl.daemon import require_daemon
from service.sync.positions import require_same_stream
from service.sync.shared_lane import daemon_options
from service.sync.worker import sync_lanes

LOG_SECONDS = 30.0


async def run_sync(app: App, stop: asyncio.Event, *, http: bool = True) -> None:
    """Serve until ``stop`` is set. What is wrong at the start is raised; what goes wrong later stops its lane and is shown."""
    if app.settings.engine == "kcl":
        require_daemon(daemon_options(app))
    state = await ensure_started(app)
    await require_same_stream(app, state)
    async with sync_lanes(app, _log(app)) as lanes:
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


async def _log(app: App) -> None:
    """Log the snapshot, and show it in the metrics, every half minute."""
    while True:
        try:
            status = await take_running_snapshot(app)
            app.metrics.show(MigrationGauges(status))
            get_logger().info("status", **status.to_log())
        except TablesplitError as unseen:
            app.metrics.show(MigrationGauges(None))
            get_logger().warning("no status", reason=unseen.message, remedy=unseen.remedy)
        await app.clock.sleep(LOG_SECONDS)
