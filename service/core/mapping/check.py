"""Checks that a mapping makes sense, beyond its vocabulary: templates, defaults, names, placeholders, hooks.

Each check yields the path of the mistake, and a message that says what is wrong and what to do.
"""

from collections.abc import Iterator
from itertools import chain

from service.core.mapping.build import Resolver
from service.core.mapping.check_expiry import expiry_problems, shared_expiry_problems
from service.core.mapping.check_keys import key_problems, old_table_problems, old_type_problems, sharing_problems
from service.core.mapping.check_merge import merge_problems
from service.core.mapping.check_old_key import same_key_problems
from service.core.mapping.convert import is_absent
from service.core.mapping.dates import DATE_PARTS, DATE_TYPES, moment_of
from service.core.mapping.model_parts import (
    TableNames,
    constant_value,
    default_template,
    gather_name,
    key_templates,
    old_attributes,
    old_names,
    parse_templates,
    reserved_names,
    table_name,
)
from service.core.mapping.problem import Problem, in_turn
from service.core.mapping.schema import ElementFieldModel, EntityModel, FieldModel, KeyTexts, MappingModel
from service.core.mapping.template import Placeholder, Template, TemplateError
from service.core.mapping.yaml_document import Path


def problems(model: MappingModel, names: TableNames, resolve: Resolver) -> Iterator[Problem]:
    """Every mistake in the mapping, the most basic first.

    Where a check relies on an earlier one, it looks only at the entities in which that has found nothing.
    """
    yield from old_type_problems(model)
    sound = {}
    for name, entity in model.entities.items():
        reserved = reserved_names(model, table_name(entity, names), names)
        found = list(_entity_problems(model, name, reserved, resolve))
        yield from found
        if not found:
            sound[name] = entity
    yield from old_table_problems(model, names)
    sound_part = model.model_copy(update={"entities": sound})
    yield from same_key_problems(sound_part)
    yield from sharing_problems(sound_part, names)
    yield from shared_expiry_problems(sound_part, names)


def _entity_problems(model: MappingModel, name: str, reserved: frozenset[str], resolve: Resolver) -> Iterator[Problem]:
    here, entity = ("entities", name), model.entities[name]
    return in_turn(
        chain(
            _syntax_problems(here, entity),
            _field_problems(here, entity, resolve),
            _name_problems(here, model, name, reserved),
        ),
        _placeholder_problems(here, entity),
        chain(
            key_problems(here, model, entity),
            merge_problems(here, model, name, reserved),
            expiry_problems(here, model, name, reserved),
        ),
    )


def template_maps(entity: EntityModel) -> Iterator[tuple[Path, KeyTexts]]:
    """Every group of key templates of the entity, with its path inside the entity."""
    yield ("old_key",), dict(entity.old_key)
    yield ("old_made",), dict(entity.old_made)
    yield ("key",), entity.key
    for index, templates in entity.indexes.items():
        yield ("indexes", index), templates


def _syntax_problems(here: Path, entity: EntityModel) -> Iterator[Problem]:
    texts: list[tuple[Path, str]] = [
        ((*path, name), text)
        for path, templates in template_maps(entity)
        for name, text in templates.items()
        if text is not None
    ]
    texts += [
        (("fields", name, "default"), field.default)
        for name, field in entity.fields.items()
        if field.type == "string" and isinstance(field.default, str)
    ]
    for path, text in texts:
        try:
            parse_templates({"": text})
        except TemplateError as error:
            yield (*here, *path), str(error)


