"""`drill`: a rehearsal of cutover and rollback."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.output import say
from service.cli.run import run_command
from service.rehearsal.drill import run_drill


@click.command()
@click.option(
    "--sample", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Items of each entity to copy."
)
@as_json
def drill(sample: int, as_json: bool) -> None:
    """Rehearse and time cutover and rollback on a copy of a sample of the old table, under live writers.

    The real tables are only read. The drill's own tables (tablesplit-drill-...) are billed per request, and deleted at the end.
    Exit status 1 when a write was lost, a writer had to wait, or the two sides differ.
    """

    def report_step(line: str) -> None:
        say(f"drill: {line}")

    async def body(app: App, stop: asyncio.Event) -> Answer:
        report = await run_drill(app, sample, report_step, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_command(body, as_json=as_json, acts=True)
