"""Opens and closes the run of a validation: a new run, or an unfinished one to resume."""

from dataclasses import asdict, dataclass
from datetime import datetime
from secrets import token_hex

from service.control.table import ControlTable
from service.errors import Refused
from service.validation.options import ValidationOptions
from service.validation.records import FULL, LATEST, OPEN, Document, RunRecords, runs
from service.validation.report import Report, instant

RESUME_HOURS = 24
"""An unfinished run older than this is not resumed unless the operator asks for it: much of what it compared may have changed
since."""


@dataclass(frozen=True, slots=True)
class ValidationRun:
    """A run and its records."""

    id: str
    started_at: str
    resumed: bool
    records: RunRecords


async def open_run(
    control: ControlTable, token: int, options: ValidationOptions, fingerprint: str, now: float
) -> ValidationRun:
    """Resume the unfinished run if it has the same ``fingerprint``, or begin a new one, as ``options.resume`` says.

    A sample is never resumed: a new one is drawn quickly. Raises Refused when resuming is required and not possible.
    """
    stored = await runs(control).get(OPEN)
    unfinished = stored.value if stored is not None and options.sample is None and options.resume != "never" else None
    obstacle = _obstacle(unfinished, fingerprint, now, required=options.resume == "require")
    if unfinished is not None and not obstacle:
        records = RunRecords(control, unfinished["id"], token)
        return ValidationRun(unfinished["id"], unfinished["started_at"], True, records)
    if options.resume == "require":
        raise Refused(f"no validation to go on with: {obstacle}", remedy="start one with `tablesplit validate`")
    return await _new_run(control, token, options, fingerprint, now)


async def close_run(run: ValidationRun, report: Report, *, full: bool) -> None:
    """Store the report (its differences are stored already), and make the run the latest one. full: it compared everything."""
    document = report.to_json()
    await run.records.save("report", {name: value for name, value in document.items() if name != "differences"})
    await run.records.point(LATEST, asdict(report.summary()))
    if full:
        await run.records.point(FULL, asdict(report.full_run()))
    await run.records.point(OPEN, {"id": run.id, "finished": True})


def new_run_id(now: float) -> str:
    """The id of a run that begins at ``now`` (epoch seconds). Ids sort by time, and no two are equal."""
    return f"{instant(now)[:19].replace(':', '').replace('-', '')}Z-{token_hex(3)}"


async def _new_run(
    control: ControlTable, token: int, options: ValidationOptions, fingerprint: str, now: float
) -> ValidationRun:
    started_at = instant(now)
    run = options.run or new_run_id(now)
    records = RunRecords(control, run, token)
    identity = {"question": fingerprint, "started_at": started_at}
    await records.save("run", identity)
    if options.sample is None:
        await records.point(OPEN, {"id": run, "finished": False, **identity})
    return ValidationRun(run, started_at, False, records)


def _obstacle(unfinished: Document | None, fingerprint: str, now: float, *, required: bool) -> str:
    """Why the unfinished run cannot be resumed; empty when it can."""
    if unfinished is None or unfinished["finished"]:
        return "none is unfinished"
    if unfinished["question"] != fingerprint:
        return f"run {unfinished['id']} was started with other options or another mapping"
    hours = (now - datetime.fromisoformat(unfinished["started_at"]).timestamp()) / 3600
    return f"run {unfinished['id']} is {hours:.0f} hours old" if hours > RESUME_HOURS and not required else ""
