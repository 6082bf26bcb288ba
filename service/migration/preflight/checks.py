"""Preflight: whether a migration can start, by reading only. Each check has a value, a verdict and a remedy."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from service.app import App
from service.dynamodb.prices import load_prices
from service.dynamodb.table_description import TableDescription
from service.dynamodb.table_facts import read_facts
from service.dynamodb.tables import table_differences
from service.errors import TablesplitError
from service.escape import lines_of
from service.migration.preflight.forecast import RetentionVerdict
from service.migration.preflight.forecast_run import configured_limits, expect
from service.migration.preflight.report import ForecastReport
from service.migration.preflight.sample import map_sample
from service.migration.preflight.sample_checks import PreflightCheck, Verdict, sample_checks
from service.migration.preflight.stream_checks import (
    check_permissions,
    check_readers,
    check_stack,
    check_view,
    readers_of,
)
from service.migration.preflight.table_checks import OldTableFacts, existing_table, table_checks

EXPECTED = ("capacity", "hottest key", "duration", "cost", "dual running", "prices")
"""The parts of the forecast that a preflight shows; `tablesplit forecast` shows all of it."""
RETENTION: dict[RetentionVerdict, Verdict] = {"go": "ok", "no-go": "note", "unknown": "note"}
"""A no-go blocks nothing: while sync runs beside it, a copy may take longer than the stream keeps a change."""
PREFLIGHT_MAX_CLOCK_SKEW_SECONDS = 60.0
"""DynamoDB refuses requests that are signed with a clock more than five minutes off."""


@dataclass(frozen=True, slots=True)
class PreflightReport:
    """Every check, in the order in which they were made."""

    checks: tuple[PreflightCheck, ...]

    @property
    def passed(self) -> bool:
        """Whether no check is blocked."""
        return all(check.verdict != "blocked" for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The document of `preflight --json`."""
        return {"result": "passed" if self.passed else "blocked", "checks": [check.to_json() for check in self.checks]}

    def to_text(self) -> str:
        """One line for each check, with its remedy and the keys below it."""
        lines = []
        width = max(len(check.name) for check in self.checks) + 2
        for check in self.checks:
            lines.append(f"{check.verdict:8}{check.name:{width}}{check.value}")
            below = [*([check.remedy] if check.remedy else []), *check.key_lines()]
            lines += [f"{'':{8 + width}}{line}" for line in below]
        return lines_of([*lines, "preflight: passed" if self.passed else "preflight: BLOCKED"])


async def run_preflight(app: App, sample: int, stop: asyncio.Event) -> PreflightReport:
    """Make every check. ``sample``: how many old items to map. Writes nothing.

    A check that raises is blocked, with the error's message. The checks of the old table's items are left out when the table cannot
    be read.
    """
    checks = [await _checked("caller", _check_caller, app), await _checked("clock", _check_clock, app)]
    old = await _checked("old table", _check_old_table, app)
    checks.append(old)
    if old.verdict != "blocked":
        description = await app.tables.old_table()
        checks += await _old_table_checks(app, description)
        checks += await _mapping_checks(app, description, sample, stop)
    checks += [await _checked(f"table {name}", _check_table(name), app) for name in _wanted_tables(app)]
    return PreflightReport(tuple(checks))


async def _checked(name: str, check: Callable[[App], Awaitable[PreflightCheck]], app: App) -> PreflightCheck:
    try:
        return await check(app)
    except TablesplitError as error:
        return PreflightCheck(name, error.message, "blocked", error.remedy)


async def _check_caller(app: App) -> PreflightCheck:
    identity = await asyncio.to_thread(app.tables.plane.caller_identity)
    return PreflightCheck("caller", f"{identity.arn} in {app.settings.aws_region}")


async def _check_clock(app: App) -> PreflightCheck:
    before = app.clock.now()
    server = await asyncio.to_thread(app.tables.plane.server_time)
    skew = server - (before + app.clock.now()) / 2
    if abs(skew) <= PREFLIGHT_MAX_CLOCK_SKEW_SECONDS:
        return PreflightCheck("clock", f"within {PREFLIGHT_MAX_CLOCK_SKEW_SECONDS:.0f} s of the server's")
    return PreflightCheck("clock", f"{skew:+.0f} s off the server's", "blocked", "set this machine's clock (NTP)")


async def _check_old_table(app: App) -> PreflightCheck:
    old = await app.tables.old_table()
    await app.store.scan(old.name, segment=0, segments=1, start=None, limit=1)
    return PreflightCheck(
        "old table", f"{old.name}: about {old.item_count} items, {old.size_bytes / 1e6:.1f} MB, {old.billing}"
    )


async def _old_table_checks(app: App, old: TableDescription) -> list[PreflightCheck]:
    """What the table has, and what there is about its stream."""
    facts = await asyncio.to_thread(read_facts, app.tables.plane, old)
    permissions = await _checked("stream permissions", lambda app: check_permissions(app, old), app)
    readers = check_readers(await readers_of(app, old)) if permissions.verdict != "blocked" else []
    stream = [check_view(old), permissions, *readers, *check_stack(facts.tags)]
    return [*table_checks(OldTableFacts(old, facts, app.mapping)), *stream]


def _check_table(name: str) -> Callable[[App], Awaitable[PreflightCheck]]:
    async def check(app: App) -> PreflightCheck:
        existing = await app.tables.describe(name)
        if existing is None:
            return PreflightCheck(f"table {name}", "does not exist: create-tables makes it")
        wanted = next(table for table in app.tables.wanted() if table.name == name)
        differences = table_differences(wanted, existing)
        if differences:
            remedy = "give the new table another name, or delete the existing one yourself"
            return PreflightCheck(f"table {name}", "; ".join(differences), "blocked", remedy)
        return existing_table(existing, await app.tables.describe(app.mapping.old.table))

    return check


def _wanted_tables(app: App) -> list[str]:
    return [table.name for table in app.tables.wanted()]


async def _mapping_checks(app: App, old: TableDescription, sample: int, stop: asyncio.Event) -> list[PreflightCheck]:
    index_attributes = old.attribute_types.keys() - set(app.mapping.old.key_names)
    mapped_sample = await map_sample(app.store, app.mapping, sample, stop, index_attributes)
    expected = expect(app, mapped_sample, old, configured_limits(app.settings), load_prices(app.settings.price_file))
    return [*sample_checks(mapped_sample, app.mapping.stamp), *_forecast_checks(expected)]


def _forecast_checks(report: ForecastReport) -> list[PreflightCheck]:
    if report.forecast is None:
        return [PreflightCheck(name, value, "note") for name, value in report.facts()]
    expected = [PreflightCheck(name, value) for name, value in report.facts() if name in EXPECTED]
    retention = PreflightCheck("retention", report.retention_text(), RETENTION[report.retention.verdict], report.remedy)
    return [*expected, retention]
