"""`demo`: a whole migration on a local server, there, back, and there again."""

import asyncio

import click

from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.output import say
from service.cli.run import run_alone
from service.environment import load_settings, use_local_credentials
from service.rehearsal.demo.run import run_demo


@click.command()
@as_json
def demo(as_json: bool) -> None:
    """Migrate real sales figures on a local server while an application writes: forward, cutover, rollback, cutover again.

    At the end both sides are compared and every write is accounted for; the tables are deleted. TABLESPLIT_DEMO_SERVER names the
    server: moto (default, with 400 of the opportunities), dynamodb-local, or an endpoint's URL.
    """

    def report_step(line: str) -> None:
        say(f"demo: {line}")

    async def body(stop: asyncio.Event) -> Answer:
        use_local_credentials()
        report = await run_demo(load_settings(), report_step, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_alone(body, as_json=as_json)
