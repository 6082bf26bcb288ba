"""Checks what a mapping says about fields that both sides write: ``merge`` and ``groups``."""

from collections.abc import Iterator

from service.core.mapping.model_parts import fields_in, gather_name, key_templates, old_attributes, parse_templates
from service.core.mapping.problem import Problem
from service.core.mapping.schema import EntityModel, FieldModel, MappingModel
from service.core.mapping.yaml_document import Path


def merge_problems(here: Path, model: MappingModel, entity_name: str, reserved: frozenset[str]) -> Iterator[Problem]:
    """The mistakes in ``merge`` of each field, in ``groups``, and in the entity's ``merge``.

    The entity's templates and names must be right. ``reserved`` are the names that no unmapped attribute can have in v2.
    """
    entity = model.entities[entity_name]
    in_keys = _fields_in_keys(entity)
    for name, field in entity.fields.items():
        yield from _field_problems((*here, "fields", name, "merge"), name, field, in_keys, entity.change_token)
    yield from _group_problems((*here, "groups"), entity)
    not_unmapped = {*reserved, *old_attributes(model, entity_name), gather_name(entity)}
    for name in entity.merge:
        yield from _unmapped_problems((*here, "merge", name), name, entity, not_unmapped)


def _fields_in_keys(entity: EntityModel) -> set[str]:
    maps = [key_templates(entity, texts) for texts in (entity.key, *entity.indexes.values())]
    maps.append(parse_templates(entity.old_key))
    return fields_in(entity, [template for templates in maps for template in templates.values()])


def _field_problems(
    path: Path, name: str, field: FieldModel, in_keys: set[str], token: str | None
) -> Iterator[Problem]:
    if field.merge == "v2":
        return
    if name == token:
        yield path, f"field {name!r} is the change token, of which the larger value stays: remove `merge`"
    elif field.merge in ("add", "union") and field.aliases:
        why = "the first name that is there counts, so a change of another one would be missed"
        yield (
            path,
            f"field {name!r} has aliases and cannot have `merge: {field.merge}`, because {why}; remove one of the two",
        )
    elif field.merge == "add":
        yield from _add_problems(path, name, field, in_keys)
    elif field.merge == "union" and (field.type != "list" or field.elements):
        yield path, f"field {name!r} cannot have `merge: union`; only a field of type list without elements can"


def _add_problems(path: Path, name: str, field: FieldModel, in_keys: set[str]) -> Iterator[Problem]:
    if field.type not in ("int", "number") or field.transform:
        yield (
            path,
            f"field {name!r} cannot have `merge: add`; only a field of type int or number without a transform can",
        )
    elif name in in_keys:
        yield path, f"field {name!r} cannot have `merge: add`, because a key or index is made of it; use v2 or agree"


def _group_problems(path: Path, entity: EntityModel) -> Iterator[Problem]:
    grouped: set[str] = set()
    for number, group in enumerate(entity.groups):
        if len(group) < 2:
            yield (
                (*path, number),
                f"group {', '.join(group) or '[]'} needs at least two fields; name them, or remove it",
            )
        for position, name in enumerate(group):
            yield from _member_problems((*path, number, position), name, entity, grouped)
            grouped.add(name)
        yield from _mode_problems((*path, number), group, entity)


def _member_problems(path: Path, name: str, entity: EntityModel, grouped: set[str]) -> Iterator[Problem]:
    field = entity.fields.get(name)
    if field is None:
        yield path, f"groups names {name!r}, which is not a field; fields are {', '.join(entity.fields)}"
    elif name in grouped:
        yield path, f"field {name!r} is in a group already; name it once, in the group to which it belongs"
    elif name == entity.change_token:
        yield path, f"field {name!r} is the change token, which belongs to every write: remove it from the group"
    elif field.merge in ("add", "union"):
        yield path, f"field {name!r} has `merge: {field.merge}` and cannot be in a group; remove one of the two"


def _mode_problems(path: Path, group: list[str], entity: EntityModel) -> Iterator[Problem]:
    modes = {entity.fields[name].merge for name in group if name in entity.fields}
    if modes == {"v2", "agree"}:
        yield path, f"fields {', '.join(group)} are one group, so all of them need the same `merge`, v2 or agree"


def _unmapped_problems(path: Path, name: str, entity: EntityModel, not_unmapped: set[str | None]) -> Iterator[Problem]:
    for owner, field in entity.fields.items():
        if name in (owner, *field.aliases):
            yield path, f"attribute {name!r} belongs to field {owner!r}; write `merge` at that field"
    if name in not_unmapped:
        yield path, f"attribute {name!r} is made by the mapping itself: remove it from `merge`"
