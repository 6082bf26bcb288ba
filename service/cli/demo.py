"""`demo`: a whole migration on a local server, there and back, with a kill -9 of sync on the way."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.live import Live as RichLive
from rich.text import Text

from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.output import say
from service.cli.run import run_alone
from service.environment import load_settings, use_local_credentials
from service.rehearsal.demo.live import Live
from service.rehearsal.demo.run import run_demo
from service.rehearsal.demo.watch import Screen

LINE_SECONDS = 5.0
WARNED_OF = ("was killed",)


class LiveScreen:
    """On a terminal: how things are, redrawn in place, below everything that has happened."""

    def __init__(self, view: RichLive) -> None:
        self._view = view

    def event(self, line: str) -> None:
        """Print it above."""
        self._view.console.print(Text(line))

    def show(self, live: Live) -> None:
        """Redraw it."""
        text = Text(f"\n{live.to_text()}\n")
        text.highlight_words(WARNED_OF, style="bold red")
        self._view.update(text, refresh=True)


class LineScreen:
    """Elsewhere: a line for each event, and one for how things are: when the sync process does something else, and every few
    seconds."""

    def __init__(self) -> None:
        self._next_at = 0.0
        self._sync = ""

    def event(self, line: str) -> None:
        """Print it."""
        say(f"demo: {line}")

    def show(self, live: Live) -> None:
        """Print it, unless the last such line is younger than LINE_SECONDS and says the same of sync."""
        if live.seconds >= self._next_at or live.sync != self._sync:
            self._next_at, self._sync = live.seconds + LINE_SECONDS, live.sync
            say(f"demo: {live.to_line()}")


@contextmanager
def opened_screen() -> Iterator[Screen]:
    """What suits stderr. On a terminal, log lines of the block come above what is redrawn."""
    if not sys.stderr.isatty():
        yield LineScreen()
        return
    with RichLive(console=Console(stderr=True), auto_refresh=False, transient=True) as view:
        yield LiveScreen(view)


@click.command()
@as_json
def demo(as_json: bool) -> None:
    """Migrate real sales figures on a local server while an application writes: cutover, a kill -9 of sync, rollback.

    It takes a minute, more on a busy machine. At the end both sides are compared and every write is accounted for; the
    tables are deleted. TABLESPLIT_DEMO_SERVER names the server: dynamodb-local, which needs Java 17, moto, which is slower, or an
    endpoint's URL; without it, the first that is there.
    """

    async def body(stop: asyncio.Event) -> Answer:
        use_local_credentials()
        with opened_screen() as screen:
            report = await run_demo(load_settings(), screen, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_alone(body, as_json=as_json)
