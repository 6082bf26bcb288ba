"""What a mapping model says: its templates parsed, its constants as attribute values, and the names that it gives and takes."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from service.core.item.wire import AttributeValue
from service.core.mapping.convert import CONVERTERS, MAPS_STAY
from service.core.mapping.dates import PER_SECOND
from service.core.mapping.key_pattern import KeyPattern, key_pattern
from service.core.mapping.schema import GATHER, EntityModel, FieldModel, KeyTexts, MappingModel
from service.core.mapping.template import KeyType, Placeholder, Template, TemplateError, own_template, parse_template

TableNames = Callable[[str, str], str]
"""From the environment variable of a table, and its default name, to its name."""

KEY_TYPES: dict[str, KeyType] = {"string": "S", "number": "N", "binary": "B"}
"""DynamoDB's types, by the mapping's words for them."""

KEY_WORDS: dict[str, str] = {kind: word for word, kind in KEY_TYPES.items()}

FIELDS_OF_KIND: dict[KeyType, tuple[str, ...]] = {"N": ("int", "number", *PER_SECOND), "B": ("binary",)}
"""The types of the fields that a key attribute which is no string may be made of."""

FIELD_KINDS: dict[str, KeyType] = {type_: kind for kind, types in FIELDS_OF_KIND.items() for type_ in types}
"""Of fields that are key attributes themselves, where they are no strings."""


def field_types(entity: EntityModel) -> dict[str, str]:
    """The type of each field."""
    return {name: field.type for name, field in entity.fields.items()}


def parse_templates(
    templates: Mapping[str, str], types: Mapping[str, str] = {}, of_fields: Mapping[str, str] = {}
) -> dict[str, Template]:
    """The parsed templates, by attribute name. ``types``: of the attributes that are no strings. ``of_fields``: the types of the
    fields, by which parts of dates are made. Raises TemplateError."""
    return {
        name: parse_template(text, KEY_TYPES[types.get(name, "string")], of_fields) for name, text in templates.items()
    }


def key_templates(entity: EntityModel, texts: KeyTexts) -> dict[str, Template]:
    """The parsed templates of a v2 key or index, by attribute name; also of the attributes that are fields themselves."""
    templates = {name: text for name, text in texts.items() if text is not None}
    parsed = parse_templates(templates, entity.key_types, field_types(entity))
    kinds = {name: FIELD_KINDS.get(field.type, "S") for name, field in entity.fields.items()}
    return {name: parsed[name] if name in parsed else own_template(name, kinds.get(name, "S")) for name in texts}


def old_patterns(model: MappingModel, entity: EntityModel) -> dict[str, KeyPattern]:
    """How the old key of an entity is read, by attribute name."""
    templates = parse_templates(entity.old_key, model.old.key_types, field_types(entity))
    return {name: key_pattern(template, model.old.separator) for name, template in templates.items()}


def conditions(model: MappingModel, name: str) -> dict[str, tuple[AttributeValue, ...]]:
    """What attributes of an old item must be for it to be of entity ``name``: one of these values each."""
    when = dict(model.entities[name].when)
    if model.old.entity is not None:
        when.setdefault(model.old.entity, [name])
    return {attribute: tuple(map(as_constant, constants)) for attribute, constants in when.items()}


def as_constant(constant: Any) -> AttributeValue:
    """Text, a whole number, true or false as an attribute value."""
    if isinstance(constant, bool):
        return {"BOOL": constant}
    return {"N": str(constant)} if isinstance(constant, int) else {"S": str(constant)}


def _only_in_key(placeholder: Placeholder) -> FieldModel:
    """Text; a number where the key has it with zeros in front."""
    padded = placeholder.modifier is not None and placeholder.modifier.startswith("pad")
    return FieldModel(type="int" if padded else "string", required=True, only_in_key=True)


def leave_out_patterns(model: MappingModel) -> tuple[dict[str, re.Pattern[str]], ...]:
    """The patterns of the items that stay behind; ``*`` in a pattern stands for any text."""
    return tuple(
        {name: re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL) for name, text in patterns.items()}
        for patterns in model.old.leave_out
    )


def with_key_fields(model: MappingModel) -> MappingModel:
    """The model, in which each placeholder of an old key that is no field is one that is only in the key."""
    return model.model_copy(update={"entities": {name: _with_key_fields(one) for name, one in model.entities.items()}})


def _with_key_fields(entity: EntityModel) -> EntityModel:
    try:
        templates = parse_templates(entity.old_key)
    except TemplateError:  # reported by the checks
        return entity
    named = [placeholder for template in templates.values() for placeholder in template.placeholders]
    only = {one.name: _only_in_key(one) for one in named if one.name not in entity.fields}
    return entity.model_copy(update={"fields": {**entity.fields, **only}}) if only else entity


def gather_name(entity: EntityModel) -> str | None:
    """The attribute that unmapped attributes are gathered into; None: they keep their own names."""
    return entity.unmapped.removeprefix(GATHER) if entity.unmapped.startswith(GATHER) else None


def old_key_names(model: MappingModel) -> list[str]:
    """The names of the old key's attributes."""
    return [attribute for attribute in (model.old.partition_key, model.old.sort_key) if attribute is not None]


