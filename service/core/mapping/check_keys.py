"""Keys of a mapping: that two old items never share a v2 key, and that a v2 item tells its old key."""

from collections.abc import Iterator
from itertools import combinations

from service.core.mapping.build import TableNames, parse_templates, table_name
from service.core.mapping.schema import EntityModel, MappingModel
from service.core.mapping.template import Template
from service.core.mapping.yaml_document import Path

Problem = tuple[Path, str]


def key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """What is wrong with the entity's old key, v2 key and index keys."""
    yield from _old_key(here, model, entity)
    yield from _identity_in_key(here, entity)
    yield from _one_template_each(here, entity)


def sharing_problems(model: MappingModel, names: TableNames) -> Iterator[Problem]:
    """What is wrong between entities that go to one table, and between the v2 tables and the old one."""
    old = names(model.old.table.variable, model.old.table.default)
    for name, entity in model.entities.items():
        if table_name(entity, names) == old:
            yield (
                ("entities", name, "table"),
                f"entity {name} would go to the old table {old!r}; name another table",
            )
    for (first_name, first), (second_name, second) in combinations(model.entities.items(), 2):
        if table_name(first, names) == table_name(second, names):
            yield from _shared_table(first_name, first, second_name, second)


def _old_key(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    wanted = [name for name in (model.old.partition_key, model.old.sort_key) if name is not None]
    if sorted(entity.old_key) != sorted(wanted):
        yield (*here, "old_key"), f"old_key must have a template for each of {', '.join(wanted)}"
    if not _identity(entity):
        yield (*here, "old_key"), "old_key names no field, so all items of the entity would be one"
    for attribute, template in parse_templates(entity.old_key).items():
        for part in template.placeholders:
            field = entity.fields[part.name]
            if part.modifier or part.fallback or field.type != "string" or not field.required or field.transform:
                remedy = f"make it a required string field without transform, and write just {{{part.name}}}"
                yield (*here, "old_key", attribute), f"{{{part.name}}} in an old key may be absent or changed: {remedy}"


def _identity_in_key(here: Path, entity: EntityModel) -> Iterator[Problem]:
    # A field can be read back out of a key when everything else in its template has a fixed width.
    readable = {
        part.name
        for template in parse_templates(entity.key).values()
        for part in template.placeholders
        if not part.fixed_width and sum(not other.fixed_width for other in template.placeholders) == 1
    }
    for name in _identity(entity):
        if name not in readable:
            remedy = f"a key template must hold {{{name}}}, beside text, months and shards only"
            yield (*here, "key"), f"two old items could get the same v2 key: {remedy}"


def _identity(entity: EntityModel) -> list[str]:
    parts = [part for template in parse_templates(entity.old_key).values() for part in template.placeholders]
    return list(dict.fromkeys(part.name for part in parts))


def _one_template_each(here: Path, entity: EntityModel) -> Iterator[Problem]:
    seen = dict(entity.key)
    for index, templates in entity.indexes.items():
        for name, text in templates.items():
            if seen.setdefault(name, text) != text:
                yield (
                    (*here, "indexes", index, name),
                    f"attribute {name!r} already has the template {seen[name]!r}",
                )


def _shared_table(first_name: str, first: EntityModel, second_name: str, second: EntityModel) -> Iterator[Problem]:
    place = ("entities", second_name)
    if list(first.key) != list(second.key):
        yield (
            (*place, "key"),
            f"{first_name} and {second_name} share a table, so their keys must have the same attributes",
        )
    for index in first.indexes.keys() & second.indexes.keys():
        if list(first.indexes[index]) != list(second.indexes[index]):
            yield (
                (*place, "indexes", index),
                f"{first_name} and {second_name} share a table, but their {index} differs",
            )
    keys = zip(parse_templates(first.key).values(), parse_templates(second.key).values(), strict=False)
    if not any(_disjoint(one, other) for one, other in keys):
        remedy = "let a key template begin differently"
        yield (*place, "key"), f"{first_name} and {second_name} share a table and could get the same key; {remedy}"


def _disjoint(first: Template, second: Template) -> bool:
    one, other = first.literal_prefix, second.literal_prefix
    if first.constant and second.constant:
        return one != other
    if first.constant:
        return not one.startswith(other)
    if second.constant:
        return not other.startswith(one)
    return not (one.startswith(other) or other.startswith(one))
