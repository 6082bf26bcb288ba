"""`conflicts list|show|resolve|export`: the changes of the old table that lost against v2, and the items with two live keys."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.conflict_text import diff_text, list_text
from service.cli.group import CommandGroup
from service.cli.options import as_json, yes
from service.cli.output import say, write_lines
from service.cli.run import confirm, read_first, run_command
from service.control.conflict_documents import listing
from service.control.conflicts import Conflicts, Kept
from service.escape import lines_of
from service.migration.phase.move_context import move_context
from service.migration.settlement.resolution import Choice, ConflictResolver
from service.migration.settlement.resolution_of_all import Chosen, ResolvedAll, choose_all, resolve_all
from service.sync.positions import require_started

WHERE: dict[str, Callable[[dict[str, Any]], Collection[str]]] = {
    "entity": lambda row: (row["entity"],),
    "reason": lambda row: (row["reason"],),
    "field": lambda row: row["fields"],
}
"""What `resolve --where` may name, and the values that a conflict has there."""


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
        return Answer(document, list_text(document["items"]) or "there is no conflict")

    run_command(body, as_json=as_json)


@conflicts.command(short_help="Show a conflict as a diff, and what would be lost")
@click.argument("conflict_id", metavar="ID")
@as_json
def show(conflict_id: str, as_json: bool) -> None:
    """Show what the old side changed, what v2 held then, and what would be lost; with --json all images.

    ID: as the list has it, or as much of it as no other id begins with.
    """

    async def body(app: App, _: asyncio.Event) -> Answer:
        document = await (await _resolving(app)).show(await Conflicts(app.control).named(conflict_id))
        return Answer(document, diff_text(document))

    run_command(body, as_json=as_json)


@conflicts.command(short_help="Write the conflicts with all their images to a file")
@click.argument("output", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--all", "resolved", is_flag=True, help="Include resolved ones.")
@as_json
def export(output: Path, resolved: bool, as_json: bool) -> None:
    """Write every open conflict with all its images to FILE, a JSON document on each line. FILE is for its owner alone."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        resolver = await _resolving(app)
        rows = (await listing(Conflicts(app.control), resolved=resolved))["items"]
        documents = [await resolver.show(row["id"]) for row in rows]
        write_lines(output, documents)
        return Answer({"exported": len(rows), "file": str(output)}, f"{len(rows)} conflicts written to {output}")

    run_command(body, as_json=as_json)


@conflicts.command(short_help="Resolve a conflict, or many; asks before")
@click.argument("conflict_id", metavar="[ID]", required=False)
@click.option("--all", "every", is_flag=True, help="Resolve every open conflict, or those that --where names.")
@click.option(
    "--where",
    "where",
    multiple=True,
    metavar="NAME=VALUE",
    help="With --all: only those of this entity, reason or field.",
)
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
def resolve(why: str, yes: bool, as_json: bool, **asked: Any) -> None:
    """Resolve a conflict, or with --all many: shows what will be lost, and asks. FILE: the old item as it should become, as JSON.

    The version to keep is written to v2, unless v2 has changed since it was shown; sync carries it to the old table. Exit status
    1 when a conflict stays open. ID may be cut off, as for show.
    """
    ask = _Asked(**asked)
    ask.require_usage()
    chosen = read_first(ask.choose)
    for choice in chosen.choices:
        for line in choice.lost:
            say(f"lost: {f'{choice.conflict_id}  ' if ask.every else ''}{line}")
    count = f"{len(chosen.choices)} conflicts" if ask.every else ask.conflict_id
    if chosen.choices:
        confirm(f"Resolving {count} gives up {_lost_values(chosen.choices)}.", "resolve", yes=yes)

    async def body(app: App, _: asyncio.Event) -> Answer:
        resolver = await _resolving(app)
        if ask.every:
            return _all_resolved(await resolve_all(resolver, chosen, why), ask.kept)
        (choice,) = chosen.choices
        await resolver.resolve(choice, why)
        document = {"resolved": choice.conflict_id, "kept": ask.kept, "lost": list(choice.lost)}
        return Answer(document, f"resolved {choice.conflict_id}: kept {ask.kept}")

    run_command(body, as_json=as_json, acts=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which conflicts to resolve, and how."""

    conflict_id: str | None
    """Or the beginning of an id."""
    every: bool
    where: tuple[str, ...]
    kept: Kept
    file: Path | None

    def require_usage(self) -> None:
        """Raises click.UsageError for what does not go together."""
        if self.every == (self.conflict_id is not None):
            raise click.UsageError("Give an ID, or --all.")
        if self.where and not self.every:
            raise click.UsageError("--where needs --all.")
        if self.every and self.kept == "merge":
            raise click.UsageError("--all keeps old or v2: --keep merge is for one conflict.")
        if (self.file is None) == (self.kept == "merge"):
            raise click.UsageError(
                "--keep merge needs a FILE with the old item as it should become; the other choices take no FILE."
            )
        for one in self.where:
            name, equals, value = one.partition("=")
            if name not in WHERE or not equals or not value:
                known = ", ".join(f"{known}=VALUE" for known in WHERE)
                raise click.UsageError(f"--where {one}: it is one of {known}.")

    async def choose(self, app: App) -> Chosen:
        """Decide each of the conflicts; nothing is written yet."""
        resolver = await _resolving(app)
        if self.conflict_id is not None:
            name = await Conflicts(app.control).named(self.conflict_id)
            return Chosen([await resolver.choose(name, self.kept, self.file)], {})
        return await choose_all(resolver, await _matching(app, self.where), self.kept)


async def _matching(app: App, where: tuple[str, ...]) -> list[str]:
    """The ids of the open conflicts for which all of ``where`` is true, oldest first. A held item is none: it has two live keys."""
    wanted = [tuple(one.split("=", 1)) for one in where]
    rows = (await listing(Conflicts(app.control)))["items"]
    conflicts = [row for row in rows if row["kind"] == "conflict"]
    return [row["id"] for row in conflicts if all(value in WHERE[name](row) for name, value in wanted)]


def _all_resolved(result: ResolvedAll, kept: Kept) -> Answer:
    document = {"resolved": list(result.resolved), "kept": kept, "open": dict(result.refused)}
    refused = [f"{name} stays open: {reason}" for name, reason in result.refused.items()]
    lines = [*refused, f"resolved {len(result.resolved)} conflicts: kept {kept}, {len(refused)} stay open"]
    return Answer(document, lines_of(lines), ok=not refused)


async def _resolving(app: App) -> ConflictResolver:
    state, context = await require_started(app), await move_context(app)
    return ConflictResolver(app.stores, state, context.by, context.audit.append)


def _lost_values(choices: Sequence[Choice]) -> str:
    lost = sum(len(choice.lost) for choice in choices)
    return f"{lost} value(s), listed above" if lost else "nothing"
