"""`audit list|verify`: who moved the phase, when and why."""

import asyncio
import re

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.group import CommandGroup
from service.cli.options import as_json
from service.cli.run import run_command
from service.clock import iso
from service.control.audit import Audit
from service.escape import lines_of
from service.sync.positions import require_started

HASH = re.compile("[0-9a-f]{64}")


@click.group(cls=CommandGroup)
def audit() -> None:
    """The audit log of phase moves, holds and resolved conflicts."""


@audit.command("list")
@as_json
def list_records(as_json: bool) -> None:
    """List every entry, oldest first."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        records = await Audit(app.control, app.clock, "").all()
        lines = [
            f"{record.number:4} {iso(record.at)} {record.who}: {record.action} {record.why}".rstrip()
            for record in records
        ]
        return Answer({"items": [record.to_json() for record in records]}, lines_of(lines) or "nothing yet")

    run_command(body, as_json=as_json)


@audit.command()
@click.option(
    "--hash",
    "known",
    multiple=True,
    help="A hash that the log (`audit record`) or the hook was given: the log must have it. May be repeated.",
)
@as_json
def verify(known: tuple[str, ...], as_json: bool) -> None:
    """Check that no entry was edited, removed or inserted. Exit status 1 if one was.

    Whoever can write the control table can write the whole log anew. With --hash that shows too.
    """
    for one in known:
        if not HASH.fullmatch(one):
            raise click.UsageError(f"{one!r} is not a hash: it has 64 digits, 0 to 9 and a to f.")

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        verdict = await Audit(app.control, app.clock, "").verify(known)
        return Answer(verdict.to_json(), verdict.to_text(), ok=verdict.ok)

    run_command(body, as_json=as_json)
