"""`sync`: the long-running service: both lanes, the HTTP side, and a status line in the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import STOP_GRACE_SECONDS, run_command
from service.config import Settings
from service.control.engine import Engine
from service.control.workers import worker_id
from service.http_api.server import serve_http
from service.http_api.view import HttpView
from service.log import get_logger
from service.migration.start import ensure_started
from service.migration.status.history import History
from service.migration.status.snapshot import log_status
from service.streams.kcl.daemon import STOP_SECONDS as DAEMON_STOP_SECONDS
from service.streams.kcl.daemon import require_daemon
from service.sync.positions import require_same_stream
from service.sync.shared_lane import daemon_options
from service.sync.worker import sync_lanes
from service.tasks import task_group
from service.telemetry.cloudwatch import tell_cloudwatch, write_to_stdout


@click.command()
@click.option(
    "--engine",
    type=click.Choice(["embedded", "kcl"]),
    help="The engine that reads the streams [default: TABLESPLIT_ENGINE].",
)
@click.option("--http/--no-http", default=True, show_default=True, help="Serve health, metrics, status and the API.")
@as_json
def sync(engine: Engine | None, http: bool, as_json: bool) -> None:
    """Apply every change of the old table to the v2 tables, until stopped. A second process stands by and takes over; with the kcl
    engine, all processes read, each some of the shards."""

    async def body(app: App, stop: asyncio.Event) -> Answer:
        await _run_sync(app, stop, http=http)
        engine_used = app.settings.engine
        return Answer({"stopped": True, "engine": engine_used}, "sync stopped; what was applied is saved", stopped=True)

    run_command(body, as_json=as_json, acts=True, grace=_grace, engine=engine)


async def _run_sync(app: App, stop: asyncio.Event, *, http: bool = True) -> None:
    """Run until ``stop`` is set. Errors at the start are raised; a later error stops its lane, which the status shows."""
    if app.settings.engine == "kcl":
        require_daemon(daemon_options(app))
    state = await ensure_started(app)
    await require_same_stream(app, state)
    history = History()
    async with told_to_cloudwatch(app), sync_lanes(app, log_status(app, history)) as lanes:
        if http:
            await _serve(app, HttpView(app, lanes, history), stop)
        else:
            await stop.wait()


@asynccontextmanager
async def told_to_cloudwatch(app: App) -> AsyncIterator[None]:
    """CloudWatch is told the gauges for the block, where the settings name a namespace."""
    namespace = app.settings.cloudwatch_namespace
    if namespace is None:
        yield
        return
    async with task_group() as tasks:
        telling = tasks.create_task(
            tell_cloudwatch(app.metrics.registry, app.clock, namespace, app.settings.control_table, write_to_stdout)
        )
        try:
            yield
        finally:
            telling.cancel()


async def _serve(app: App, view: HttpView, stop: asyncio.Event) -> None:
    async with serve_http(app.settings, view, app.clock) as address:
        get_logger().info("serving", http=address, worker=worker_id(), old_table=app.mapping.old.table)
        try:
            await stop.wait()
        finally:
            await view.close()


def _grace(settings: Settings) -> float:
    """Seconds that sync may take to stop: KCL's daemon needs some to give its leases back."""
    return DAEMON_STOP_SECONDS + STOP_GRACE_SECONDS if settings.engine == "kcl" else STOP_GRACE_SECONDS
