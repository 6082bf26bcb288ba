"""`verification list`: the touched keys whose two sides differ, as the running sync has found them."""

import asyncio
from typing import Any

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.group import CommandGroup
from service.cli.options import as_json
from service.cli.run import run_command
from service.control.verification import listing
from service.core.item.wire import plain_key_text
from service.escape import lines_of
from service.sync.positions import require_started


@click.group(cls=CommandGroup)
def verification() -> None:
    """The keys that were written since the first `dual`, compared again by `sync` once they are quiet."""


@verification.command("list", short_help="List the keys whose two sides differ, with the fields")
@as_json
def list_keys(as_json: bool) -> None:
    """List the keys whose two sides differ, with the fields by name."""

    async def body(app: App, _: asyncio.Event) -> Answer:
        await require_started(app)
        document = await listing(app.control)
        lines = [*map(_line, document["items"]), _counts(document)]
        return Answer(document, lines_of(lines))

    run_command(body, as_json=as_json)


def _line(row: dict[str, Any]) -> str:
    key = plain_key_text(row["key"])
    fields = f" ({', '.join(row['fields'])})" if row["fields"] else ""
    seen = f"since {row['first_seen']}, last {row['last_seen']}"
    return f"{row['entity']}  {row['difference']}  {key}{fields}, {seen}: {row['remedy']}"


def _counts(document: dict[str, Any]) -> str:
    if document["finished_at"] is None:
        return "nothing has been verified yet: `sync` does it from the first `dual` on"
    found, listed = document["differences"], len(document["items"])
    more = f" ({listed} are listed)" if listed < found else ""
    counts = f"{found} different{more}, {document['checked']} equal, {document['pending']} not quiet yet"
    return f"{counts}, at {document['finished_at']}"
