"""Shows the progress of a backfill: a bar on a terminal, or a line in the log every few seconds."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from backfill.progress import Snapshot
from service.clock import Clock
from service.log import get_logger

LINE_SECONDS = 10.0


class Display(Protocol):
    """Where progress is shown."""

    def show(self, snapshot: Snapshot) -> None:
        """Called often, about every half second; the display decides what to show of it."""


class LogLines:
    """A line every ``LINE_SECONDS``, and one when the backfill is done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next_line_at = clock.monotonic()

    def show(self, snapshot: Snapshot) -> None:
        now = self._clock.monotonic()
        if now >= self._next_line_at or snapshot.percent == 100:
            self._next_line_at = now + LINE_SECONDS
            get_logger().info(snapshot.to_text())


class Bar:
    """A progress bar, redrawn in place."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._task = bars.add_task("backfill", total=None)

    def show(self, snapshot: Snapshot) -> None:
        total = None if snapshot.percent is None else 100
        self._bars.update(self._task, total=total, completed=snapshot.percent or 0, description=_description(snapshot))


def _description(snapshot: Snapshot) -> str:
    """The text beside the bar."""
    percent = "" if snapshot.percent is None else f"{snapshot.percent:.1f} %, "
    eta = "" if snapshot.eta_seconds is None else f", about {snapshot.eta_seconds:.0f} s to go"
    waiting = f", waiting: {', '.join(snapshot.waiting_for)}" if snapshot.waiting_for else ""
    return f"{percent}{snapshot.outcomes.items} items, {snapshot.items_per_second:.0f}/s, {snapshot.cost_text()}{eta}{waiting}"


@contextmanager
def opened_display(clock: Clock) -> Iterator[Display]:
    """A bar when stderr is a terminal, otherwise log lines. Nothing goes to stdout, which is for the command's result."""
    if not sys.stderr.isatty():
        yield LogLines(clock)
        return
    columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        yield Bar(bars)
