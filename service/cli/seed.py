"""`seed`: the demonstration's old table on a permanent local server, and an application that keeps writing."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import FiniteRange, as_json
from service.cli.run import run_command
from service.core.phases.acting import Side
from service.environment import use_local_credentials
from service.log import get_logger
from service.rehearsal.demo.seed import is_loaded, keep_writing, seed_old_table


@click.command()
@click.option(
    "--opportunities", type=click.IntRange(1), default=8800, show_default=True, help="Load at most this many deals."
)
@click.option(
    "--write",
    type=click.Choice(["no", "old", "v2"]),
    default="no",
    show_default=True,
    help="The side to keep writing on.",
)
@click.option(
    "--pause-seconds", type=FiniteRange(0.01), default=0.5, show_default=True, help="Pause between two writes."
)
@click.option("--check", is_flag=True, help="Only check whether the table is loaded: exit status 1 if not.")
@as_json
def seed(opportunities: int, write: str, pause_seconds: float, check: bool, as_json: bool) -> None:
    """Load the demonstration's old table into a local server; with --write, keep writing as an application would, until stopped."""
    use_local_credentials()

    async def body(app: App, stop: asyncio.Event) -> Answer:
        if check:
            loaded = await is_loaded(app)
            return Answer({"loaded": loaded}, "loaded" if loaded else "not loaded yet", ok=loaded)
        count = await seed_old_table(app, opportunities)
        answer = Answer({"loaded": count}, f"{count} items loaded" if count else "loaded before")
        if write == "no":
            return answer
        side: Side = "old" if write == "old" else "v2"
        get_logger().info(answer.text, writing=side)
        log = await keep_writing(app, side, opportunities, pause_seconds, stop)
        return Answer({"writes": log.counts()}, "the application has stopped", stopped=True)

    run_command(body, as_json=as_json)
