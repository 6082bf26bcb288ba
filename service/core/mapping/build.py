"""Compiles a checked mapping model into the rules that run on items."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from service.core.item.size import key_limits
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import CLEAN, CONVERTERS, Converter, element_converter, hook_converter
from service.core.mapping.dates import PER_SECOND
from service.core.mapping.entity import Entity, FieldRule, Merge, Separated, Step
from service.core.mapping.key_pattern import KeyPattern
from service.core.mapping.model_parts import (
    TableNames,
    conditions,
    constant_value,
    default_template,
    field_types,
    fields_in,
    gather_name,
    key_templates,
    names_in_default,
    old_attributes,
    old_key_names,
    old_names,
    old_patterns,
    parse_templates,
    reserved_names,
    table_name,
)
from service.core.mapping.schema import EntityModel, FieldModel, MappingModel
from service.core.mapping.template import Template

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
    return tuple(sorted(rules, key=lambda rule: bool(names_in_default(entity.fields[rule.name]))))


def _key_rules(entity: EntityModel, rules: tuple[FieldRule, ...], key: dict[str, Template]) -> tuple[FieldRule, ...]:
    needed = fields_in(entity, (*key.values(), *parse_templates(entity.old_key).values()))
    return tuple(rule for rule in rules if rule.name in needed)
