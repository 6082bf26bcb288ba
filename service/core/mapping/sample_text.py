"""A sample of a table out of a file, for drafts: items in DynamoDB's JSON, or a model of NoSQL Workbench.

Of a model, the tables have ``TableName``, ``KeyAttributes``, ``GlobalSecondaryIndexes`` and ``TableData`` (items in DynamoDB's
JSON), as
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/workbench.Modeler.ExportModel.html exports them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.core.item.json_items import items_from_json
from service.core.item.wire import Item

KEY_NAMES = (("PK", "SK"), ("pk", "sk"), ("_pk", "_sk"), ("partitionKey", "sortKey"), ("hashKey", "rangeKey"))
"""What key attributes are called, where nothing says it."""


@dataclass(frozen=True)
class Sample:
    """Items, and what the file says of their table."""

    items: Sequence[Item]
    key_names: tuple[str, ...] = ()
    """Empty: the file does not say."""
    index_keys: Mapping[str, tuple[str, ...]] | None = None
    """None: the file does not say."""
    name: str = ""
    others: tuple[str, ...] = ()
    """Other tables with items in the file."""


def sample_from_text(text: str) -> Sample:
    """The sample in ``text``; of a model with several tables, that with the most items. Raises ValueError, which says why not."""
    tables = _model_tables(text)
    if tables is None:
        return Sample(items_from_json(text, ""))
    found = [_table(table) for table in tables]
    with_items = sorted((one for one in found if one.items), key=lambda one: -len(one.items))
    if not with_items:
        raise ValueError("no table of the model has items; add sample data in NoSQL Workbench, and export it again")
    first, *others = with_items
    return Sample(first.items, first.key_names, first.index_keys, first.name, tuple(one.name for one in others))


def guessed_key(items: Sequence[Item]) -> tuple[str, ...]:
    """The names of the key attributes, by what they are called; empty when none of KEY_NAMES is in all items."""
    for partition, sort in KEY_NAMES:
        if items and all(partition in item for item in items):
            return (partition, sort) if all(sort in item for item in items) else (partition,)
    return ()


def _model_tables(text: str) -> list[Any] | None:
    """The tables of a model; None: the text is none."""
    if '"DataModel"' not in text:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return None
    tables = content.get("DataModel") if isinstance(content, dict) else None
    return tables if isinstance(tables, list) else None


def _table(table: Any) -> Sample:
    try:
        indexes = {one["IndexName"]: _key(one["KeyAttributes"]) for one in table.get("GlobalSecondaryIndexes", ())}
        key, name = _key(table["KeyAttributes"]), str(table["TableName"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            "a table of the model has no TableName or KeyAttributes, as NoSQL Workbench writes them"
        ) from error
    items = table.get("TableData") or []
    return Sample(items_from_json(json.dumps(items), "") if items else (), key, indexes, name)


def _key(attributes: Mapping[str, Any]) -> tuple[str, ...]:
    parts = [attributes["PartitionKey"], attributes.get("SortKey")]
    return tuple(part["AttributeName"] for part in parts if part)
