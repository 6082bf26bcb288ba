"""The units of an item: what both directions of `dual` compare and carry (DESIGN section 6).

A *unit* is a field of the mapping with all old attributes that may hold it, a declared group of fields, an attribute that the
mapping does not know, or, under ``merge: union``, one element of a set or list. The value of a unit has two forms: the old
attributes as they are, and the *normal* form that the transform makes of them. Two values are the same when either form is: so
an original such as the text "85" and its normal form, the number 85, are one value, and a lost residue makes no conflict.
"""

from collections.abc import Collection, Iterable
from decimal import Context, Decimal
from hashlib import blake2b
from typing import NamedTuple

import orjson

from service.core.item.compare import equal, in_one_form, item_in_one_form, same_or_absent
from service.core.item.numbers import number_text
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity, FieldRule, Merge
from service.core.mapping.mapping import Mapping
from service.errors import Poison

SUMS = Context(prec=60)
"""More digits than the 38 that DynamoDB keeps: a sum is exact."""

ELEMENT = "\0"
"""Between the name of a union and one of its elements, in the name of a unit."""

GROUP = "\1"
"""Between the names of the fields of a declared group, in the name of a unit."""

NAMESAKE = "\2"
"""Before the name of an old attribute without a field, in the name of a unit, where a field made of others has that name."""

SETS = {"SS": "S", "NS": "N", "BS": "B"}
"""The tag of each kind of set, and of its elements."""

SCALARS = frozenset({"S", "N", "B", "BOOL"})


class Value(NamedTuple):
    """The value of one unit."""

    raw: Item
    """The old attributes that hold it, or would after the inverse. Of an element: its container's tag, and the element."""
    normal: tuple[AttributeValue | None, ...] | None
    """What the transform makes of it, one value for each field of the unit. None: there is no such form."""


ABSENT = Value({}, (None,))
"""The value of a unit that an item does not have."""

RESIDUE_ONLY = ()
"""The normal form of an attribute that v2 can have only in the residue. Its application cannot write it, and loses it with the
stamp: so whatever v2 has of it is the same."""

Form = dict[str, Value]
"""The values of an item, by unit."""


class UnitChange(NamedTuple):
    """One unit that a record changed."""

    unit: str
    before: Value
    after: Value


def same(first: Value, second: Value) -> bool:
    """Whether two values of one unit are the same, in either form."""
    if first == second or equal(first.raw, second.raw) or RESIDUE_ONLY in (first.normal, second.normal):
        return True
    if first.normal is None or second.normal is None or len(first.normal) != len(second.normal):
        return False
    return all(map(same_or_absent, first.normal, second.normal))


def members(unit: str) -> list[str]:
    """The names under which a unit is remembered: those of its fields. So a group may be declared, or changed, at any time."""
    return unit.split(GROUP)


def remembered(units: Iterable[str]) -> tuple[str, ...]:
    """The names under which units are remembered, sorted."""
    return tuple(sorted({name for unit in units for name in members(unit)}))


def is_among(unit: str, names: Collection[str]) -> bool:
    """Whether a unit, or one of its fields, is among remembered ``names``."""
    return any(name in names for name in members(unit))


def shown(names: Iterable[str]) -> tuple[str, ...]:
    """The fields of remembered names, for people: without elements, each once, sorted."""
    return tuple(sorted({name.partition(ELEMENT)[0].removeprefix(NAMESAKE) for name in names}))


def old_units(mapping: Mapping, image: Item | None) -> Form:
    """The units of an old item without our stamp; none for None. The attributes of its key, and those that are made of
    others, are no units."""
    if image is None:
        return {}
    entity = mapping.entity_of(image)
    form = _mapped(entity, image) if entity is not None else {}
    _add_unmapped(mapping, entity, image, form)
    return _united(entity, form) if entity is not None else form


def v2_units(mapping: Mapping, old: Item, item: Item) -> Form:
    """The units of a v2 ``item`` whose old form is ``old``.

    A field has no normal form while v2 holds a value there that the transform would not make: then only an old attribute with
    exactly that value is the same.
    """
    entity = mapping.entity_of(old)
    if entity is None:
        return old_units(mapping, old)
    form = _mapped(entity, old)
    for name, value in form.items():
        if value.normal is not None and not same_or_absent(value.normal[0], item.get(name)):
            form[name] = Value(value.raw, None)
    _add_unmapped(mapping, entity, old, form)
    return _united(entity, form)


def _add_unmapped(mapping: Mapping, entity: Entity | None, old: Item, form: Form) -> None:
    """Add the units of the old attributes without a field."""
    no_units = frozenset(mapping.old.key_names) if entity is None else entity.no_units
    for name in old.keys() - no_units:
        form[_unit_of(entity, name)] = _unmapped(entity, name, old[name])


def _unit_of(entity: Entity | None, attribute: str) -> str:
    """The unit of an old attribute without a field."""
    return NAMESAKE + attribute if entity is not None and attribute in entity.fields else attribute


def changed_units(before: Form, after: Form) -> list[UnitChange]:
    """The units that a change of an old item changed, in the order of their names: in the old attributes, or only in the normal
    form, as a default does that is made of another field."""
    units = sorted(before.keys() | after.keys())
    pairs = (UnitChange(unit, before.get(unit, ABSENT), after.get(unit, ABSENT)) for unit in units)
    different = (change for change in pairs if change.before != change.after)
    return [change for change in different if not equal(change.before.raw, change.after.raw) or _is_moved(change)]


