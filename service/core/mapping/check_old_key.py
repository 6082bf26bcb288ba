"""Checks how the old key is written in a mapping: it can be read and written back, and the v2 key tells it.

So two old items never share a v2 key, no old key is read as that of two entities, and a v2 item shows its old key.
"""

from collections.abc import Iterator
from itertools import chain, combinations

from service.core.mapping.dates import DATE_TYPES
from service.core.mapping.key_pattern import are_disjoint, is_readable
from service.core.mapping.model_parts import FIELDS_OF_KIND, conditions, key_templates, parse_templates
from service.core.mapping.problem import Problem, in_turn
from service.core.mapping.schema import EntityModel, MappingModel
from service.core.mapping.template import Placeholder, Template
from service.core.mapping.yaml_document import Path

IDENTITY_TYPES = {"S": ("string", "int", "number", *DATE_TYPES), **FIELDS_OF_KIND}
"""Of the fields in an old key: their text tells items apart as the key does."""


def old_key_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """The mistakes in the entity's old key, and in how the v2 key tells it."""
    return in_turn(
        chain(_attribute_problems(here, model, entity), _placeholder_problems(here, model, entity)),
        _identity_problems(here, model, entity),
    )


def _attribute_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    wanted = [name for name in (model.old.partition_key, model.old.sort_key) if name is not None]
    if sorted(entity.old_key) != sorted(wanted):
        yield (*here, "old_key"), f"old_key must have a template for each of {', '.join(wanted)}"


def _placeholder_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    for attribute, template in parse_templates(entity.old_key, model.old.key_types).items():
        for placeholder in template.placeholders:
            problem = _old_placeholder_problem(entity, template, placeholder)
            if problem is not None:
                yield (*here, "old_key", attribute), problem
        if any(entity.fields[one.name].only_in_key for one in template.placeholders):
            yield from _read_problems((*here, "old_key", attribute), model, template)
    for name, field in entity.fields.items():
        if field.only_in_key and name not in {placeholder.name for placeholder in _in_old_key(entity)}:
            yield (
                (*here, "fields", name, "only_in_key"),
                f"field {name!r} is only in the old key, but old_key does not name it",
            )


def _old_placeholder_problem(entity: EntityModel, template: Template, placeholder: Placeholder) -> str | None:
    field, name = entity.fields[placeholder.name], placeholder.name
    types = IDENTITY_TYPES[template.kind]
    if placeholder.fallback or field.type not in types or not field.required or field.transform:
        words = " or ".join(filter(None, (", ".join(types[:-1]), types[-1])))
        remedy = f"make it a required field without transform, of type {words}, and write no fallback"
        return f"{{{name}}} in an old key may be absent or changed: {remedy}"
    padded = (placeholder.modifier or "").startswith("pad") and field.type == "int"
    if field.only_in_key and placeholder.modifier and not padded:
        return f"{{{name}:{placeholder.modifier}}} cannot be read back from the old key as a {field.type}; write {{{name}}}"
    return None


def _read_problems(path: Path, model: MappingModel, template: Template) -> Iterator[Problem]:
    """A value without an attribute of its own is read from the old key."""
    if not is_readable(template, model.old.separator):
        remedy = "separate them by the text that old.separator names"
        yield (
            path,
            f"template {template.text!r} cannot be read back: two values of any length stand side by side; {remedy}",
        )


def same_key_problems(model: MappingModel) -> Iterator[Problem]:
    """Where two entities could read the same old key, and no attribute tells them apart."""
    remedy = (
        "an old item becomes one v2 item, from which it comes back; let an old_key begin differently, or name the attribute "
        "that tells them apart in `when` or old.entity"
    )
    for first, second in combinations(model.entities, 2):
        if not _told_apart(model, first, second) and not _keys_differ(model, first, second):
            yield ("entities", second, "old_key"), f"{first} and {second} could read the same old key; {remedy}"


def _told_apart(model: MappingModel, first: str, second: str) -> bool:
    here, there = conditions(model, first), conditions(model, second)
    return any(all(value not in there[name] for value in here[name]) for name in here.keys() & there.keys())


def _keys_differ(model: MappingModel, first: str, second: str) -> bool:
    here, there = (parse_templates(model.entities[name].old_key, model.old.key_types) for name in (first, second))
    return any(are_disjoint(here[name], there[name], model.old.separator) for name in here.keys() & there.keys())


def _identity_problems(here: Path, model: MappingModel, entity: EntityModel) -> Iterator[Problem]:
    """The v2 key tells the old key: each value in the old key is read back from a template of the v2 key."""
    separator = model.old.separator
    readable = {
        (placeholder.name, placeholder.modifier)
        for template in key_templates(entity, entity.key).values()
        if is_readable(template, separator)
        for placeholder in template.placeholders
        if placeholder.fallback is None
    }
    for placeholder in _in_old_key(entity):
        if not readable & {(placeholder.name, None), (placeholder.name, placeholder.modifier)}:
            beside = "beside text, months and shards only" if separator is None else f"alone between {separator!r}"
            remedy = f"a key template must hold {{{placeholder.name}}}, {beside}"
            if separator is None:
                remedy += "; or say in old.separator which text no value holds"
            yield (*here, "key"), f"two old items could get the same v2 key, and only one would come back: {remedy}"


def _in_old_key(entity: EntityModel) -> list[Placeholder]:
    parts = [
        placeholder for template in parse_templates(entity.old_key).values() for placeholder in template.placeholders
    ]
    return list(dict.fromkeys(parts))
