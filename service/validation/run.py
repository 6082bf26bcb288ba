"""Which run a validation is: a new one, or an unfinished one to go on with."""

from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex

from service.control.table import ControlTable
from service.errors import Refused
from service.validation.options import ValidationOptions
from service.validation.records import FULL, LATEST, OPEN, Document, RunRecords, runs
from service.validation.report import instant

RESUME_HOURS = 24
"""An unfinished run older than this is not gone on with by itself: much of what it compared may have changed
since."""


@dataclass(frozen=True, slots=True)
class ValidationRun:
    """A run and the records that are its own."""

    id: str
    started_at: str
    resumed: bool
    records: RunRecords


async def open_run(
    control: ControlTable, token: int, options: ValidationOptions, question: str, now: float
) -> ValidationRun:
    """Go on with the unfinished run of the same question, or begin a new one, as ``options.resume`` says.

    A sample is never gone on with: it is quicker drawn anew. Raises Refused when resuming is asked for and
    not possible.
    """
    stored = await runs(control).get(OPEN)
    unfinished = stored.value if stored is not None and options.sample is None and options.resume != "never" else None
    obstacle = _obstacle(unfinished, question, now, required=options.resume == "require")
    if unfinished is not None and not obstacle:
        records = RunRecords(control, unfinished["id"], token)
        return ValidationRun(unfinished["id"], unfinished["started_at"], True, records)
    if options.resume == "require":
        raise Refused(f"no validation to go on with: {obstacle}", remedy="start one with `tablesplit validate`")
    return await _new_run(control, token, options, question, now)


async def close_run(run: ValidationRun, report: Document, *, full: bool) -> None:
    """Store the report (its differences are records already), and make it the latest. full: it compared everything."""
    await run.records.save("report", {name: value for name, value in report.items() if name != "differences"})
    summary = {name: report[name] for name in ("id", "result", "differences_total", "finished_at")}
    await run.records.point(LATEST, summary)
    if full:
        more = {name: report[name] for name in ("inverse_failures", "started_at")}
        await run.records.point(FULL, {**summary, **more})
    await run.records.point(OPEN, {"id": run.id, "finished": True})


def new_run_id(now: float) -> str:
    """An id for a run begun at ``now`` (epoch seconds): they sort by time, and no two are the same."""
    return f"{instant(now)[:19].replace(':', '').replace('-', '')}Z-{token_hex(3)}"


async def _new_run(
    control: ControlTable, token: int, options: ValidationOptions, question: str, now: float
) -> ValidationRun:
    started = instant(now)
    run = options.run or new_run_id(now)
    records = RunRecords(control, run, token)
    await records.save("run", {"question": question, "started_at": started})
    if options.sample is None:
        await records.point(OPEN, {"id": run, "finished": False, "question": question, "started_at": started})
    return ValidationRun(run, started, False, records)


def _obstacle(unfinished: Document | None, question: str, now: float, *, required: bool) -> str:
    """Why the unfinished run cannot be gone on with; empty when it can."""
    if unfinished is None or unfinished["finished"]:
        return "none is unfinished"
    if unfinished["question"] != question:
        return f"run {unfinished['id']} was started with other options or another mapping"
    hours = (now - datetime.fromisoformat(unfinished["started_at"]).timestamp()) / 3600
    return f"run {unfinished['id']} is {hours:.0f} hours old" if hours > RESUME_HOURS and not required else ""
