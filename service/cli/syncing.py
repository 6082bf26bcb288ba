"""`sync`: the long-running service."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import STOP_GRACE_SECONDS, run_command
from service.cli.run_sync import run_sync
from service.config import Settings
from service.control.engine import Engine
from service.streams.kcl.daemon import STOP_SECONDS as DAEMON_STOP_SECONDS


@click.command()
@click.option(
    "--engine", type=click.Choice(["embedded", "kcl"]), help="How streams are read [default: TABLESPLIT_ENGINE]."
)
@click.option("--http/--no-http", default=True, show_default=True, help="Serve health, metrics, status and the API.")
@as_json
def sync(engine: Engine | None, http: bool, as_json: bool) -> None:
    """Apply every change of the old table to the v2 tables, until stopped. A second one stands by and takes over; with the kcl
    engine all of them read, each its share."""

    async def body(app: App, stop: asyncio.Event) -> Answer:
        await run_sync(app, stop, http=http)
        read_by = app.settings.engine
        return Answer({"stopped": True, "engine": read_by}, "sync stopped; what was applied is saved", stopped=True)

    run_command(body, as_json=as_json, grace=_grace, engine=engine)


def _grace(settings: Settings) -> float:
    """KCL's daemon needs some seconds to give its leases back."""
    return DAEMON_STOP_SECONDS + STOP_GRACE_SECONDS if settings.engine == "kcl" else STOP_GRACE_SECONDS