def _field_problems(here: Path, entity: EntityModel, resolve: Resolver) -> Iterator[Problem]:
    for name, field in entity.fields.items():
        path = (*here, "fields", name)
        yield from _default_problems(path, field)
        if field.elements and (field.type != "list" or field.transform):
            yield (
                (*path, "elements"),
                f"field {name!r} cannot have elements; only a field of type list without a transform can",
            )
        for inner_name, inner in field.elements.fields.items() if field.elements else ():
            yield from _default_problems((*path, "elements", "fields", inner_name), inner)
        for hook in (field.transform.forward, field.transform.inverse) if field.transform else ():
            yield from _hook_problems((*path, "transform"), hook, resolve)
    if entity.change_token is not None and entity.change_token not in entity.fields:
        yield (
            (*here, "change_token"),
            f"change_token names {entity.change_token!r}, which is not a field of this entity",
        )


def _default_problems(path: Path, field: FieldModel | ElementFieldModel) -> Iterator[Problem]:
    if "default" not in field.model_fields_set:
        return
    if field.default is None or constant_value(field.type, field.default) is None:
        example = _EXAMPLES[field.type]
        yield (
            (*path, "default"),
            f"default {field.default!r} does not fit type {field.type}; write {example}, or leave it out",
        )
    elif isinstance(field, FieldModel) and field.required:
        yield (*path, "default"), "a required field takes no default: remove `required` or `default`"


_EXAMPLES = {
    "string": 'text such as "new" (in quotes when it looks like something else)',
    "int": "a whole number such as 0",
    "number": "a number such as 0.5",
    "boolean": "true or false",
    "date": 'an ISO 8601 date in quotes such as "1970-01-01T00:00:00.000Z"',
    "epoch": 'seconds since 1970 such as 0, or a date in quotes such as "1970-01-01"',
    "epoch_ms": 'milliseconds since 1970 such as 0, or a date in quotes such as "1970-01-01"',
    "list": "a list of text such as []",
    "map": "{}",
    "any": "no default at all",
    "binary": "no default at all",
}


def _hook_problems(path: Path, hook: str, resolve: Resolver) -> Iterator[Problem]:
    try:
        function = resolve(hook)
    except (ImportError, AttributeError, ValueError) as error:
        yield path, f"transform {hook!r} cannot be found: {error}"
        return
    if not callable(function):
        yield path, f"transform {hook!r} is not a function; name one as module:function"


def _name_problems(here: Path, model: MappingModel, entity_name: str, reserved: frozenset[str]) -> Iterator[Problem]:
    entity = model.entities[entity_name]
    made = dict.fromkeys(
        old_attributes(model, entity_name), "an attribute of the old key, of `when`, or the entity attribute"
    )
    made |= dict.fromkeys(entity.old_made, "an attribute of old_made")
    taken = dict.fromkeys(reserved, "a key, index or stamp attribute of the v2 table")
    gathered = gather_name(entity)
    if gathered in taken:
        yield (
            (*here, "unmapped"),
            f"cannot gather into {gathered!r}: it is {taken[gathered]}; choose another name",
        )
    if gathered is not None:
        taken[gathered] = "the attribute for unmapped attributes"
    for name in entity.fields:
        if name in taken:
            yield (
                (*here, "fields", name),
                f"field {name!r} cannot have this name: it is {taken[name]}; choose another name",
            )
        taken[name] = f"field {name!r}"
    yield from _old_name_problems(here, entity, made, taken)


def _old_name_problems(
    here: Path, entity: EntityModel, made: dict[str, str], on_v2: dict[str, str]
) -> Iterator[Problem]:
    """No two fields are read from one old attribute, and none from an attribute that is made of fields. No alias is a name that
    v2 has (``on_v2``)."""
    taken = dict(made)
    for name, field in entity.fields.items():
        path = (*here, "fields", name)
        if field.only_in_key and (field.source or field.aliases or field.transform):
            yield path, f"field {name!r} is only in the old key: it has no `from`, `aliases` or `transform`"
        for place, old in enumerate(old_names(name, field)):
            if old in taken and place == 0 and field.source is None:
                yield (
                    path,
                    f"field {name!r} cannot have this name: it is {taken[old]}; choose another name, or write `from`",
                )
            elif old in taken and place == 0:
                yield (*path, "from"), f"field {name!r} is from {old!r}, which is already {taken[old]}"
            elif place and (old in taken or old in on_v2):
                yield (
                    (*path, "aliases", place - 1),
                    f"alias {old!r} of field {name!r} is already {taken.get(old) or on_v2[old]}; remove the alias",
                )
            taken[old] = f"field {name!r}" if place == 0 else f"an alias of field {name!r}"


