"""`selftest`: asks the server whether what the design assumes about DynamoDB holds there."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import FiniteRange, as_json
from service.cli.run import run_command
from service.config import Settings
from service.rehearsal.selftest.run import ASK_SECONDS, run_selftest
from service.rehearsal.selftest.site import ALL_SECONDS


@click.command()
@click.option("--aws", is_flag=True, help="Ask AWS. Without it, an endpoint of AWS is refused.")
@click.option(
    "--seconds",
    type=FiniteRange(5, ASK_SECONDS),
    default=ASK_SECONDS,
    show_default=True,
    help="How long the questions may wait for what they want to see.",
)
@as_json
def selftest(aws: bool, seconds: float, as_json: bool) -> None:
    """Ask the server what only it can answer: whether the assumptions of the design hold there.

    Makes small tables of its own (tablesplit-selftest-...), and deletes them at the end, also after Ctrl-C or an error. Takes ten
    minutes at most, and costs less than a US dollar. Needs no migration, and touches no table of one. Exit status 1 when an
    assumption is broken, or a question could not be asked.
    """

    async def body(app: App, stop: asyncio.Event) -> Answer:
        report = await run_selftest(app, aws=aws, seconds=seconds, stop=stop)
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_command(body, as_json=as_json, grace=_deletion)


def _deletion(_: Settings) -> float:
    """Deleting takes longer than other commands need to stop."""
    return ALL_SECONDS
