"""Options that several commands share."""

from collections.abc import Callable
from math import isfinite
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
yes = click.option("--yes", is_flag=True, help="Confirm in advance: for use without a terminal.")
table_name = click.option(
    "--table", metavar="NAME", help="Confirm in advance, for the migration of this old table only; refused for another."
)


class FiniteRange(click.FloatRange):
    """A range that has neither infinity nor NaN in it, which `1e999` and `nan` would be."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number: float = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


max_read_units = click.option(
    "--max-read-units", type=FiniteRange(min=1), help="At most this many read capacity units per second."
)
max_write_units = click.option(
    "--max-write-units", type=FiniteRange(min=1), help="At most this many write capacity units per second."
)


def backfill_limits(command: F) -> F:
    """--segments, --max-write-units, --max-read-units and --max-cost."""
    for option in (
        click.option(
            "--max-cost", type=FiniteRange(min=0.01), metavar="DOLLARS", help="Pause when this much is spent."
        ),
        max_read_units,
        max_write_units,
        click.option("--segments", type=click.IntRange(1, 10_000), help="Parallel Scan segments of a new backfill."),
    ):
        command = option(command)
    return command


def like_old(command: F) -> F:
    """What new tables get: --like-old, an option for each thing of the old table's (see ``LikeOld``), and warm throughput."""
    for option in (
        click.option(
            "--warm-reads",
            type=click.IntRange(min=12_001),
            help="Read units a second that each new v2 table and index takes at once; paid once, the price is asked about.",
        ),
        click.option("--warm-writes", type=click.IntRange(min=4_001), help="The same for write units."),
        click.option("--ttl/--no-ttl", default=None, help="Let v2's items expire as old ones do, or not."),
        click.option("--tags/--no-tags", default=None, help="Set the old table's tags, and tablesplit's own, or not."),
        click.option(
            "--deletion-protection/--no-deletion-protection", default=None, help="Protect new tables, or not."
        ),
        click.option("--recovery/--no-recovery", default=None, help="Turn on point-in-time recovery, or not."),
        click.option("--kms-key", metavar="KEY", help="Encrypt with this KMS key (ARN, id, alias), or `none`."),
        click.option(
            "--like-old/--no-like-old",
            "everything",
            default=True,
            show_default=True,
            help="Make new tables like the old one, where no other option says otherwise.",
        ),
    ):
        command = option(command)
    return command