def _placeholder_problems(here: Path, entity: EntityModel) -> Iterator[Problem]:
    for path, texts in template_maps(entity):
        for name, template in key_templates(entity, texts).items():
            if template.text == "":
                yield (*here, *path, name), f"template of {name!r} is empty: DynamoDB has no empty keys"
            yield from _template_problems((*here, *path, name), entity, template, path, own=texts[name] is None)
    for name, field in entity.fields.items():
        default = default_template(field)
        for placeholder in default.placeholders if default else ():
            path = (*here, "fields", name, "default")
            yield from _use_problems(path, entity, placeholder)
            if placeholder.optional:
                yield (
                    path,
                    f"{{{placeholder.name}?}} is for indexes and old_made only; write {{{placeholder.name}|fallback}}",
                )
            other = entity.fields.get(placeholder.name)
            if other is field or (other and _is_derived(other)):
                yield (
                    path,
                    f"default of {name!r} uses {placeholder.name!r}, whose own default is a template; use a field without one",
                )


def _template_problems(
    path: Path, entity: EntityModel, template: Template, kind: Path, *, own: bool
) -> Iterator[Problem]:
    """``kind``: where in the entity the template stands. ``own``: the attribute is the field itself."""
    sparse = kind[0] in ("indexes", "old_made")
    for placeholder in template.placeholders:
        if own and sparse and _can_be_only_absent(entity.fields.get(placeholder.name)):
            continue
        if placeholder.optional and not sparse:
            yield path, f"{{{placeholder.name}?}} is for indexes and old_made only: a key is always there"
        yield from _use_problems(path, entity, placeholder)


def _can_be_only_absent(field: FieldModel | None) -> bool:
    """Whether the field is never empty text, which no index key may be; an item without it is not in the index."""
    return field is not None and field.default is None and field.type != "list"


def _use_problems(path: Path, entity: EntityModel, placeholder: Placeholder) -> Iterator[Problem]:
    field = entity.fields.get(placeholder.name)
    if field is None:
        yield (
            path,
            f"template names {placeholder.name!r}, which is not a field; fields are {', '.join(entity.fields)}",
        )
    elif field.type in ("list", "map", "any"):
        yield (
            path,
            f"template names {placeholder.name!r}, of type {field.type}; a template needs a field that is always a single value",
        )
    elif placeholder.modifier in DATE_PARTS and field.type not in DATE_TYPES:
        needed = f"needs a field of type {' or '.join(DATE_TYPES)}"
        part = f"{{{placeholder.name}:{placeholder.modifier}}}"
        yield path, f"{part} {needed}, {placeholder.name!r} is of type {field.type}"
    elif (
        placeholder.modifier in DATE_PARTS and placeholder.fallback and not moment_of(field.type, placeholder.fallback)
    ):
        part = f"{{{placeholder.name}:{placeholder.modifier}}}"
        yield path, f"fallback {placeholder.fallback!r} of {part} is not a date"
    elif not placeholder.fallback and not placeholder.optional and _can_be_empty(field):
        yield (
            path,
            f"template names {placeholder.name!r}, which can be absent or empty; write {{{placeholder.name}|fallback}}",
        )


def _can_be_empty(field: FieldModel) -> bool:
    if field.transform:
        return True
    if field.required:
        return False
    if _is_derived(field):
        return False
    value = None if field.default is None else constant_value(field.type, field.default)
    return is_absent(value)


def _is_derived(field: FieldModel) -> bool:
    template = default_template(field)
    return template is not None and not template.constant
