"""`sync`: the long-running service."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import run_command
from service.sync import run_sync


@click.command()
@click.option(
    "--engine", type=click.Choice(["embedded"]), default="embedded", show_default=True, help="How the stream is read."
)
@click.option("--http/--no-http", default=True, show_default=True, help="Serve health, metrics, status and the API.")
@as_json
def sync(engine: str, http: bool, as_json: bool) -> None:
    """Apply every change of the old table to the v2 tables, until stopped. A second one stands by and takes over."""

    async def body(app: App, stop: asyncio.Event) -> Answer:
        await run_sync(app, stop, http=http)
        return Answer({"stopped": True, "engine": engine}, "sync stopped; what was applied is saved", stopped=True)

    run_command(body, as_json=as_json)
