"""`remap`: change the mapping of a migration that has begun."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import run_command
from service.migration.remap import remap as change_mapping


@click.command()
@as_json
def remap(as_json: bool) -> None:
    """Change to the mapping that TABLESPLIT_MAPPING now names, and transform every item again. Only before the first cutover.

    Stop `sync` first, and start it again with the new mapping afterwards. `remap` with the former mapping undoes it.
    """

    async def body(app: App, stop: asyncio.Event) -> Answer:
        done = await change_mapping(app, stop)
        return Answer(done.to_json(), done.to_text(), ok=done.ok)

    run_command(body, as_json=as_json, acts=True)
