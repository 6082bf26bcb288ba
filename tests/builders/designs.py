"""The public single-table designs in examples/tables: their items, and a mapping for each."""

import json
from functools import cache
from pathlib import Path

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping, load_mapping

TABLES = Path(__file__).parents[2] / "examples" / "tables"
DESIGNS = sorted(path.stem for path in TABLES.glob("*.yaml"))


@cache
def mapping_of(design: str) -> Mapping:
    path = TABLES / f"{design}.yaml"
    return load_mapping(path.read_text(encoding="utf-8"), source=path.name)


def items_of(design: str) -> list[Item]:
    items: list[Item] = json.loads((TABLES / f"{design}.json").read_text(encoding="utf-8"))
    return items
