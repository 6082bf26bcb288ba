"""Options that several commands share."""

from collections.abc import Callable
from typing import Any

import click

Command = Callable[..., Any]

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
yes = click.option("--yes", is_flag=True, help="Answer the question: for use without a terminal.")

max_read_units = click.option(
    "--max-read-units", type=click.FloatRange(min=1), help="Read capacity units per second at most."
)
max_write_units = click.option(
    "--max-write-units", type=click.FloatRange(min=1), help="Write capacity units per second at most."
)


def backfill_limits(command: Command) -> Command:
    """--segments, --max-write-units, --max-read-units and --max-cost."""
    for option in (
        click.option(
            "--max-cost", type=click.FloatRange(min=0.01), metavar="DOLLARS", help="Pause when this is spent."
        ),
        max_read_units,
        max_write_units,
        click.option("--segments", type=click.IntRange(1, 10_000), help="Parallel Scan segments of a new backfill."),
    ):
        command = option(command)
    return command
