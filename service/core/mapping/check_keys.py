"""Checks the keys of a mapping: two old items never share a v2 key, and a v2 item shows its old key."""

from collections.abc import Iterator
from itertools import combinations

from service.core.mapping.build import TableNames, parse_templates, table_name
from service.core.mapping.schema import EntityModel, MappingModel
from service.core.mapping.template import Template
from service.core.mapping.yaml_document import Path

Problem = tuple[Path, str]


def key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """The mistakes in the entity's old key, v2 key and index keys."""
    yield from _old_key_problems(here, model, entity)
    yield from _identity_problems(here, entity)
    yield from _index_problems(here, entity)


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
    for attribute, template in parse_templates(entity.old_key).items():
        for placeholder in template.placeholders:
            field = entity.fields[placeholder.name]
            if (
                placeholder.modifier
                or placeholder.fallback
                or field.type != "string"
                or not field.required
                or field.transform
            ):
                remedy = f"make it a required string field without transform, and write just {{{placeholder.name}}}"
                yield (
                    (*here, "old_key", attribute),
                    f"{{{placeholder.name}}} in an old key may be absent or changed: {remedy}",
                )


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
        if list(first.indexes[index]) != list(second.indexes[index]):
            yield (
                (*path, "indexes", index),
                f"{first_name} and {second_name} share a table, but their {index} differs; give both the same attributes",
            )
    keys = zip(parse_templates(first.key).values(), parse_templates(second.key).values(), strict=False)
    if not any(_disjoint(*templates) for templates in keys):
        remedy = "let a key template begin differently"
        yield (*path, "key"), f"{first_name} and {second_name} share a table and could get the same key; {remedy}"


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
