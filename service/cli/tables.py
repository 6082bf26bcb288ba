"""`preflight`, `create-tables`, `drop-tables`: before a migration, its start, and after it."""

import asyncio
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json, like_old, table_name, yes
from service.cli.run import confirm, confirm_table, read_first, run_command
from service.dynamodb.like_old import LikeOld
from service.dynamodb.table_features import Warm
from service.migration.preflight.checks import run_preflight
from service.migration.start import accept_gap, create_and_start
from service.migration.teardown import drop_all
from service.migration.warm import warm_price


@click.command()
@click.option(
    "--sample", type=click.IntRange(0, 1_000_000), default=1000, show_default=True, help="Old items to map as a sample."
)
@as_json
def preflight(sample: int, as_json: bool) -> None:
    """Check whether the migration can start: tables, stream, permissions, clock, mapping of a sample, forecast. Only reads."""

    async def body(app: App, stop: asyncio.Event) -> Answer:
        report = await run_preflight(app, sample, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.passed)

    run_command(body, as_json=as_json)


@click.command("create-tables")
@click.option(
    "--accept-gap",
    "accept",
    is_flag=True,
    help="Continue although stream records of either side were lost; a repair is needed afterwards.",
)
@like_old
@yes
@as_json
def create_tables(
    accept: bool, warm_writes: int | None, warm_reads: int | None, yes: bool, as_json: bool, **like: Any
) -> None:
    """Create the v2 tables, the control table and the old table's stream; save the stream positions; enter `forward`.

    New tables are like the old one: KMS key, recovery, deletion protection, tags, and time to live where the mapping carries it.
    """
    if accept:
        confirm(
            "Changes that the stream no longer holds are not applied until `tablesplit validate --repair` has run.",
            "accept",
            yes=yes,
        )

    warm = Warm(warm_reads, warm_writes) if warm_reads or warm_writes else None
    if warm is not None and not yes:
        price = read_first(lambda app: warm_price(app, warm))
        confirm(price.question(), "pay", yes=yes)

    async def body(app: App, _: asyncio.Event) -> Answer:
        started = await (accept_gap(app) if accept else create_and_start(app, LikeOld(**like, warm=warm)))
        return Answer(started.to_json(), started.to_text())

    run_command(body, as_json=as_json, acts=True)


@click.command("drop-tables")
@table_name
@yes
@as_json
def drop_tables(table: str | None, yes: bool, as_json: bool) -> None:
    """Delete the v2 tables and the control table that tablesplit made, with everything in them. Cannot be undone.

    The old table is not touched. A table that was there before stays, and so do its items.
    """
    confirm_table(
        "This deletes the v2 tables and the control table that tablesplit made, with everything in them, and cannot be undone.",
        table,
        yes=yes,
    )

    async def body(app: App, _: asyncio.Event) -> Answer:
        dropped = await drop_all(app)
        return Answer(dropped.to_json(), dropped.to_text())

    run_command(body, as_json=as_json, acts=True)
