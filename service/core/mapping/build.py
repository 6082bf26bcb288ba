"""Compiles a checked mapping model into the rules that run on items."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from service.core.item.size import key_limits
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import CLEAN, CONVERTERS, MAPS_STAY, Converter, element_converter, hook_converter
from service.core.mapping.dates import PER_SECOND
from service.core.mapping.entity import Entity, FieldRule, Merge, Separated, Step
from service.core.mapping.key_pattern import KeyPattern, key_pattern
from service.core.mapping.schema import GATHER, EntityModel, FieldModel, KeyTexts, MappingModel
from service.core.mapping.template import KeyType, Placeholder, Template, TemplateError, own_template, parse_template

TableNames = Callable[[str, str], str]
"""From the environment variable of a table, and its default name, to its name."""

Resolver = Callable[[str], Any]
"""From ``module:function`` to the function."""


def build_entity(name: str, model: MappingModel, names: TableNames, resolve: Resolver) -> Entity:
    """The compiled rules of entity ``name``. The model must have passed ``check.problems``."""
    entity = model.entities[name]
    patterns, types = old_patterns(model, entity), field_types(entity)
    rules = _ordered([_build_field(one, entity, patterns, resolve) for one in entity.fields], entity)
    key = key_templates(entity, entity.key)
    reserved = reserved_names(model, table_name(entity, names), names)
    gather = gather_name(entity)
    indexes = {index: key_templates(entity, templates) for index, templates in entity.indexes.items()}
    partitions = entity.partition_attributes
    old_key = {attribute: pattern.template for attribute, pattern in patterns.items()}
    steps = tuple(_step(rule, entity.fields[rule.name]) for rule in rules)
    group_of = {old: rule for rule in rules for old in rule.names}
    read = frozenset(group_of.keys() | set(old_attributes(model, name)))
    old_made = parse_templates(entity.old_made, {}, types)
    unmapped_merge: dict[str, Merge] = {attribute: merge for attribute, merge in entity.merge.items() if merge != "v2"}
    return Entity(
        name=name,
        table=table_name(entity, names),
        when=conditions(model, name),
        old_key=old_key,
        patterns=patterns,
        separator=model.old.separator,
        in_old_key=_joined(model, old_key.values()),
        # a v2 key attribute that is one value alone may hold anything
        in_keys=_joined(model, [*old_key.values(), *(one for one in key.values() if len(one.parts) > 1)]),
        old_made=old_made,
        key=key,
        indexes=indexes,
        partition_attributes=partitions,
        key_limits=key_limits(key, 1),
        index_limits=sum((key_limits(one, partitions.get(index, 1)) for index, one in indexes.items()), ()),
        projections={index: tuple(names) for index, names in entity.projections.items()},
        derived=_derived(entity, (key, *indexes.values())),
        rules=rules,
        fields={rule.name: rule for rule in rules},
        steps=steps,
        plain=_plain(steps, (*key.values(), *old_key.values())),
        key_rules=_key_rules(entity, rules, key),
        group_of=group_of,
        own=read,
        made=reserved | entity.fields.keys() | ({gather} if gather else set()),
        reserved=reserved | (entity.fields.keys() - read),
        gather=gather,
        change_token=entity.change_token,
        ttl=entity.ttl,
        groups=tuple(map(tuple, entity.groups)),
        unmapped_merge=unmapped_merge,
        merged_by=_merged_by({rule.name: rule.merge for rule in rules} | unmapped_merge),
        no_units=frozenset(group_of.keys() | old_made.keys() | set(old_key_names(model))),
    )


def _merged_by(merges: dict[str, Merge]) -> dict[Merge, frozenset[str]]:
    ways: tuple[Merge, ...] = get_args(Merge)
    return {way: frozenset(name for name, merge in merges.items() if merge == way) for way in ways}


def _joined(model: MappingModel, templates: Iterable[Template]) -> Separated:
    """What ``templates`` join, each once."""
    if model.old.separator is None:
        return ()
    placeholders = dict.fromkeys(placeholder for template in templates for placeholder in template.placeholders)
    return tuple((placeholder.name, placeholder.renderer()) for placeholder in placeholders)


def _step(rule: FieldRule, field: FieldModel) -> Step:
    simple = len(rule.names) == 1 and not field.transform
    tag, holds = CLEAN.get(field.type, ("", None)) if simple and not field.elements else ("", None)
    return Step(rule.names[0] if simple else "", rule.name, tag, holds, simple and not rule.required, rule)


def _plain(steps: Iterable[Step], keys: Iterable[Template]) -> dict[str, Step]:
    used = {placeholder.name for template in keys for placeholder in template.placeholders}
    return {step.source: step for step in steps if step.tag and step.name not in used}


def _derived(entity: EntityModel, maps: Iterable[dict[str, Template]]) -> tuple[tuple[str, Template], ...]:
    """The attributes of key and indexes that are no fields themselves, each once."""
    templates = {attribute: template for templates in maps for attribute, template in templates.items()}
    return tuple((attribute, template) for attribute, template in templates.items() if attribute not in entity.fields)


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
    return named | {name for field in named for name in _names_in_default(entity.fields[field])}


def old_names(name: str, field: FieldModel) -> tuple[str, ...]:
    """The old attributes that may hold a field, the first of which the inverse writes; none for one that is only in the key."""
    return () if field.only_in_key else (field.source or name, *field.aliases)


def _build_field(name: str, entity: EntityModel, patterns: dict[str, KeyPattern], resolve: Resolver) -> FieldRule:
    field = entity.fields[name]
    return FieldRule(
        name=name,
        names=old_names(name, field),
        in_key=_in_key(name, patterns) if field.only_in_key else None,
        type=field.type,
        convert=_build_converter(field, resolve),
        invert=hook_converter(field.transform.inverse, resolve) if field.transform else None,
        default=_build_default(field, field_types(entity)),
        required=field.required,
        merge=_merge(field),
    )


def _in_key(name: str, patterns: dict[str, KeyPattern]) -> tuple[str, KeyPattern]:
    """The first attribute of the old key that has the field, and how it is read."""
    return next(one for one in patterns.items() if name in one[1].names)


def _build_converter(field: FieldModel, resolve: Resolver) -> Converter:
    if field.transform:
        return hook_converter(field.transform.forward, resolve)
    if field.elements:
        fields = field.elements.fields.items()
        return element_converter(
            [(name, inner.type, constant_value(inner.type, inner.default)) for name, inner in fields]
        )
    return CONVERTERS[field.type]


def _merge(field: FieldModel) -> Merge:
    # A time is set, not counted: two equal ones are no sign of a lost step.
    return "agree" if field.type in PER_SECOND and field.merge == "v2" else field.merge


def _build_default(field: FieldModel, types: Mapping[str, str]) -> Callable[[Item], AttributeValue] | None:
    template = default_template(field, types)
    if template is not None and not template.constant:
        return lambda fields: {"S": template.render(fields)}
    text = template.render({}) if template is not None else field.default
    value = None if text is None else constant_value(field.type, text)
    return None if value is None else lambda _: value


def _ordered(rules: list[FieldRule], entity: EntityModel) -> tuple[FieldRule, ...]:
    # A default that uses other fields comes after them.
    return tuple(sorted(rules, key=lambda rule: bool(_names_in_default(entity.fields[rule.name]))))


def _names_in_default(field: FieldModel) -> list[str]:
    template = default_template(field)
    return [placeholder.name for placeholder in template.placeholders] if template else []


def _key_rules(entity: EntityModel, rules: tuple[FieldRule, ...], key: dict[str, Template]) -> tuple[FieldRule, ...]:
    needed = fields_in(entity, (*key.values(), *parse_templates(entity.old_key).values()))
    return tuple(rule for rule in rules if rule.name in needed)
