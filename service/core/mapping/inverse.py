"""The inverse transform: from a v2 item back to its old item, also after an edit in v2."""

from collections.abc import Iterator
from typing import Literal

from service.core.item.compare import same_or_absent, same_value
from service.core.item.stamp import Stamp, decode_stamp
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity, FieldRule
from service.core.mapping.limits import require_readable
from service.core.mapping.made import made_attributes
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import check_separator
from service.errors import Poison

_NO_STAMP = Stamp(version="")


def inverse(mapping: Mapping, v2_item: Item, table: str) -> Item:
    """The old item of ``v2_item``, an item of v2 ``table`` with its stamp.

    ``inverse(stamped(forward(x))) == x`` byte for byte. After an edit in v2, the edited fields come back edited and the others
    as they were. Attributes that the mapping does not know come back under their own names. Raises Poison with one of the
    reasons tombstone, unknown_key, damaged_stamp, no_<field>, key_type, separator_in_key, other_entity, name_collision,
    unreadable_text, transform_failed.
    """
    entity = mapping.entity_at(table, v2_item)
    if entity is None:
        raise Poison(f"no entity of the mapping has this key in table {table}", reason="unknown_key")
    require_readable(v2_item)
    return inverse_by_stamp(entity, v2_item, decode_stamp(v2_item, mapping.stamp) or _NO_STAMP)


def inverse_by_stamp(entity: Entity, v2_item: Item, stamp: Stamp) -> Item:
    """As ``inverse``, of a readable item of ``entity`` with ``stamp``."""
    if stamp.tombstone:
        raise Poison("a tombstone has no old item", reason="tombstone")
    old: Item = {}
    for _, attributes in inverse_parts(entity, v2_item, stamp):
        _add(old, attributes)
    if not entity.is_entity_of(old):
        names = ", ".join(entity.when)
        raise Poison(f"its {names} would be those of another entity than {entity.name}", reason="other_entity")
    return old


Part = Literal["key_and_constants", "fields", "made", "residue", "unmapped"]
"""What gives old attributes: the old key and what tells the entity; the fields, or the originals that they are still made of; what
the old application makes of others; the residue of attributes without a field; what the mapping does not know in the v2 item."""


def inverse_parts(entity: Entity, v2_item: Item, stamp: Stamp) -> Iterator[tuple[Part, Item]]:
    """The old attributes of ``v2_item`` by what gives them. ``stamp``: the item's. Raises Poison as ``inverse`` does."""
    yield "key_and_constants", _key_and_constants(entity, v2_item)
    yield "fields", _originals(entity, v2_item, stamp)
    yield "made", made_attributes(entity, v2_item, stamp.residue)
    yield "residue", _residue_of_unmapped(entity, stamp.residue)
    yield "unmapped", _unmapped(entity, v2_item)


def _key_and_constants(entity: Entity, v2_item: Item) -> Item:
    for rule in entity.key_rules:
        if rule.required and rule.name not in v2_item:
            raise Poison(f"the v2 item has no {rule.name}", reason=f"no_{rule.name}")
    check_separator(entity, entity.in_old_key, v2_item)
    key = {name: template.value(v2_item) for name, template in entity.old_key.items()}
    return key | entity.constants()


def _originals(entity: Entity, v2_item: Item, stamp: Stamp) -> Item:
    old: Item = {}
    touched = {entity.group_of[name].name for name in (*stamp.residue, *stamp.absent) if name in entity.group_of}
    for rule in entity.rules:
        name = rule.name
        value = v2_item.get(name)
        if name in touched:
            old |= _original_group(rule, value, v2_item, stamp)
        elif rule.invert is not None:
            old |= rule.given_back(value)
        elif value is not None and rule.names:  # goes back as it is
            old[rule.names[0]] = value
    return old


def _original_group(rule: FieldRule, value: AttributeValue | None, v2_item: Item, stamp: Stamp) -> Item:
    # The original attributes come back as long as they still make the field's present value.
    given = rule.given_back(value)
    originals = {name: given[name] for name in rule.names if name in given and name not in stamp.absent}
    originals |= {name: stamp.residue[name] for name in rule.names if name in stamp.residue}
    return originals if same_or_absent(rule.value(originals, v2_item), value) else given


def _residue_of_unmapped(entity: Entity, residue: Item) -> Item:
    return {
        name: value for name, value in residue.items() if name not in entity.group_of and name not in entity.old_made
    }


def _unmapped(entity: Entity, v2_item: Item) -> Item:
    made = entity.made
    old = {} if v2_item.keys() <= made else {name: value for name, value in v2_item.items() if name not in made}
    gathered = v2_item.get(entity.gather) if entity.gather else None
    if gathered is None:
        return old
    _add(old, gathered["M"] if "M" in gathered else {str(entity.gather): gathered})
    return old


def _add(old: Item, attributes: Item) -> None:
    if old.keys().isdisjoint(attributes):
        old.update(attributes)
        return
    for name, value in attributes.items():
        there = old.setdefault(name, value)
        if there is not value and not same_value(there, value):
            raise Poison(
                f"two values would go to the old attribute {name!r}; rename one in v2",
                reason="name_collision",
            )
