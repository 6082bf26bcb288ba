"""`forecast`: capacity, time and cost of a migration that has not begun."""

import asyncio
from pathlib import Path

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json, max_read_units, max_write_units
from service.cli.run import run_command
from service.dynamodb.prices import load_prices
from service.migration.preflight.forecast import ForecastLimits
from service.migration.preflight.forecast_run import configured_limits, run_forecast


@click.command()
@click.option(
    "--sample", type=click.IntRange(1, 1_000_000), default=1000, show_default=True, help="Old items to map as a sample."
)
@click.option(
    "--prices", type=click.Path(path_type=Path), metavar="FILE", help="Price file to use instead of the configured one."
)
@max_write_units
@max_read_units
@as_json
def forecast(
    sample: int, prices: Path | None, max_write_units: float | None, max_read_units: float | None, as_json: bool
) -> None:
    """Estimate capacity, time and cost, and whether the stream keeps changes for longer than the copy takes. Only reads.

    Exit status 1 on a no-go.
    """

    async def body(app: App, stop: asyncio.Event) -> Answer:
        configured = configured_limits(app.settings)
        limits = ForecastLimits(max_write_units or configured.write_units, max_read_units or configured.read_units)
        priced = load_prices(prices or app.settings.price_file)
        report = await run_forecast(app, sample, limits, priced, stop)
        return Answer(report.to_json(), report.to_text(), ok=report.ok)

    run_command(body, as_json=as_json)
