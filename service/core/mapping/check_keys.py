"""Checks the keys of a mapping: two old items never share a v2 key, and a v2 item shows its old key."""

from collections.abc import Iterator
from itertools import combinations

from service.core.item.numbers import parse_number
from service.core.mapping.build import KEY_WORDS, TableNames, parse_templates, table_name
from service.core.mapping.schema import EntityModel, MappingModel
from service.core.mapping.template import Template
from service.core.mapping.yaml_document import Path

Problem = tuple[Path, str]
MAX_SORT_ATTRIBUTES = 4
"""Of an index, as of its partition key."""
VALUE_TYPES = {"N": ("int", "number"), "B": ("binary",)}
"""The types of the fields that a key attribute of that type may be made of."""
IDENTITY_TYPES = {"S": ("string",), **VALUE_TYPES}
"""Of the fields in an old key: their text tells items apart as the key does."""


def key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """The mistakes in the entity's old key, v2 key and index keys."""
    yield from _type_problems(here, model, entity)
    yield from _old_key_problems(here, model, entity)
    yield from _identity_problems(here, entity)
    yield from _index_problems(here, entity)


def old_type_problems(model: MappingModel) -> Iterator[Problem]:
    """The mistakes in the types of the old key."""
    for name in sorted(model.old.key_types.keys() - {model.old.partition_key, model.old.sort_key}):
        yield ("old", "key_types", name), f"{name!r} is no attribute of the old key"


def sharing_problems(model: MappingModel, names: TableNames) -> Iterator[Problem]:
    """The mistakes between entities that share a v2 table, and between the v2 tables and the old table."""
    old = names(model.old.table.variable, model.old.table.default)
    for name, entity in model.entities.items():
        if table_name(entity, names) == old:
            yield (
                ("entities", name, "table"),
                f"entity {name} would go to the old table {old!r}; name another table",
            )
    for (first_name, first), (second_name, second) in combinations(model.entities.items(), 2):
        if table_name(first, names) == table_name(second, names):
            yield from _shared_table_problems(first_name, first, second_name, second)


def _old_key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    wanted = [name for name in (model.old.partition_key, model.old.sort_key) if name is not None]
    if sorted(entity.old_key) != sorted(wanted):
        yield (*here, "old_key"), f"old_key must have a template for each of {', '.join(wanted)}"
    if not _identity_fields(entity):
        yield (
            (*here, "old_key"),
            "old_key names no field, so all items of the entity would have one key; name a field",
        )
    for attribute, template in parse_templates(entity.old_key, model.old.key_types).items():
        for placeholder in template.placeholders:
            field = entity.fields[placeholder.name]
            if (
                placeholder.modifier
                or placeholder.fallback
                or field.type not in IDENTITY_TYPES[template.kind]
                or not field.required
                or field.transform
            ):
                words = " or ".join(IDENTITY_TYPES[template.kind])
                remedy = f"make it a required {words} field without transform, and write just {{{placeholder.name}}}"
                yield (
                    (*here, "old_key", attribute),
                    f"{{{placeholder.name}}} in an old key may be absent or changed: {remedy}",
                )


def _type_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """Key attributes that are no strings: each is made of one field of its type."""
    for path, texts, types in (
        ((*here, "old_key"), entity.old_key, model.old.key_types),
        ((*here, "key"), entity.key, entity.key_types),
        *(((*here, "indexes", index), texts, entity.key_types) for index, texts in entity.indexes.items()),
    ):
        for name, template in parse_templates(texts, types).items():
            yield from ((((*path, name), problem)) for problem in _value_problems(entity, name, template))
    unknown = entity.key_types.keys() - entity.key.keys() - {name for one in entity.indexes.values() for name in one}
    for name in sorted(unknown):
        yield (*here, "key_types", name), f"{name!r} is no attribute of the key or of an index"


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
    if not alone or not ((sharded and template.kind == "N") or fields[0].type in VALUE_TYPES[template.kind]):
        words = " or ".join(VALUE_TYPES[template.kind])
        yield f"{name!r} is of type {KEY_WORDS[template.kind]}: write just {{field}}, with a field of type {words}"


def _fits(fallback: str | None, kind: str) -> bool:
    return fallback is None or (kind == "N" and parse_number(fallback) is not None)


def _identity_problems(here: Path, entity: EntityModel) -> Iterator[Problem]:
    # A field can be read back out of a key when everything else in its template has a fixed width.
    readable = {
        placeholder.name
        for template in parse_templates(entity.key).values()
        for placeholder in template.placeholders
        if not placeholder.fixed_width and sum(not other.fixed_width for other in template.placeholders) == 1
    }
    for name in _identity_fields(entity):
        if name not in readable:
            remedy = f"a key template must hold {{{name}}}, beside text, months and shards only"
            yield (*here, "key"), f"two old items could get the same v2 key: {remedy}"


def _identity_fields(entity: EntityModel) -> list[str]:
    parts = [
        placeholder for template in parse_templates(entity.old_key).values() for placeholder in template.placeholders
    ]
    return list(dict.fromkeys(placeholder.name for placeholder in parts))


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
    keys = zip(parse_templates(first.key).values(), parse_templates(second.key).values(), strict=False)
    if not any(_disjoint(*templates) for templates in keys):
        remedy = "let a key template begin differently"
        yield (*path, "key"), f"{first_name} and {second_name} share a table and could get the same key; {remedy}"


def _key_types(entity: EntityModel) -> dict[str, str]:
    names = {name for templates in (entity.key, *entity.indexes.values()) for name in templates}
    return {name: entity.key_types.get(name, "string") for name in names}


def _disjoint(first: Template, second: Template) -> bool:
    """Whether no text that ``first`` renders can be a text that ``second`` renders."""
    first_prefix, second_prefix = first.literal_prefix, second.literal_prefix
    if first.constant and second.constant:
        return first_prefix != second_prefix
    if first.constant:
        return not first_prefix.startswith(second_prefix)
    if second.constant:
        return not second_prefix.startswith(first_prefix)
    return not (first_prefix.startswith(second_prefix) or second_prefix.startswith(first_prefix))
