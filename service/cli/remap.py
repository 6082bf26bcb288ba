"""`remap`: another mapping for a migration under way."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import run_command
from service.migration.remap import remap as go_over


@click.command()
@as_json
def remap(as_json: bool) -> None:
    """Go over to the mapping that TABLESPLIT_MAPPING names now, and transform every item anew. Before the first cutover only.

    Stop `sync` first, and start it again with the new mapping afterwards. `remap` with the former mapping takes it back.
    """

    async def body(app: App, stop: asyncio.Event) -> Answer:
        done = await go_over(app, stop)
        return Answer(done.to_json(), done.to_text(), ok=done.ok)

    run_command(body, as_json=as_json)
