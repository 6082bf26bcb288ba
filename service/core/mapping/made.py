"""Made attributes: what the old application makes of other attributes, such as the keys of its indexes (``old_made``).

They are not carried to v2, whose indexes have attributes of their own, and are no units of `dual`: whoever writes the old item
makes them again. Where an old item has another value than its template makes, the residue keeps that value, and what the template
made then; it is given back for as long as the template still makes the same.
"""

from collections.abc import Iterable, Iterator

from service.core.item.compare import same_or_absent
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity
from service.errors import Poison

_WAS, _MADE = "was", "made"
SIGN_CHARACTERS = 3
"""A shorter text is in another by chance."""


def made_otherwise(entity: Entity, old_item: Item, fields: Item) -> Item:
    """What the residue has of the made attributes of an old item that are not as their templates make them of its ``fields``."""
    return {
        name: _kept(old_item.get(name), made)
        for name, made in _templates_make(entity, fields).items()
        if old_item.get(name) != made
    }


def _kept(was: AttributeValue | None, made: AttributeValue | None) -> AttributeValue:
    return {"M": {name: value for name, value in ((_WAS, was), (_MADE, made)) if value is not None}}


def made_attributes(entity: Entity, v2_item: Item, residue: Item) -> Item:
    """The made attributes of the old item of ``v2_item``."""
    found = {}
    for name, made in _templates_make(entity, v2_item).items():
        kept = residue.get(name, {}).get("M")
        value = kept.get(_WAS) if kept is not None and kept.get(_MADE) == made else made
        if value is not None:
            found[name] = value
    return found


def made_again(entity: Entity | None, before: Item | None, after: Item) -> Item:
    """The old item ``after``, which a write is to leave, with the attributes made again whose fields the write changes. ``before``:
    the old item that it replaces; None: there is none."""
    if entity is None or not entity.old_made:
        return after
    now = _made_of_old(entity, after)
    try:
        then = _made_of_old(entity, before or {})
    except Poison:  # what the write corrects
        then = {}
    changed = {name: made for name, made in now.items() if not same_or_absent(made, then.get(name))}
    kept = {name: value for name, value in after.items() if name not in changed}
    return kept | {name: made for name, made in changed.items() if made is not None}


def looks_made(entity: Entity, old_item: Item, attributes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Which of ``attributes`` of an old item no field and no template of the entity is of, though its text holds that of a field
    that may change: each with that field.

    Such an attribute is carried as it is. If the old application makes it of the field, an edit of the field on v2 leaves it as it
    was. What the old key has of a field does not change, so it is no sign; neither is a text of one or two characters.
    """
    fixed = {name for pattern in entity.patterns.values() for name in pattern.names}
    fields = {name: _text(value) for name, value in entity.fields_of(old_item).items() if name not in fixed}
    for attribute in sorted(set(attributes) & old_item.keys() - entity.own):
        text = _text(old_item[attribute])
        yield from ((attribute, name) for name, part in fields.items() if len(part) >= SIGN_CHARACTERS and part in text)


def _text(value: AttributeValue) -> str:
    return str(value.get("S") or value.get("N") or "")


def _made_of_old(entity: Entity, old_item: Item) -> dict[str, AttributeValue | None]:
    try:
        fields = entity.fields_of(old_item)
    except Poison:  # a transform of the mapping's own fails on it: its item stays as it is
        return {}
    return _templates_make(entity, fields)


def _templates_make(entity: Entity, fields: Item) -> dict[str, AttributeValue | None]:
    return {name: template.value_or_none(fields) for name, template in entity.old_made.items()}
