"""Checks the keys of v2 tables and their indexes in a mapping: their attributes, types, and what entities of one table share."""

from collections.abc import Iterator
from itertools import combinations

from service.core.item.numbers import parse_number
from service.core.mapping.check_old_key import old_key_problems
from service.core.mapping.key_pattern import are_disjoint
from service.core.mapping.model_parts import (
    FIELD_KINDS,
    FIELDS_OF_KIND,
    KEY_WORDS,
    TableNames,
    key_templates,
    parse_templates,
    table_name,
)
from service.core.mapping.problem import Problem
from service.core.mapping.schema import EntityModel, KeyTexts, MappingModel
from service.core.mapping.template import Template
from service.core.mapping.yaml_document import Path

MAX_SORT_ATTRIBUTES = 4
"""Of an index, as of its partition key."""
OWN_TYPES = {"string", "date", *FIELD_KINDS}
"""Of fields that are key attributes themselves."""


def key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """The mistakes in the entity's old key, v2 key and index keys."""
    yield from _type_problems(here, model, entity)
    yield from old_key_problems(here, model, entity)
    yield from _index_problems(here, entity)


def old_type_problems(model: MappingModel) -> Iterator[Problem]:
    """The mistakes in the types of the old key, and in what is left out."""
    for name in sorted(model.old.key_types.keys() - {model.old.partition_key, model.old.sort_key}):
        yield ("old", "key_types", name), f"{name!r} is no attribute of the old key"
    told = [name for name in (model.old.partition_key, model.old.sort_key, model.old.entity) if name is not None]
    for place, patterns in enumerate(model.old.leave_out):
        for name in sorted(patterns.keys() - set(told)):
            # an attribute that changes would let an item come and go with each write
            yield ("old", "leave_out", place, name), f"leave_out can ask for {', '.join(told)} only, not for {name!r}"


def old_table_problems(model: MappingModel, names: TableNames) -> Iterator[Problem]:
    """The mistakes between the v2 tables and the old table."""
    old = names(model.old.table.variable, model.old.table.default)
    for name, entity in model.entities.items():
        if table_name(entity, names) == old:
            yield (
                ("entities", name, "table"),
                f"entity {name} would go to the old table {old!r}; name another table",
            )


def sharing_problems(model: MappingModel, names: TableNames) -> Iterator[Problem]:
    """The mistakes between entities that share a v2 table."""
    for (first_name, first), (second_name, second) in combinations(model.entities.items(), 2):
        if table_name(first, names) == table_name(second, names):
            yield from _shared_table_problems(first_name, first, second_name, second)


def _type_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """Key attributes that are no strings: each is made of one field of its type."""
    for path, texts, types in (
        ((*here, "old_key"), dict(entity.old_key), model.old.key_types),
        ((*here, "key"), _templates_of(entity.key), entity.key_types),
        *(
            ((*here, "indexes", index), _templates_of(texts), entity.key_types)
            for index, texts in entity.indexes.items()
        ),
    ):
        for name, template in parse_templates(texts, types).items():
            yield from ((((*path, name), problem)) for problem in _value_problems(entity, name, template))
    yield from _own_problems((*here, "key"), entity, entity.key)
    for index, own in entity.indexes.items():
        yield from _own_problems((*here, "indexes", index), entity, own)
    unknown = entity.key_types.keys() - entity.key.keys() - {name for one in entity.indexes.values() for name in one}
    for name in sorted(unknown):
        yield (*here, "key_types", name), f"{name!r} is no attribute of the key or of an index"


def _own_problems(path: Path, entity: EntityModel, texts: KeyTexts) -> Iterator[Problem]:
    for name, text in texts.items():
        if text is None and entity.fields[name].type not in OWN_TYPES:
            yield (*path, name), f"field {name!r} of type {entity.fields[name].type} cannot be a key attribute"


def _templates_of(texts: KeyTexts) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text is not None}


def _value_problems(entity: EntityModel, name: str, template: Template) -> Iterator[str]:
    """A number or binary is one placeholder alone; a binary field makes nothing else."""
    fields = [entity.fields[placeholder.name] for placeholder in template.placeholders]
    if template.kind == "S":
        if any(field.type == "binary" for field in fields):
            yield f"{name!r} is text: a binary field cannot be in it; give {name!r} the type binary in key_types"
        return
    (first, *more) = template.placeholders or [None]
    sharded = first is not None and (first.modifier or "").startswith("shard")
    alone = first is not None and not more and len(template.parts) == 1 and _fits(first.fallback, template.kind)
    if not alone or not ((sharded and template.kind == "N") or fields[0].type in FIELDS_OF_KIND[template.kind]):
        words = " or ".join(FIELDS_OF_KIND[template.kind])
        yield f"{name!r} is of type {KEY_WORDS[template.kind]}: write just {{field}}, with a field of type {words}"


def _fits(fallback: str | None, kind: str) -> bool:
    return fallback is None or (kind == "N" and parse_number(fallback) is not None)


def _index_problems(here: Path, entity: EntityModel) -> Iterator[Problem]:
    for index, count in entity.partition_attributes.items():
        if count > len(entity.indexes.get(index, ())):
            yield (*here, "partition_attributes", index), f"index {index!r} has no {count} attributes"
    for index, templates in entity.indexes.items():
        if len(templates) - entity.partition_attributes.get(index, 1) > MAX_SORT_ATTRIBUTES:
            remedy = "more of them are the partition key: say how many in partition_attributes; or leave some out"
            yield (*here, "indexes", index), f"a sort key has at most {MAX_SORT_ATTRIBUTES} attributes: {remedy}"
    first = dict(entity.key)
    for index, templates in entity.indexes.items():
        for name, text in templates.items():
            if first.setdefault(name, text) != text:
                yield (
                    (*here, "indexes", index, name),
                    f"attribute {name!r} already has the template {first[name]!r}; repeat it, or use another attribute",
                )


def _shared_table_problems(
    first_name: str, first: EntityModel, second_name: str, second: EntityModel
) -> Iterator[Problem]:
    path = ("entities", second_name)
    if list(first.key) != list(second.key):
        yield (
            (*path, "key"),
            f"{first_name} and {second_name} share a table, so their keys must have the same attributes",
        )
    for index in first.indexes.keys() & second.indexes.keys():
        counts = {one.partition_attributes.get(index, 1) for one in (first, second)}
        if list(first.indexes[index]) != list(second.indexes[index]) or len(counts) > 1:
            yield (
                (*path, "indexes", index),
                f"{first_name} and {second_name} share a table, but their {index} differs; give both the same attributes",
            )
    first_types, second_types = _key_types(first), _key_types(second)
    for name in first_types.keys() & second_types.keys():
        if first_types[name] != second_types[name]:
            yield (*path, "key_types"), f"{first_name} and {second_name} share a table, so {name!r} must be of one type"
    keys = zip(key_templates(first, first.key).values(), key_templates(second, second.key).values(), strict=False)
    if not any(are_disjoint(*templates, None) for templates in keys):
        remedy = "let a key template begin differently"
        yield (
            (*path, "key"),
            f"{first_name} and {second_name} share a table and could get the same key, and only one would come back; {remedy}",
        )


def _key_types(entity: EntityModel) -> dict[str, str]:
    maps = [key_templates(entity, texts) for texts in (entity.key, *entity.indexes.values())]
    return {name: KEY_WORDS[template.kind] for templates in maps for name, template in templates.items()}
