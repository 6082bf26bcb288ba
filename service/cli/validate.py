"""`validate`: compare both sides, and repair v2 on request."""

import asyncio
from pathlib import Path
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json, max_read_units
from service.cli.run import run_command
from service.migration.validation import run_validation
from service.validation.options import ValidationOptions


@click.command()
@click.option("--sample", type=click.IntRange(min=1), help="Compare only about this many items of each entity.")
@click.option("--entity", help="Compare only this entity.")
@click.option(
    "--repair", is_flag=True, help="Repair the differences: write v2 or, in dual and reverse, carry v2 to old."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write every difference here, as JSON lines."
)
@click.option("--resume", is_flag=True, help="Continue the unfinished run; refuse when there is none.")
@click.option("--segments", type=click.IntRange(1, 10_000), help="Parallel Scan segments.")
@max_read_units
@as_json
def validate(resume: bool, as_json: bool, **asked: Any) -> None:
    """Compare the old table with the v2 tables, both ways, while writes go on. Exit status 1 when anything differs."""
    options = ValidationOptions(resume="require" if resume else "auto", **asked)

    async def body(app: App, stop: asyncio.Event) -> Answer:
        report = await run_validation(app, options, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.equal)

    run_command(body, as_json=as_json, acts=options.repair)
