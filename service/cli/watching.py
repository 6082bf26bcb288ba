"""`status`: one snapshot, or one after the other."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import run_command
from service.snapshot import take_snapshot

WATCH_SECONDS = 2.0


@click.command()
@click.option("--watch", is_flag=True, help="Again every two seconds, until Ctrl-C.")
@as_json
def status(watch: bool, as_json: bool) -> None:
    """Show phase, progress, lag and counts. Waits up to a few seconds to learn whether sync has caught up."""
    if watch and as_json:
        raise click.UsageError("--watch and --json do not go together: --json prints one document.")

    async def body(app: App, stop: asyncio.Event) -> Answer:
        snapshot = await take_snapshot(app)
        while watch and not stop.is_set():
            click.clear()
            click.echo(snapshot.to_text())
            await app.clock.sleep(WATCH_SECONDS)
            snapshot = await take_snapshot(app)
        return Answer(snapshot.to_json(), snapshot.to_text(), stopped=watch)

    run_command(body, as_json=as_json)
