"""`conflicts list|show|resolve`: the changes of the old table that lost against v2, and the items with two live keys."""

import asyncio
from pathlib import Path
from typing import Any, get_args

import click

from service.app import App
from service.cli.answer import Answer, json_text
from service.cli.group import CommandGroup
from service.cli.options import as_json, yes
from service.cli.output import say
from service.cli.run import confirm, read_first, run_command
from service.control.conflict_documents import listing
from service.control.conflicts import Conflicts, Kept
from service.escape import lines_of
from service.migration.phase.move_context import move_context
from service.migration.settlement.resolution import Choice, ConflictResolver
from service.sync.positions import require_started


@click.group(cls=CommandGroup)
def conflicts() -> None:
    """The writes to the old table that lost against v2, each kept in full, and the items with two live keys on v2."""


@conflicts.command("list")
@click.option("--all", "resolved", is_flag=True, help="Include resolved ones.")
@as_json
def list_conflicts(resolved: bool, as_json: bool) -> None:
    """List the open conflicts, oldest first."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        document = await listing(Conflicts(app.control), resolved=resolved)
        return Answer(document, lines_of(map(_line, document["items"])) or "there is no conflict")

    run_command(body, as_json=as_json)


@conflicts.command(short_help="Show what a conflict is about, in full")
@click.argument("conflict_id", metavar="ID")
@as_json
def show(conflict_id: str, as_json: bool) -> None:
    """Show a conflict with the images of its change, what v2 held then, and what it holds now."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        document = await (await _resolving(app)).show(conflict_id)
        return Answer(document, json_text(document))

    run_command(body, as_json=as_json)


@conflicts.command()
@click.argument("conflict_id", metavar="ID")
@click.option(
    "--keep",
    "kept",
    type=click.Choice(get_args(Kept)),
    required=True,
    help="Which version to keep; `merge`: the one in FILE.",
)
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option("--why", default="", help="The reason, for the audit log.")
@yes
@as_json
def resolve(conflict_id: str, kept: Kept, file: Path | None, why: str, yes: bool, as_json: bool) -> None:
    """Resolve a conflict: shows what will be lost, and asks. FILE: the old item as it should become, as JSON.

    The version to keep is written to v2, unless v2 has changed since it was shown; sync carries it to the old table.
    """
    if (file is None) == (kept == "merge"):
        raise click.UsageError(
            "--keep merge needs a FILE with the old item as it should become; the other choices take no FILE."
        )

    async def choose(app: App) -> Choice:
        return await (await _resolving(app)).choose(conflict_id, kept, file)

    choice = read_first(choose)
    for line in choice.lost:
        say(f"lost: {line}")
    confirm(f"Resolving {conflict_id} gives up {_lost_values(choice)}.", "resolve", yes=yes)

    async def body(app: App, _: asyncio.Event) -> Answer:
        await (await _resolving(app)).resolve(choice, why)
        document = {"resolved": conflict_id, "kept": kept, "lost": list(choice.lost)}
        return Answer(document, f"resolved {conflict_id}: kept {kept}")

    run_command(body, as_json=as_json, acts=True)


async def _resolving(app: App) -> ConflictResolver:
    state, context = await require_started(app), await move_context(app)
    return ConflictResolver(app.stores, state, context.by, context.audit.append)


def _line(row: dict[str, Any]) -> str:
    key = " ".join(f"{name}={value}" for name, value in row["key"].items())
    if row["kind"] == "two_live_keys":
        return f"{row['id']}  two_live_keys  {key}: {row['remedy']}"
    fields = f" ({', '.join(row['fields'])})" if row["fields"] else ""
    resolution = row["resolution"]
    end = f", resolved: {resolution['kept']} kept by {resolution['by']} at {resolution['at']}" if resolution else ""
    return f"{row['id']}  {row['reason']}  {key}{fields}{end}"


def _lost_values(choice: Choice) -> str:
    return f"{len(choice.lost)} value(s), listed above" if choice.lost else "nothing"
