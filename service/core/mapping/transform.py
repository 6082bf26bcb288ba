"""The forward transform: from an old item to its v2 item. Deterministic: a replay makes the same item."""

from service.core.item.stamp import V2Item
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.entity import Entity, FieldRule, Separated, Step
from service.core.mapping.limits import check_key, check_limits, require_readable, text_of_item
from service.core.mapping.made import made_otherwise
from service.core.mapping.mapping import Mapping
from service.errors import Poison

MESSAGE_CHARACTERS = 500
"""The longest message about an item: it may quote a value of up to 400 KB, and quarantine keeps it in a record."""


def forward(mapping: Mapping, old_item: Item) -> V2Item:
    """The v2 item of ``old_item``.

    Raises Poison when it has none. Its reason is one of unknown_entity, no_<field> (no_id), key_mismatch, separator_in_key,
    key_type, key_too_long, too_deep, too_big, unreadable_text, transform_failed; its message names the old key.
    """
    try:
        require_readable(old_item)
        return _transformed(mapping, old_item)
    except Poison as poison:
        raise _with_key(mapping, old_item, poison) from poison


def content_before(entity: Entity, before: Item, after: Item, v2: V2Item) -> Item | None:
    """The content that ``forward`` makes of the old item ``before``, a fifth of its work: from ``v2``, which it has made of
    ``after``, the same item later. None: the two differ in more than plain fields.

    It checks nothing. A default that is made of another field that differs may be that of ``after``.
    """
    item = dict(v2.item)
    for name in {**before, **after}:
        was = before.get(name)
        if was != after.get(name) and not _set_plain(entity.plain.get(name), item, was):
            return None
    for name, _ in entity.derived:
        item.pop(name, None)
    item |= _derived(entity, item)
    return item


def _set_plain(step: Step | None, item: Item, value: AttributeValue | None) -> bool:
    """Give the field of ``step`` a clean ``value`` (None: absent). False: only its rule can tell what the field is."""
    if step is None or (value is not None and not step.is_clean(value)) or (value is None and not step.may_be_absent):
        return False
    made = value if value is not None or step.rule.default is None else step.rule.default(item)
    if made is None:
        item.pop(step.name, None)
    else:
        item[step.name] = made
    return True


def v2_place(mapping: Mapping, old_item: Item) -> tuple[str, Item]:
    """Table and key of the v2 item of ``old_item``, also when that item is too big or too deep to be written.

    Raises Poison when the item has no key in v2, or one that DynamoDB refuses.
    """
    try:
        entity = entity_of(mapping, old_item)
        fields: Item = {}
        for rule in entity.key_rules:
            _make_field(rule, old_item, fields)
        _check_keys(entity, old_item, fields)
        key = {name: template.value(fields) for name, template in entity.key.items()}
        check_key(entity.key_limits, key)
        return entity.table, key
    except Poison as poison:
        raise _with_key(mapping, old_item, poison) from poison


def old_key(mapping: Mapping, item: Item) -> Item:
    """The key attributes of an old item."""
    return {name: item[name] for name in mapping.old.key_names}


def entity_of(mapping: Mapping, old_item: Item) -> Entity:
    """The entity of an old item. Raises Poison (``unknown_entity``)."""
    entity = mapping.entity_of(old_item)
    if entity is not None:
        return entity
    known = ", ".join(mapping.entities)
    if mapping.old.entity is None:
        held = next((entity.separator for entity in mapping.entities.values()), None)
        hint = f" (no value in a key may hold {held!r})" if held is not None else ""
        raise Poison(f"its key reads like that of no entity{hint}; the mapping knows {known}", reason="unknown_entity")
    value = old_item.get(mapping.old.entity)
    shown = "absent" if value is None else repr(next(iter(value.values())))
    raise Poison(f"{mapping.old.entity} is {shown}; the mapping knows {known}", reason="unknown_entity")


def old_key_text(mapping: Mapping, item: Item) -> str:
    """An old key for messages: ``pk=LEAD#7 sk=METADATA``."""
    values = ((name, item.get(name, {})) for name in mapping.old.key_names)
    return " ".join(f"{name}={next(iter(value.values()), '(absent)')}" for name, value in values)


