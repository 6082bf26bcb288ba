"""Makes the forecast of a migration by reading the old table. `forecast` and `preflight` both use it, so they agree."""

import asyncio
from dataclasses import replace

from service.app import App
from service.config import Settings
from service.dynamodb.prices import Prices
from service.dynamodb.table_description import TableDescription
from service.errors import Interrupted
from service.migration.preflight.cost import cost_of
from service.migration.preflight.forecast import ForecastLimits, forecast, judge_retention
from service.migration.preflight.report import ForecastReport
from service.migration.preflight.sample import MappedSample, map_sample
from service.streams.passed import StreamStart, stream_start


async def run_forecast(
    app: App, sample: int, limits: ForecastLimits, prices: Prices, stop: asyncio.Event
) -> ForecastReport:
    """Map the first ``sample`` items of the old table, and extrapolate. Writes nothing.

    Raises Interrupted when ``stop`` is set, Misconfigured as ``Tables.old_table`` does.
    """
    old = await app.tables.old_table()
    mapped_sample = await map_sample(app.store, app.mapping, sample, stop)
    if stop.is_set():
        raise Interrupted(f"stopped after {mapped_sample.items} of {sample} items to sample; nothing was written")
    return replace(expect(app, mapped_sample, old, limits, prices), start=await _start(app, old))


async def _start(app: App, old: TableDescription) -> StreamStart | None:
    """Where reading would start if `create-tables` ran now. None: there is no stream yet, so nothing can be replayed."""
    if old.stream_arn is None or old.stream_view_type is None:
        return None
    return await stream_start(app.store, old.stream_arn, app.clock, app.settings.shard_read_seconds)


def expect(
    app: App, mapped_sample: MappedSample, old: TableDescription, limits: ForecastLimits, prices: Prices
) -> ForecastReport:
    """The report on ``mapped_sample``, which is a sample of the table that ``old`` describes."""
    settings = app.settings
    if not mapped_sample.mapped:
        return ForecastReport(mapped_sample, None, None, judge_retention(None, settings.gate_headroom_seconds), prices)
    expected = forecast(mapped_sample, old.item_count, limits)
    seconds = expected.binding.seconds if expected.items_known else None
    streams = 1 + len(app.mapping.tables)
    return ForecastReport(
        mapped_sample,
        expected,
        cost_of(expected, prices, streams=streams, poll_seconds=settings.poll_interval_seconds),
        judge_retention(seconds, settings.gate_headroom_seconds),
        prices,
    )


def configured_limits(settings: Settings) -> ForecastLimits:
    """The limits of the settings, which a backfill has unless the command line sets others."""
    return ForecastLimits(settings.max_write_units, settings.max_read_units)
