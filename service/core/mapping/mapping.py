"""The mapping: what becomes of each item of the old table. Data, not code; loaded once, never changed."""

import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from service.core.item.wire import Item
from service.core.mapping.build import Resolver, TableNames, build_entity
from service.core.mapping.check import problems
from service.core.mapping.entity import Entity, KeySchema
from service.core.mapping.schema import MappingModel, known_keys
from service.core.mapping.yaml_document import Document, read_yaml
from service.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class OldTable:
    """The old table: its name, key attributes, and the attribute that says which entity an item is."""

    table: str
    partition_key: str
    sort_key: str | None
    entity: str

    @property
    def key_names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return KeySchema(self.partition_key, self.sort_key).names


@dataclass(frozen=True, slots=True)
class TableShape:
    """What a v2 table must be: its key, and its indexes by name. All key attributes are strings, all
    projections ALL."""

    key: KeySchema
    indexes: dict[str, KeySchema]

    @property
    def key_names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return self.key.names


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A checked mapping.

    hash: over its content, 16 hex digits, the same whatever the tables are called. tables: each v2 table by its name.
    """

    name: str
    hash: str
    stamp: str
    old: OldTable
    entities: dict[str, Entity]
    tables: dict[str, TableShape]

    def entity_at(self, table: str, item: Item) -> Entity | None:
        """The entity that the v2 ``item`` of ``table`` is, None when its key is none that the mapping
        makes."""
        candidates = [entity for entity in self.entities.values() if entity.table == table]
        return candidates[0] if len(candidates) == 1 else next((one for one in candidates if one.holds(item)), None)


def default_names(_variable: str, default: str) -> str:
    """Every table by its default name."""
    return default


def load_mapping(
    text: str,
    *,
    source: str,
    names: TableNames = default_names,
    resolve: Resolver = pkgutil.resolve_name,
) -> Mapping:
    """The mapping that the YAML ``text`` says.

    source is the file's name, for messages. names(variable, default) gives the name of a table; resolve finds
    the function that a ``module:function`` names. Raises Misconfigured, one line with file, line, what is
    wrong and what to do.
    """
    document = read_yaml(text, source=source)
    model = _validated(document)
    for path, message in problems(model, names, resolve):
        raise document.wrong(path, message)
    entities = {name: build_entity(name, model, names, resolve) for name in model.entities}
    return Mapping(
        name=model.name,
        hash=_content_hash(model),
        stamp=model.stamp,
        old=_old_table(model, names),
        entities=entities,
        tables=_table_shapes(entities.values()),
    )


def _table_shapes(entities: Iterable[Entity]) -> dict[str, TableShape]:
    """Entities that share a table have the same key and may have different indexes."""
    shapes: dict[str, TableShape] = {}
    for entity in entities:
        shape = shapes.setdefault(entity.table, TableShape(key_schema(entity.key), {}))
        shape.indexes.update({name: key_schema(index) for name, index in entity.indexes.items()})
    return shapes


def key_schema(templates: dict[str, Any]) -> KeySchema:
    """The key whose attributes are the names of ``templates``, in order."""
    return KeySchema(*templates)


def _validated(document: Document) -> MappingModel:
    try:
        return MappingModel.model_validate(document.content)
    except ValidationError as error:
        raise _explained(document, error.errors(include_url=False)) from error


def _explained(document: Document, errors: list[ErrorDetails]) -> Misconfigured:
    # A misspelt key is also a missing one: say the cause first.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    return document.wrong(first["loc"], _message(first))


def _message(error: ErrorDetails) -> str:
    path, kind = error["loc"], error["type"]
    if kind == "extra_forbidden":
        return f"unknown key {path[-1]!r}; known here: {', '.join(known_keys(path[:-1]))}"
    if kind == "missing":
        return f"key {path[-1]!r} is missing"
    where = ".".join(map(str, path)) or "the mapping"
    if kind in ("model_type", "dict_type"):
        return f"{where}: should be a map of keys and values"
    if kind == "too_long":
        return f"{where}: at most {error['ctx']['max_length']} keys are allowed"
    return f"{where}: {error['msg'][0].lower()}{error['msg'][1:]}"


def _content_hash(model: MappingModel) -> str:
    content = model.model_dump_json(exclude_defaults=True)
    return blake2b(content.encode(), digest_size=8).hexdigest()


def _old_table(model: MappingModel, names: TableNames) -> OldTable:
    old = model.old
    return OldTable(names(old.table.variable, old.table.default), old.partition_key, old.sort_key, old.entity)