def old_attributes(model: MappingModel, name: str) -> list[str]:
    """The attributes of an old item of entity ``name`` that the inverse makes: the key, the attributes that tell the entity, and
    those that are made of fields."""
    entity = model.entities[name]
    key = old_key_names(model)
    constant = [attribute for attribute, values in conditions(model, name).items() if len(values) == 1]
    return [*key, *constant, *entity.old_made]


def reserved_names(model: MappingModel, table: str, names: TableNames) -> frozenset[str]:
    """The attribute names of v2 ``table`` that no field may have: the stamp's, and every key attribute of each entity in it."""
    sharing = [entity for entity in model.entities.values() if table_name(entity, names) == table]
    keys = [texts for entity in sharing for texts in (entity.key, *entity.indexes.values())]
    return frozenset({model.stamp, *(name for texts in keys for name, text in texts.items() if text is not None)})


def table_name(entity: EntityModel, names: TableNames) -> str:
    """The name of the entity's v2 table."""
    return names(entity.table.variable, entity.table.default)


def default_template(field: FieldModel, of_fields: Mapping[str, str] = {}) -> Template | None:
    """The default of a string field as a template; None when its default is not text. ``of_fields``: as ``parse_templates``."""
    if field.type == "string" and isinstance(field.default, str):
        return parse_template(field.default, field_types=of_fields)
    return None


def constant_value(kind: str, default: Any) -> AttributeValue | None:
    """``default`` as the attribute value of a field of type ``kind``; None when it does not fit the type."""
    if kind == "boolean":
        return {"BOOL": default} if isinstance(default, bool) else None
    if kind in ("int", "number") or (kind in PER_SECOND and not isinstance(default, str)):
        return _constant_number(kind, default)
    if kind in MAPS_STAY:
        return {"M": {}} if kind == "map" and default == {} else None
    if kind == "list":
        return {"L": [{"S": text} for text in default]} if _is_list_of_text(default) else None
    return CONVERTERS[kind]({"S": default}) if isinstance(default, str) else None


def _constant_number(kind: str, default: Any) -> AttributeValue | None:
    if isinstance(default, bool) or not isinstance(default, int | float):
        return None
    if kind == "int" and not isinstance(default, int):
        return None
    return CONVERTERS[kind]({"S": repr(default)})


def _is_list_of_text(default: Any) -> bool:
    return isinstance(default, list) and all(isinstance(element, str) for element in default)


def fields_in(entity: EntityModel, templates: Iterable[Template]) -> set[str]:
    """The names of the fields that ``templates`` use, and of those that the defaults of these are made of."""
    named = {placeholder.name for template in templates for placeholder in template.placeholders}
    return named | {name for field in named for name in names_in_default(entity.fields[field])}


def old_names(name: str, field: FieldModel) -> tuple[str, ...]:
    """The old attributes that may hold a field, the first of which the inverse writes; none for one that is only in the key."""
    return () if field.only_in_key else (field.source or name, *field.aliases)


def names_in_default(field: FieldModel) -> list[str]:
    """The fields that the default of ``field`` is made of."""
    template = default_template(field)
    return [placeholder.name for placeholder in template.placeholders] if template else []