def written_units(before: Form, after: Form) -> list[UnitChange]:
    """Those of ``changed_units`` whose old attributes changed: the application wrote them."""
    return [change for change in changed_units(before, after) if not equal(change.before.raw, change.after.raw)]


def _is_moved(change: UnitChange) -> bool:
    """Whether the normal form changed."""
    before, after = change.before.normal, change.after.normal
    return before != after and not (
        before and after and len(before) == len(after) and all(map(same_or_absent, before, after))
    )


def differing(first: Form, second: Form) -> frozenset[str]:
    """The units in which two forms are not the same."""
    units = first.keys() | second.keys()
    return frozenset(unit for unit in units if not same(first.get(unit, ABSENT), second.get(unit, ABSENT)))


def hashes(form: Form) -> dict[str, str]:
    """8 hex digits over the value of each unit, by the names under which units are remembered."""
    return {name: _hash(value) for unit, value in form.items() for name in members(unit)}


def written_since(form: Form, before: dict[str, str]) -> frozenset[str]:
    """The units of a form whose value is not that which had the hashes ``before``."""
    now = hashes(form)
    names = {name for name in now.keys() | before.keys() if now.get(name) != before.get(name)}
    return frozenset(unit for unit in form if is_among(unit, names)) | (names - now.keys())


def _hash(value: Value) -> str:
    content: object = item_in_one_form(value.raw)
    if value.normal is not None:
        content = [None if part is None else in_one_form(part) for part in value.normal]
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()


def merge_of(entity: Entity | None, unit: str) -> Merge:
    """How both sides' changes of a unit meet."""
    return entity.merge_of(fields_of(unit)[0]) if entity is not None else "v2"


def number_of(value: Value) -> Decimal | None:
    """The number that a value is; None when it is not exactly one number."""
    if value.normal is None or len(value.normal) != 1 or value.normal[0] is None or "N" not in value.normal[0]:
        return None
    return Decimal(value.normal[0]["N"])


def counter(value: Value) -> Decimal | None:
    """The number that a value is under ``merge: add``, where an absent value is 0, as DynamoDB's ADD has it; None for others."""
    return Decimal(0) if value == ABSENT else number_of(value)


def difference(change: UnitChange) -> Decimal | None:
    """By how much a change raised a counter; None when it did not leave a number."""
    before, after = counter(change.before), number_of(change.after)
    return None if before is None or after is None else SUMS.subtract(after, before)


def counters(entity: Entity | None, units: Iterable[str]) -> frozenset[str]:
    """Those of ``units`` that are counters (``merge: add``)."""
    return frozenset() if entity is None else entity.merged_by["add"].intersection(units)


def fields_of(unit: str) -> list[str]:
    """The fields of a unit: several for a group, and the container of an element."""
    return members(unit.partition(ELEMENT)[0])


def rules_of(entity: Entity | None, unit: str) -> list[FieldRule]:
    if entity is None:
        return []
    return [entity.fields[name] for name in fields_of(unit) if name in entity.fields]


def _mapped(entity: Entity, image: Item) -> Form:
    """The units of the fields. A clean value needs no conversion."""
    form: Form = {}
    fields: Item = {}
    for step in entity.steps:
        value = image.get(step.source)
        if value is not None and step.is_clean(value):
            fields[step.name] = value
            form[step.name] = Value({step.source: value}, (value,))
        else:
            form[step.name] = _value(step.rule, image, fields)
    return form


def _unmapped(entity: Entity | None, name: str, value: AttributeValue) -> Value:
    """The value of an attribute without a field. v2 can have one that is named as its key only in the residue."""
    only_residue = entity is not None and name in entity.made and name != entity.gather
    return Value({name: value}, RESIDUE_ONLY if only_residue else (value,))


def _value(rule: FieldRule, image: Item, fields: Item) -> Value:
    raw = {name: image[name] for name in rule.names if name in image}
    try:
        normal = rule.value(image, fields)
    except Poison:  # a transform of the mapping's own fails on it
        return Value(raw, None)
    if normal is not None:
        fields[rule.name] = normal
    return Value(raw, (normal,))


def _united(entity: Entity, form: Form) -> Form:
    """The form with groups as one unit each, and unions as a unit for each element."""
    for group in entity.groups:
        values = [form.pop(name) for name in group]
        raw = {name: value for member in values for name, value in member.raw.items()}
        normals = [member.normal for member in values]
        whole = tuple(normal[0] for normal in normals if normal is not None)
        form[GROUP.join(group)] = Value(raw, whole if len(whole) == len(group) else None)
    for unit in entity.merged_by["union"] & form.keys():
        elements = _elements(unit, form[unit])
        if elements is not None:
            del form[unit]
            form |= elements
    return form


def _elements(unit: str, value: Value) -> Form | None:
    """The elements of a set, or of a list of scalars, as units; None for any other value."""
    container = value.normal[0] if value.normal else None
    if container is None:
        return {} if not value.raw else None
    ((tag, content),) = container.items()
    if tag in SETS:
        elements = [{SETS[tag]: element} for element in content]
    elif tag == "L" and all(element.keys() <= SCALARS for element in content):
        elements = list(content)
    else:
        return None
    return {f"{unit}{ELEMENT}{element_text(element)}": Value({tag: element}, (element,)) for element in elements}


def element_text(element: AttributeValue) -> str:
    ((tag, content),) = element.items()
    return orjson.dumps({tag: number_text(Decimal(content)) if tag == "N" else content}).decode()
