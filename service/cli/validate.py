"""`validate`: compare both sides, and repair v2 if asked."""

import asyncio
from pathlib import Path

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.run import run_command
from service.migration.validation import run_validation
from service.validation.options import ValidationOptions


@click.command()
@click.option("--sample", type=click.IntRange(min=1), help="Only about this many items of each entity.")
@click.option("--entity", help="Only this entity.")
@click.option(
    "--repair", is_flag=True, help="Mend what differs: v2 is written, or, from the first dual on, carried to old."
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write every difference here, as JSON lines."
)
@click.option("--resume", is_flag=True, help="Go on with the unfinished run; refuse when there is none.")
@click.option("--segments", type=click.IntRange(1, 10_000), help="Parallel Scan segments.")
@click.option("--max-read-units", type=click.FloatRange(min=1), help="Read capacity units per second at most.")
@as_json
def validate(
    sample: int | None,
    entity: str | None,
    repair: bool,
    output: Path | None,
    resume: bool,
    segments: int | None,
    max_read_units: float | None,
    as_json: bool,
) -> None:
    """Compare the old table with the v2 tables, both ways, while writes go on. Exit status 1 when anything differs."""
    options = ValidationOptions(
        sample=sample,
        entity=entity,
        repair=repair,
        output=output,
        resume="require" if resume else "auto",
        segments=segments,
        max_read_units=max_read_units,
    )

    async def body(app: App, stop: asyncio.Event) -> Answer:
        report = await run_validation(app, options, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.equal)

    run_command(body, as_json=as_json)
