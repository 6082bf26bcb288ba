"""`mapping init`: draft a mapping from a table, or from a file of its items."""

import asyncio
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.options import as_json
from service.cli.output import rewritten, say
from service.cli.run import run_alone, run_command
from service.core.item.wire import Item
from service.core.mapping.draft import draft
from service.core.mapping.draft_check import try_draft, with_failures
from service.core.mapping.sample_text import guessed_key, sample_from_text
from service.environment import configured_mapping_file, packaged_mapping_file
from service.errors import Misconfigured, Refused
from service.migration.drafted_table import key_and_indexes, sample_items

GZIP = b"\x1f\x8b"


@click.command(short_help="Draft a mapping from a table, or from a file")
@click.option(
    "--sample", type=click.IntRange(1, 100_000), default=1000, show_default=True, help="Old items to read at most."
)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read no table, but items in DynamoDB's JSON, an export's file, or a model of NoSQL Workbench.",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="NAME",
    help="With --from: a key attribute, the partition key's first. May be repeated.",
)
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the draft to FILE, not to stdout."
)
@as_json
def init(sample: int, source: Path | None, keys: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Draft a mapping from a sample of the old table (OLD_TABLE_NAME), which is only read, or offline from a file.

    The doubts are comments in the draft: read each. Exit status 1 when items of the sample cannot be mapped.
    """
    if source is not None:

        async def offline(_: asyncio.Event) -> Answer:
            return _of_file(source, keys, sample, output)

        run_alone(offline, as_json=as_json)
    if keys:
        raise click.UsageError("--key is for --from: a table says its key itself.")

    async def body(app: App, stop: asyncio.Event) -> Answer:
        table = app.mapping.old.table
        key, indexes = await key_and_indexes(app, table)
        items = await sample_items(app, table, sample, stop)
        return _answer(items, key, indexes, table, output)

    run_command(body, as_json=as_json, mapping=_in_place_of_none())


def _in_place_of_none() -> Path | None:
    """Where TABLESPLIT_MAPPING names a file that is yet to be drafted: the packaged mapping, whose old table is OLD_TABLE_NAME."""
    configured = configured_mapping_file()
    return packaged_mapping_file() if configured is not None and not configured.exists() else None


def _of_file(source: Path, keys: Sequence[str], count: int, output: Path | None) -> Answer:
    try:
        found = sample_from_text(_text(source))
    except ValueError as error:
        raise Misconfigured(
            f"{source}: {error}", remedy="give items in DynamoDB's JSON, or a model of NoSQL Workbench"
        ) from error
    if found.others:
        say(f"note: drafted from table {found.name}; the model also has {', '.join(found.others)}")
    items = found.items[:count]
    key = tuple(keys) or found.key_names or guessed_key(items)
    if not key:
        raise Misconfigured(
            f"{source} does not say which attributes are the key", remedy="name them: --key PK --key SK"
        )
    return _answer(items, key, found.index_keys or {}, found.name or source.name.split(".")[0], output)


def _text(source: Path) -> str:
    try:
        content = source.read_bytes()
        return (gzip.decompress(content) if content.startswith(GZIP) else content).decode("utf-8-sig")
    except (OSError, EOFError) as error:
        raise Misconfigured(
            f"{source}: {getattr(error, 'strerror', None) or error}", remedy="correct --from"
        ) from error


def _answer(
    items: Sequence[Item], key: Sequence[str], indexes: Mapping[str, Sequence[str]], name: str, output: Path | None
) -> Answer:
    text = draft(items, key, indexes, name)
    try:
        tried = try_draft(text, items)
    except Misconfigured as wrong:  # the draft is shown: it is nearer to a mapping than an empty file
        raise Refused(
            f"no draft that is a mapping was found: {wrong.message}", remedy="write it by hand: docs/MAPPING.md"
        ) from wrong
    text = with_failures(text, tried)
    document = {"draft": text, **tried.to_json()}
    say(tried.text)
    if output is not None:
        with rewritten(output, "name another file with --output") as file:
            file.write(text.encode())
        text = f"wrote {output}: read its comments, then `tablesplit mapping check {output}`"
    return Answer(document, text.rstrip("\n"), ok=not tried.failures)
