"""`quarantine list|show|retry|drop`: the keys that a person must deal with."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer, json_text
from service.cli.group import CommandGroup
from service.cli.options import as_json, yes
from service.cli.run import confirm, run_command
from service.control.quarantine import Quarantine
from service.control.quarantine_documents import listing, shown
from service.control.repairs import require_repairs_allowed
from service.control.short_ids import short_ids
from service.core.item.wire import plain_key_text
from service.escape import lines_of
from service.migration.phase.move_context import move_context
from service.migration.settlement.quarantine import RetryResult, drop_key, each_key, retry_document, retry_key
from service.sync.positions import require_started


@click.group(cls=CommandGroup)
def quarantine() -> None:
    """The keys whose item cannot be mapped or written, each with the changes that wait for it."""


@quarantine.command("list")
@as_json
def list_keys(as_json: bool) -> None:
    """List the keys, oldest first."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        document = listing(await _quarantine(app).heads())
        short = short_ids([row["id"] for row in document["items"]])
        lines = [_line(row, short[row["id"]]) for row in document["items"]]
        return Answer(document, lines_of(lines) or "nothing is in quarantine")

    run_command(body, as_json=as_json)


@quarantine.command()
@click.argument("key_id", metavar="ID")
@as_json
def show(key_id: str, as_json: bool) -> None:
    """Show a key with the images of every waiting change.

    ID: as the list has it, or as much of it as no other id begins with.
    """

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        found = await _quarantine(app).named(key_id)
        head = await _quarantine(app).head(found)
        document = shown(found, head.value, await _quarantine(app).changes(found))
        return Answer(document, json_text(document))

    run_command(body, as_json=as_json)


@quarantine.command(short_help="Apply the waiting changes, once their reason is corrected")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "all_keys", is_flag=True, help="Every key in quarantine.")
@as_json
def retry(ids: tuple[str, ...], all_keys: bool, as_json: bool) -> None:
    """Apply the waiting changes, after the item or the mapping was corrected. Exit status 1 when a key stays in quarantine.

    ID may be cut off, as for show.
    """
    if bool(ids) == all_keys:
        raise click.UsageError("Give IDs, or --all.")

    async def body(app: App, _: asyncio.Event) -> Answer:
        require_repairs_allowed(await require_started(app))
        if ids:
            named = [await _quarantine(app).named(key_id) for key_id in ids]
            return _retried([await retry_key(app, key_id) for key_id in dict.fromkeys(named)])
        results, gone = await each_key(await _quarantine(app).heads(), partial(retry_key, app))
        return _retried(list(results.values()), gone)

    run_command(body, as_json=as_json, acts=True)


@quarantine.command("drop")
@click.argument("key_id", metavar="ID")
@click.option("--why", default="", help="The reason, for the audit log.")
@yes
@as_json
def drop(key_id: str, why: str, yes: bool, as_json: bool) -> None:
    """Drop the changes that wait under ID: they are lost. `validate` then shows the differences.

    ID may be cut off, as for show.
    """
    confirm(f"The changes that wait under {key_id} will be lost.", "drop", yes=yes)

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        found = await _quarantine(app).named(key_id)
        lost = await drop_key(_quarantine(app), found, (await move_context(app)).audit.append, why)
        return Answer({"dropped": found, "changes_lost": lost}, f"dropped {found}: {lost} changes lost")

    run_command(body, as_json=as_json, acts=True)


def _quarantine(app: App) -> Quarantine:
    return Quarantine(app.control, app.clock)


def _line(row: dict[str, Any], short: str) -> str:
    return f"{short}  {row['table']} {plain_key_text(row['key'])}  {row['reason']}: {row['message']}"


def _retried(results: list[RetryResult], gone: Sequence[str] = ()) -> Answer:
    lines = [f"{key.key_id}  {'applied' if key.failure is None else f'stays: {key.failure}'}" for key in results]
    lines += [f"{key_id}  had left already" for key_id in gone]
    ok = all(key.failure is None for key in results)
    return Answer(retry_document(results, gone), lines_of(lines) or "nothing is in quarantine", ok=ok)
