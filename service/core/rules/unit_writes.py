"""The old item with units changed: a value put or taken away, a counter raised, an element in or out of its container."""

from collections.abc import Iterable

from service.core.item.numbers import number_text
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity, FieldRule
from service.core.mapping.made import made_again
from service.core.rules.units import (
    ABSENT,
    ELEMENT,
    NAMESAKE,
    SETS,
    SUMS,
    Form,
    UnitChange,
    Value,
    counter,
    difference,
    element_text,
    fields_of,
    merge_of,
    rules_of,
)


def with_units(entity: Entity | None, item: Item, now: Form, changes: Iterable[UnitChange]) -> Item:
    """The old ``item``, whose form is ``now``, with the values after ``changes``.

    A number under ``merge: add`` gets the difference of the change, an element enters or leaves its container. Attributes that are
    made of what changes are made again.
    """
    changed, steps = dict(item), list(changes)
    replaced = {step.unit for step in steps if step.after.raw}
    for change in steps:
        if ELEMENT in change.unit:
            if fields_of(change.unit)[0] not in replaced:  # else it has its elements from the value put there
                _move_element(entity, changed, change)
        else:
            _set_unit(entity, changed, change.unit, _value_after(entity, now.get(change.unit, ABSENT), change))
    return made_again(entity, item, changed)


def under_present_names(entity: Entity | None, item: Item, raw: Item) -> Item:
    """The attributes ``raw`` that the inverse makes, each under the alias that the old ``item`` uses for the field now, if it uses
    one: the old application reads and writes that name."""
    renamed: Item = {}
    for name, value in raw.items():
        rule = entity.group_of.get(name) if entity is not None else None
        used = [alias for alias in rule.names if alias in item] if rule is not None else []
        renamed[used[0] if used and name not in used else name] = value
    return renamed


def names_of(entity: Entity | None, unit: str) -> tuple[str, ...]:
    """The old attributes that may hold a unit."""
    rules = rules_of(entity, unit)
    if rules:
        return tuple(name for rule in rules for name in rule.names)
    return tuple(name.removeprefix(NAMESAKE) for name in fields_of(unit))


def _value_after(entity: Entity | None, now: Value, change: UnitChange) -> Item:
    """The old attributes of a unit after a change."""
    raised, present = difference(change), counter(now)
    if merge_of(entity, change.unit) != "add" or raised is None or present is None:
        return change.after.raw
    total = {"N": number_text(SUMS.add(present, raised))}
    rules = rules_of(entity, change.unit)
    return rules[0].given_back(total) if rules else {change.unit: total}


def _set_unit(entity: Entity | None, item: Item, unit: str, raw: Item) -> None:
    for name in names_of(entity, unit):
        item.pop(name, None)
    item.update(raw)


def _move_element(entity: Entity | None, item: Item, change: UnitChange) -> None:
    """Put the element of a union into its container, or take it out. A container that cannot hold it stays as it is."""
    (unit,) = fields_of(change.unit)
    rules = rules_of(entity, unit)
    container = rules[0].value(item, {}) if rules else item.get(unit)
    ((tag, element),) = (change.after.raw or change.before.raw).items()
    ((kind, content),) = (container or {tag: []}).items()
    if kind != "L" and kind not in SETS:
        return
    member = element if kind == "L" else next(iter(element.values()))
    left = [other for other in content if element_text(_as_element(kind, other)) != element_text(element)]
    content = (
        [*content, member]
        if change.after.raw and len(left) == len(content)
        else left
        if not change.after.raw
        else content
    )
    value: AttributeValue | None = {kind: content} if content or kind == "L" else None
    _set_unit(
        entity, item, unit, _given_back(rules[0], item, value) if rules else {unit: value} if value is not None else {}
    )


def _given_back(rule: FieldRule, item: Item, value: AttributeValue | None) -> Item:
    """The old attribute that a list makes: a set where the old item has one that can hold the list's elements. The application
    that has made a set adds to it by ADD, which DynamoDB refuses for a list."""
    source = rule.source(item)
    kind = "" if source is None else next(iter(item[source]))
    elements = (value or {}).get("L")
    if source is None or kind not in SETS or not elements or any(each.keys() != {SETS[kind]} for each in elements):
        return rule.given_back(value)
    return {source: {kind: [each[SETS[kind]] for each in elements]}}


def _as_element(kind: str, member: AttributeValue | str) -> AttributeValue:
    return {SETS[kind]: member} if kind in SETS else member  # type: ignore[return-value]  # an L holds attribute values
