"""What must be true of a mapping beyond its vocabulary. Each check yields the path that is wrong and what to
do about it."""

from collections.abc import Iterator

from service.core.mapping.build import (
    Resolver,
    TableNames,
    constant_value,
    default_template,
    gather_name,
    old_attributes,
    parse_templates,
    reserved_names,
    table_name,
)
from service.core.mapping.check_keys import key_problems, sharing_problems
from service.core.mapping.convert import is_absent, month_of
from service.core.mapping.schema import ElementFieldModel, EntityModel, FieldModel, MappingModel
from service.core.mapping.template import Placeholder, Template, TemplateError
from service.core.mapping.yaml_document import Path

Problem = tuple[Path, str]


def problems(model: MappingModel, names: TableNames, resolve: Resolver) -> Iterator[Problem]:
    """Everything wrong with the mapping, the most basic first: later checks rely on the earlier ones."""
    for name, entity in model.entities.items():
        here = ("entities", name)
        yield from _template_syntax(here, entity)
        yield from _field_definitions(here, entity, resolve)
        yield from _name_clashes(here, model, entity, reserved_names(model, table_name(entity, names), names))
        yield from _placeholders(here, entity)
        yield from key_problems(here, model, entity)
    yield from sharing_problems(model, names)


def template_maps(entity: EntityModel) -> Iterator[tuple[Path, dict[str, str]]]:
    """Every group of key templates of the entity, and where it stands."""
    yield ("old_key",), entity.old_key
    yield ("key",), entity.key
    for index, templates in entity.indexes.items():
        yield ("indexes", index), templates


def _template_syntax(here: Path, entity: EntityModel) -> Iterator[Problem]:
    texts = [((*place, name), text) for place, templates in template_maps(entity) for name, text in templates.items()]
    texts += [
        (("fields", name, "default"), field.default)
        for name, field in entity.fields.items()
        if field.type == "string" and isinstance(field.default, str)
    ]
    for place, text in texts:
        try:
            parse_templates({"": text})
        except TemplateError as error:
            yield (*here, *place), str(error)


def _field_definitions(here: Path, entity: EntityModel, resolve: Resolver) -> Iterator[Problem]:
    for name, field in entity.fields.items():
        place = (*here, "fields", name)
        yield from _default(place, field)
        if field.elements and (field.type != "list" or field.transform):
            yield (
                (*place, "elements"),
                f"field {name!r} cannot have elements: they are for type list without a transform",
            )
        for inner_name, inner in field.elements.fields.items() if field.elements else ():
            yield from _default((*place, "elements", "fields", inner_name), inner)
        for hook in (field.transform.forward, field.transform.inverse) if field.transform else ():
            yield from _hook((*place, "transform"), hook, resolve)
    if entity.change_token is not None and entity.change_token not in entity.fields:
        yield (
            (*here, "change_token"),
            f"change_token names {entity.change_token!r}, which is not a field of this entity",
        )


def _default(place: Path, field: FieldModel | ElementFieldModel) -> Iterator[Problem]:
    if "default" not in field.model_fields_set:
        return
    if field.default is None or constant_value(field.type, field.default) is None:
        example = _EXAMPLES[field.type]
        yield (
            (*place, "default"),
            f"default {field.default!r} does not fit type {field.type}; write {example}, or leave it out",
        )
    elif isinstance(field, FieldModel) and field.required:
        yield (*place, "default"), "a required field takes no default: remove `required` or `default`"


_EXAMPLES = {
    "string": 'text such as "new" (in quotes when it looks like something else)',
    "int": "a whole number such as 0",
    "number": "a number such as 0.5",
    "boolean": "true or false",
    "date": 'an ISO 8601 date in quotes such as "1970-01-01T00:00:00.000Z"',
    "list": "a list of text such as []",
}


def _hook(place: Path, hook: str, resolve: Resolver) -> Iterator[Problem]:
    try:
        function = resolve(hook)
    except (ImportError, AttributeError, ValueError) as error:
        yield place, f"transform {hook!r} cannot be found: {error}"
        return
    if not callable(function):
        yield place, f"transform {hook!r} is not a function"


def _name_clashes(here: Path, model: MappingModel, entity: EntityModel, reserved: frozenset[str]) -> Iterator[Problem]:
    taken = dict.fromkeys(old_attributes(model), "made by the old key or the entity attribute")
    taken |= dict.fromkeys(reserved, "a key, index or stamp attribute of the v2 table")
    gathered = gather_name(entity)
    if gathered in taken:
        yield (*here, "unmapped"), f"{gathered!r} cannot gather: it is {taken[gathered]}; choose another name"
    if gathered is not None:
        taken[gathered] = "where unmapped attributes are gathered"
    for name in entity.fields:
        if name in taken:
            yield (*here, "fields", name), f"field {name!r} cannot have this name: it is {taken[name]}"
        taken[name] = f"field {name!r}"
    for name, field in entity.fields.items():
        for index, alias in enumerate(field.aliases):
            if alias in taken:
                yield (
                    (*here, "fields", name, "aliases", index),
                    f"alias {alias!r} of field {name!r} is already {taken[alias]}",
                )
            taken[alias] = f"an alias of field {name!r}"


def _placeholders(here: Path, entity: EntityModel) -> Iterator[Problem]:
    for place, templates in template_maps(entity):
        for name, template in parse_templates(templates).items():
            if template.text == "":
                yield (*here, *place, name), f"template of {name!r} is empty: DynamoDB has no empty keys"
            yield from _template_use((*here, *place, name), entity, template)
    for name, field in entity.fields.items():
        default = default_template(field)
        for part in default.placeholders if default else ():
            place = (*here, "fields", name, "default")
            yield from _placeholder_use(place, entity, part)
            other = entity.fields.get(part.name)
            if other is field or (other and _is_derived(other)):
                yield (
                    place,
                    f"default of {name!r} uses {part.name!r}, whose own default is a template; use a field without one",
                )


def _template_use(place: Path, entity: EntityModel, template: Template) -> Iterator[Problem]:
    for part in template.placeholders:
        yield from _placeholder_use(place, entity, part)


def _placeholder_use(place: Path, entity: EntityModel, part: Placeholder) -> Iterator[Problem]:
    field = entity.fields.get(part.name)
    if field is None:
        yield (
            place,
            f"template names {part.name!r}, which is not a field; fields are {', '.join(entity.fields)}",
        )
    elif field.type == "list":
        yield place, f"template names {part.name!r}, a list; only single values have a text"
    elif part.modifier == "month" and field.type != "date":
        yield (
            place,
            f"{{{part.name}:month}} needs a field of type date, {part.name!r} is of type {field.type}",
        )
    elif part.modifier == "month" and part.fallback and not month_of(part.fallback):
        yield place, f"fallback {part.fallback!r} of {{{part.name}:month}} is not a date"
    elif not part.fallback and _can_be_empty(field):
        yield (
            place,
            f"template names {part.name!r}, which can be absent or empty; write {{{part.name}|fallback}}",
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
