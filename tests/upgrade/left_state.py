"""The state that version 0.1.0 left on DynamoDB Local, in tables in memory."""

import json
from pathlib import Path

from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping, load_mapping
from tests.acceptance.command_line import VARIABLES
from tests.builders.mappings import CRM_TEXT
from tests.fakes.memory import MemoryDynamoDB

HERE = Path(__file__).parent


def stored(state: str) -> dict[str, list[Item]]:
    """The items of each table, as that version left them."""
    tables: dict[str, list[Item]] = json.loads((HERE / f"{state}.json").read_text(encoding="utf-8"))
    return tables


def crm() -> Mapping:
    """The packaged mapping with the table names that were used."""
    return load_mapping(CRM_TEXT, source="crm.yaml", names=lambda variable, _: VARIABLES[variable])


def world(state: str) -> MemoryDynamoDB:
    """Tables in memory that hold what that version left."""
    db = MemoryDynamoDB()
    for name in ("old", "control"):
        db.create_table(name, ("pk", "sk"))
    for name, shape in crm().tables.items():
        db.create_table(name, shape.key_names, indexes={index: key.names for index, key in shape.indexes.items()})
    for table, items in stored(state).items():
        for item in items:
            db.apply(Put(table, item))
    return db
