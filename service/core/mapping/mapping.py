"""The mapping as a value, and loading it from YAML. It is loaded once and never changes.

From the YAML text to the value: ``yaml_document`` parses, ``check_vocabulary`` validates by ``schema``, ``check`` and the
modules that it calls check the meaning, ``build`` compiles.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from service.core.item.wire import Item
from service.core.mapping.build import Resolver, build_entity
from service.core.mapping.check import problems
from service.core.mapping.check_vocabulary import read_model
from service.core.mapping.entity import Entity, IndexSchema, KeySchema
from service.core.mapping.model_parts import KEY_TYPES, TableNames, leave_out_patterns, with_key_fields
from service.core.mapping.schema import MappingModel
from service.core.mapping.template import KeyType
from service.core.mapping.yaml_document import MAPPING_FILE, parse_yaml
from service.errors import WrongMapping

UNKNOWN_ENTITY = "unknown"
"""The entity under which items are counted whose entity the mapping does not know."""


@dataclass(frozen=True, slots=True)
class OldTable:
    """The old table: its name, its key attributes, and the attribute that names an item's entity."""

    table: str
    partition_key: str
    sort_key: str | None
    entity: str | None
    """The attribute that names an item's entity; None: other attributes, or the key, tell it."""
    key_types: dict[str, KeyType] = field(default_factory=dict)
    """Of the key attributes that are no strings."""

    @property
    def key_names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return KeySchema(self.partition_key, self.sort_key).names


@dataclass(frozen=True, slots=True)
class TableShape:
    """The shape that a v2 table must have: its key, and its indexes by name."""

    key: KeySchema
    indexes: dict[str, IndexSchema]
    key_types: dict[str, KeyType] = field(default_factory=dict)
    """Of the attributes of key and indexes that are no strings."""
    projections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The attributes that an index has beside the keys, where it has not all."""

    @property
    def key_names(self) -> tuple[str, ...]:
        """One or two names, the partition key's first."""
        return self.key.names


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """A checked and compiled mapping."""

    name: str
    version: int
    """Of the vocabulary."""
    hash: str
    """16 hex digits over what makes its items: independent of the names of the tables, of ``merge``, ``groups`` and ``ttl``."""
    stamp: str
    """The attribute that holds the stamp."""
    old: OldTable
    entities: dict[str, Entity]
    """By entity name."""
    tables: dict[str, TableShape]
    """Every v2 table by its name."""
    leave_out: tuple[dict[str, re.Pattern[str]], ...] = ()
    """Which old items stay behind: those whose attributes read like all patterns of one of these."""

    def entity_at(self, table: str, item: Item) -> Entity | None:
        """The entity of the v2 ``item`` of ``table``.

        A table of one entity: that entity, whatever the item's key. Otherwise the entity whose keys begin like the item's; None
        when there is none.
        """
        candidates = [entity for entity in self.entities.values() if entity.table == table]
        return (
            candidates[0]
            if len(candidates) == 1
            else next((entity for entity in candidates if entity.holds(item)), None)
        )

    def entity_name_at(self, table: str, item: Item) -> str:
        """The name of the entity of the v2 ``item`` of ``table``; UNKNOWN_ENTITY when there is none."""
        entity = self.entity_at(table, item)
        return entity.name if entity is not None else UNKNOWN_ENTITY

    def leaves_out(self, old: Item) -> bool:
        """Whether an old item stays behind."""
        return any(
            all(pattern.fullmatch(old.get(name, {}).get("S", "")) for name, pattern in patterns.items())
            for patterns in self.leave_out
        )

    def entity_of(self, old: Item) -> Entity | None:
        """The entity of an old item, or None: the one whose attributes it has (``when``, and the attribute that names an entity).

        Of several, the one whose key its key reads like.
        """
        named = self.entities.get(old.get(self.old.entity, {}).get("S", "")) if self.old.entity is not None else None
        if named is not None and named.is_entity_of(old):
            return named
        found = [entity for entity in self.entities.values() if entity.is_entity_of(old)]
        return found[0] if len(found) == 1 else next((entity for entity in found if entity.reads_key(old)), None)

    def entity_name_of(self, old: Item | None) -> str:
        """The name of the entity of an old item; UNKNOWN_ENTITY for none, and for one that the mapping does not have."""
        entity = self.entity_of(old) if old is not None else None
        return UNKNOWN_ENTITY if entity is None else entity.name

    def read_from_old(self) -> frozenset[str]:
        """Every attribute of the old table that an entity of the mapping reads (``Entity.own``)."""
        return frozenset().union(*(entity.own for entity in self.entities.values()))

    def made_in(self, table: str) -> frozenset[str]:
        """Every attribute that the entities of v2 ``table`` may have, apart from unmapped ones (``Entity.made``)."""
        return frozenset().union(*(entity.made for entity in self.entities.values() if entity.table == table))