def _transformed(mapping: Mapping, old_item: Item) -> V2Item:
    entity = entity_of(mapping, old_item)
    fields: Item = {}
    residue: Item = {}
    absent: set[str] = set()
    for source, name, tag, holds, may_be_absent, rule in entity.steps:
        value = old_item.get(source)
        if value is None and may_be_absent:
            if rule.default is not None:
                fields[name] = rule.default(fields)
                absent.add(source)
        elif value is not None and (content := value.get(tag)) and (holds is None or holds(content)):
            fields[name] = value
        else:
            _add_residue(rule, old_item, _make_field(rule, old_item, fields), residue, absent)
    _check_keys(entity, old_item, fields)
    unmapped = _unmapped(entity, old_item, residue)
    if entity.old_made:
        residue |= made_otherwise(entity, old_item, fields)
    item = _derived(entity, fields)
    item |= fields
    item |= unmapped
    key = {name: item[name] for name in entity.key}
    v2 = V2Item(entity.name, entity.table, key, item, residue, frozenset(absent), text_of_item(item))
    check_limits(entity, v2, mapping.stamp)
    return v2


def _derived(entity: Entity, fields: Item) -> Item:
    """The attributes of key and indexes that are no fields themselves, but for those that make nothing."""
    item: Item = {}
    for name, template in entity.derived:
        made = template.value_or_none(fields) if template.optional else template.value(fields)
        if made is not None:
            item[name] = made
    return item


def _make_field(rule: FieldRule, old_item: Item, fields: Item) -> AttributeValue | None:
    value = rule.value(old_item, fields)
    if value is not None:
        fields[rule.name] = value
    elif rule.in_key is not None:
        attribute, pattern = rule.in_key
        raise Poison(f"{attribute} does not read like {pattern.template.text!r}", reason="key_mismatch")
    elif rule.required:
        raise Poison(f"{rule.name} is absent, or not of type {rule.type}", reason=f"no_{rule.name}")
    return value


def _add_residue(
    rule: FieldRule, old_item: Item, value: AttributeValue | None, residue: Item, absent: set[str]
) -> None:
    given = rule.given_back(value)
    for name in rule.names:
        original = old_item.get(name)
        if original is None:
            if name in given:
                absent.add(name)
        elif given.get(name) != original:
            residue[name] = original


def _check_keys(entity: Entity, old_item: Item, fields: Item) -> None:
    for name, template in entity.old_key.items():
        expected = template.value(fields)
        if old_item.get(name) != expected:
            shown = next(iter(expected.values()))
            raise Poison(f"{name} should be {shown!r} by the mapping's old_key", reason="key_mismatch")
    check_separator(entity, entity.in_keys, fields)


def check_separator(entity: Entity, separated: Separated, fields: Item) -> None:
    """Raise Poison (``separator_in_key``) when a value in a key holds the separator: another item could have the same key."""
    separator = entity.separator
    for name, text in separated:
        if separator is not None and separator in text(fields):
            raise Poison(f"{name} holds {separator!r}, which separates the values in a key", reason="separator_in_key")


def _unmapped(entity: Entity, old_item: Item, residue: Item) -> Item:
    kept: Item = {}
    own = entity.own
    for name in [name for name in old_item if name not in own]:
        (residue if name in entity.reserved else kept)[name] = old_item[name]
    if entity.gather is None or not kept:
        return kept
    return {entity.gather: {"M": kept}}


def _with_key(mapping: Mapping, old_item: Item, poison: Poison) -> Poison:
    message = poison.message
    if len(message) > MESSAGE_CHARACTERS:
        message = f"{message[: MESSAGE_CHARACTERS - 3]}..."
    return Poison(
        f"old item {old_key_text(mapping, old_item)}: {message}",
        reason=poison.reason,
        remedy=poison.remedy or "correct the item or the mapping, then `tablesplit quarantine retry`",
    )
