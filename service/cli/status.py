"""`status`: one snapshot, a new one every two seconds, or the first one in which sync has caught up."""

import asyncio
import json
import sys
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import FiniteRange, as_json
from service.cli.output import Redrawn, print_text
from service.cli.run import run_command
from service.escape import lines_of
from service.migration.status.snapshot import take_snapshot
from service.migration.status.status import Status

WATCH_SECONDS = 2.0


@click.command()
@click.option(
    "--watch",
    is_flag=True,
    help="Refresh every two seconds, until Ctrl-C; with --json a line each, to be read as it comes.",
)
@click.option("--fresh", is_flag=True, help="Ask both lanes whether they have caught up, which takes some seconds.")
@click.option(
    "--until-caught-up", "within", type=FiniteRange(1), help="Wait at most this many seconds until caught up."
)
@click.option("--also", multiple=True, help="A line to print below the answer.")
@as_json
def status(watch: bool, fresh: bool, within: float | None, also: tuple[str, ...], as_json: bool) -> None:
    """Show phase, progress, lag and counts, as the workers last reported them. Exit status 1 where nothing has been started.

    With --until-caught-up: wait until the backfill has finished and sync has caught up in both directions; exit status 1 if that
    takes longer. It asks the lanes, as --fresh does.
    """
    if watch and within is not None:
        raise click.UsageError("--watch and --until-caught-up cannot be combined: --watch runs until it is stopped.")

    async def body(app: App, stop: asyncio.Event) -> Answer:
        if watch:
            return await _watch(app, stop, ask=fresh, as_json=as_json)
        deadline = app.clock.monotonic() + (within or 0)
        ask = fresh or within is not None
        snapshot = await take_snapshot(app, ask=ask)
        while app.clock.monotonic() < deadline and not stop.is_set() and not _caught_up(snapshot):
            await app.clock.sleep(WATCH_SECONDS)
            snapshot = await take_snapshot(app, ask=ask)
        text = lines_of([*snapshot.to_text().split("\n"), *also])
        ok = snapshot.started and (within is None or _caught_up(snapshot))
        return Answer(snapshot.to_json(), text, ok=ok)

    run_command(body, as_json=as_json)


async def _watch(app: App, stop: asyncio.Event, *, ask: bool, as_json: bool) -> Answer:
    """Show snapshots until stopped: redrawn in place on a terminal, as a line of JSON each for programs."""
    stopped = asyncio.create_task(stop.wait())
    in_place = Redrawn() if sys.stdout.isatty() and not as_json else None
    while not stop.is_set():
        snapshot = asyncio.create_task(take_snapshot(app, ask=ask))
        if not await _done_before(snapshot, stopped):
            break
        show = in_place.show if in_place else print_text
        show(json.dumps(snapshot.result().to_json(), ensure_ascii=False) if as_json else snapshot.result().to_text())
        await _done_before(asyncio.create_task(app.clock.sleep(WATCH_SECONDS)), stopped)
    stopped.cancel()
    return Answer({}, "", shown=True)


async def _done_before(work: asyncio.Task[Any], stopped: asyncio.Task[Any]) -> bool:
    """Whether the work was done before the stop, which cancels it."""
    await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        work.cancel()
        return False
    return True


def _caught_up(status: Status) -> bool:
    facts = status.facts
    return facts.backfill.state == "finished" and facts.forward.caught_up and facts.reverse.caught_up
