"""`status`: one snapshot, a new one every two seconds, or the first one in which sync has caught up."""

import asyncio

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import FiniteRange, as_json
from service.cli.output import print_text
from service.cli.run import run_command
from service.escape import lines_of
from service.migration.status.snapshot import take_snapshot
from service.migration.status.status import Status

WATCH_SECONDS = 2.0


@click.command()
@click.option("--watch", is_flag=True, help="Refresh every two seconds, until Ctrl-C.")
@click.option(
    "--until-caught-up", "within", type=FiniteRange(1), help="Wait at most this many seconds until caught up."
)
@click.option("--also", multiple=True, help="A line to print below the answer.")
@as_json
def status(watch: bool, within: float | None, also: tuple[str, ...], as_json: bool) -> None:
    """Show phase, progress, lag and counts. Takes up to a few seconds, to find out whether sync has caught up. Exit status 1 where
    nothing has been started.

    With --until-caught-up: wait until the backfill has finished and sync has caught up in both directions; exit status 1 if that
    takes longer.
    """
    if watch and within is not None:
        raise click.UsageError("--watch and --until-caught-up cannot be combined: --watch runs until it is stopped.")
    if watch and as_json:
        raise click.UsageError("--watch and --json cannot be combined: --json prints one document.")

    async def body(app: App, stop: asyncio.Event) -> Answer:
        if watch:
            return await _watch(app, stop)
        deadline = app.clock.monotonic() + (within or 0)
        snapshot = await take_snapshot(app)
        while app.clock.monotonic() < deadline and not stop.is_set() and not _caught_up(snapshot):
            await app.clock.sleep(WATCH_SECONDS)
            snapshot = await take_snapshot(app)
        text = lines_of([*snapshot.to_text().split("\n"), *also])
        return Answer(snapshot.to_json(), text, ok=snapshot.started and (within is None or _caught_up(snapshot)))

    run_command(body, as_json=as_json)


async def _watch(app: App, stop: asyncio.Event) -> Answer:
    snapshot = await take_snapshot(app)
    while not stop.is_set():
        click.clear()
        print_text(snapshot.to_text())
        await app.clock.sleep(WATCH_SECONDS)
        snapshot = await take_snapshot(app)
    return Answer(snapshot.to_json(), snapshot.to_text(), stopped=True)


def _caught_up(status: Status) -> bool:
    facts = status.facts
    return facts.backfill.state == "finished" and facts.forward.caught_up and facts.reverse.caught_up