def default_names(_variable: str, default: str) -> str:
    """The default name of a table: reads no environment."""
    return default


def no_hooks(name: str) -> Any:
    """Finds no hook, for mappings that have none. Raises ImportError."""
    raise ImportError(f"{name} is not loaded here")


def load_mapping(
    text: str,
    *,
    source: str,
    names: TableNames = default_names,
    resolve: Resolver = no_hooks,
) -> Mapping:
    """The mapping in the YAML ``text``.

    ``source`` is the file's name, for messages. ``names(variable, default)`` returns the name of a table. ``resolve`` finds a hook
    from ``module:function``; core itself imports no module, so the default finds none. Raises Misconfigured with one line: file,
    line, what is wrong, and what to do. It is WrongMapping, which has every other problem too, unless the text is no YAML.
    """
    model = _checked_model(text, source, names, resolve)
    entities = {name: build_entity(name, model, names, resolve) for name in model.entities}
    return Mapping(
        name=model.name,
        version=model.version,
        hash=_content_hash(model),
        stamp=model.stamp,
        old=_old_table(model, names),
        entities=entities,
        tables=_table_shapes(entities.values()),
        leave_out=leave_out_patterns(model),
    )


def _checked_model(text: str, source: str, names: TableNames, resolve: Resolver) -> MappingModel:
    document = parse_yaml(text, source=source)
    read, found = read_model(document.content)
    model = with_key_fields(read) if read is not None else None
    found += problems(model, names, resolve) if model is not None else ()
    wrong = [*document.wrong_keys, *((document.line_of(path), message) for path, message in found)]
    if model is None or wrong:  # of a file in one line, two templates may be wrong in the same words
        raise WrongMapping(source, list(dict.fromkeys(wrong)), remedy=MAPPING_FILE.remedy)
    return model


def _table_shapes(entities: Iterable[Entity]) -> dict[str, TableShape]:
    """The v2 tables by name. Entities that share a table have the same key; their indexes are united."""
    shapes: dict[str, TableShape] = {}
    for entity in entities:
        shape = shapes.setdefault(entity.table, TableShape(key_schema(entity.key), {}))
        shape.indexes.update({name: entity.index_schema(name) for name in entity.indexes})
        templates = {**entity.key, **{name: one for index in entity.indexes.values() for name, one in index.items()}}
        shape.key_types.update({name: template.kind for name, template in templates.items() if template.kind != "S"})
        shape.projections.update(entity.projections)
    return shapes


def key_schema(templates: dict[str, Any]) -> KeySchema:
    """The key whose attributes are the names of ``templates``, in order."""
    return KeySchema(*templates)


_NOT_IN_HASH: Any = {
    "entities": {"__all__": {"groups": True, "merge": True, "ttl": True, "fields": {"__all__": {"merge"}}}}
}
"""They change no item, only what `dual` does when both sides write one, and a table's setting: a migration goes on when they
change."""


def _content_hash(model: MappingModel) -> str:
    content = model.model_dump_json(exclude_defaults=True, exclude=_NOT_IN_HASH)
    return blake2b(content.encode(), digest_size=8).hexdigest()


def _old_table(model: MappingModel, names: TableNames) -> OldTable:
    old = model.old
    types = {name: KEY_TYPES[kind] for name, kind in old.key_types.items()}
    return OldTable(names(old.table.variable, old.table.default), old.partition_key, old.sort_key, old.entity, types)
