"""`mapping check|explain|test`: write a mapping file, and try it before anything is migrated."""

import asyncio
from pathlib import Path

import click

from service.app import App
from service.cli.answer import Answer
from service.cli.group import CommandGroup
from service.cli.mapping_init import init
from service.cli.mapping_text import explanation_text, trial_text
from service.cli.options import as_json
from service.cli.run import run_alone, run_command
from service.core.item.wire import Item
from service.core.mapping.explain import explain_edits
from service.core.mapping.mapping import Mapping
from service.core.mapping.trial import try_items
from service.core.mapping.typed_text import old_key_from_text
from service.environment import configured_mapping_file, load_mapping_file
from service.errors import WrongMapping
from service.escape import escaped
from service.migration.tried_items import item_at, item_in, items_in, one_of_each_entity

mapping_file = click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The mapping file, instead of the one that TABLESPLIT_MAPPING names.",
)


@click.group(cls=CommandGroup)
def mapping() -> None:
    """Draft or check a mapping file, and try it on old items. No table is written."""


mapping.add_command(init)


@mapping.command(short_help="Name everything that is wrong in a mapping file")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@as_json
def check(file: Path, as_json: bool) -> None:
    """Check a mapping file: offline, and everything that is wrong in it at once.

    Exit status 2 when something is wrong: a line for each problem, with its place in the file.
    """

    async def body(_: asyncio.Event) -> Answer:
        try:
            return _good(load_mapping_file(file))
        except WrongMapping as wrong:
            raise wrong.in_full() from wrong

    run_alone(body, as_json=as_json)


@mapping.command("explain", short_help="Explain how an old item becomes a v2 item and comes back")
@click.argument("key", metavar="[KEY]", nargs=-1)
@click.option(
    "--item",
    "item_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Explain the item in FILE, in DynamoDB's JSON: offline.",
)
@click.option(
    "--set",
    "edits",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Show what this edit by v2's application would give back. May be repeated.",
)
@click.option(
    "--sample",
    type=click.IntRange(1, 1_000_000),
    default=1000,
    show_default=True,
    help="Without KEY and --item: old items to read at most.",
)
@mapping_file
@as_json
def explain_items(
    key: tuple[str, ...],
    item_file: Path | None,
    edits: tuple[str, ...],
    sample: int,
    mapping_file: Path | None,
    as_json: bool,
) -> None:
    """Explain how an old item becomes a v2 item and comes back: each attribute with the rule that decided it.

    KEY: of an item in the old table, written `pk=LEAD#7 sk=METADATA`. Without KEY and --item: the first item of each entity. An
    item that would go to quarantine is explained by its reason. Only reads.
    """
    if key and item_file is not None:
        raise click.UsageError("Give KEY, or --item.")
    if edits and not key and item_file is None:
        raise click.UsageError("--set needs KEY, or --item.")
    if item_file is not None:
        _explain_file(item_file, edits, mapping_file, as_json=as_json)
        return

    async def body(app: App, stop: asyncio.Event) -> Answer:
        if key:
            items = [await item_at(app, old_key_from_text(app.mapping, " ".join(key)))]
        else:
            items = await one_of_each_entity(app, sample, stop)
        return _explained(app.mapping, items, edits)

    run_command(body, as_json=as_json, mapping=mapping_file)


@mapping.command()
@click.argument("items", metavar="ITEMS", type=click.Path(path_type=Path))
@mapping_file
@as_json
def test(items: Path, mapping_file: Path | None, as_json: bool) -> None:
    """Try the mapping on the old items in the file ITEMS: offline.

    ITEMS: DynamoDB's JSON, as an array, an object a line (such as an export to S3), or what `aws dynamodb scan` prints. For
    each item: its entity, its v2 key, and whether it comes back byte for byte. Exit status 1 when one is rejected or does
    not come back, or when two have one v2 key.
    """

    async def body(_: asyncio.Event) -> Answer:
        loaded = _loaded(mapping_file)
        trial = try_items(loaded, items_in(items, loaded))
        return Answer(trial.to_json(), trial_text(loaded, trial), ok=trial.ok, long=True)

    run_alone(body, as_json=as_json)


def _good(loaded: Mapping) -> Answer:
    entities, tables = list(loaded.entities), list(loaded.tables)
    document = {
        "result": "good",
        "name": loaded.name,
        "version": loaded.version,
        "hash": loaded.hash,
        "entities": entities,
        "tables": tables,
    }
    what = (
        f"version {loaded.version}, hash {loaded.hash}, entities {', '.join(entities)}, v2 tables {', '.join(tables)}"
    )
    return Answer(document, escaped(f"{loaded.name}: {what}"))


def _loaded(file: Path | None) -> Mapping:
    return load_mapping_file(file or configured_mapping_file())


def _explain_file(file: Path, edits: tuple[str, ...], mapping_file: Path | None, *, as_json: bool) -> None:
    async def body(_: asyncio.Event) -> Answer:
        loaded = _loaded(mapping_file)
        return _explained(loaded, [item_in(file, loaded)], edits)

    run_alone(body, as_json=as_json)


def _explained(loaded: Mapping, items: list[Item], edits: tuple[str, ...]) -> Answer:
    explanations = [explain_edits(loaded, item, edits) for item in items]
    text = "\n\n".join(explanation_text(loaded, one) for one in explanations)
    document = {"mapping": loaded.hash, "items": [one.to_json() for one in explanations]}
    return Answer(document, text or f"no item was found in {loaded.old.table}", long=True)
