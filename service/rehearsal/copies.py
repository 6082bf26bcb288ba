"""A new item like another one, under a key of its own that the mapping can read: what a rehearsal's writers create."""

from base64 import b64decode, b64encode
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple
from zlib import crc32

from service.core.item.numbers import number_text
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.dates import moment_of
from service.core.mapping.entity import FieldRule
from service.core.mapping.made import made_again
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of, forward
from service.errors import Poison


class _Way(NamedTuple):
    """One way to make other values."""

    numbers: int
    """A number grows by less than that, and a date by as many seconds."""
    joint: str
    """Between a text and what is added to it."""


WAYS = (_Way(10**9, "-"), _Way(10**6, "x"), _Way(10**3, "x"))
"""In the order in which they are tried: a padded number may have room for few digits, and the hyphen may be a separator."""


def is_copyable(mapping: Mapping, item: Item) -> bool:
    """Whether there can be another item like ``item``: no constant is all of its key."""
    return any(template.placeholders for template in entity_of(mapping, item).old_key.values())


def copy_of(mapping: Mapping, item: Item, suffix: str) -> Item:
    """A new item like ``item`` under another key: its required fields, and so its key, differ by ``suffix``.

    Always the same for the same item and suffix. Raises Poison when no other key that is tried can be mapped.
    """
    refusals: list[Poison] = []
    for way in WAYS:
        try:
            copy = _copy(mapping, item, suffix, way)
            forward(mapping, copy)
        except Poison as poison:
            refusals.append(poison)
        else:
            return copy
    raise refusals[0]


def _copy(mapping: Mapping, item: Item, suffix: str, way: _Way) -> Item:
    entity = entity_of(mapping, item)
    rules = [rule for rule in entity.key_rules if rule.required and not set(rule.names) & entity.when.keys()]
    fields = {rule.name: _other(rule, rule.value(item, {}) or {}, suffix, way) for rule in rules}
    renamed = item | {rule.names[0]: fields[rule.name] for rule in rules if rule.names}
    key = {name: template.value(fields) for name, template in entity.old_key.items()}
    return made_again(entity, item, renamed | key)


def _other(rule: FieldRule, value: AttributeValue, suffix: str, way: _Way) -> AttributeValue:
    """Another value of the same type."""
    step = crc32(suffix.encode()) % way.numbers + 1
    if "N" in value:
        return {"N": number_text(Decimal(value["N"]) + step)}
    if "B" in value:
        return {"B": b64encode(b64decode(value["B"]) + suffix.encode()).decode()}
    text = value.get("S", "")
    moment = moment_of(rule.type, text) if rule.type == "date" else None
    if moment is None:
        return {"S": way.joint.join([text, *suffix.split("-")])}
    later = moment + timedelta(seconds=step)
    return {"S": f"{later:%Y-%m-%dT%H:%M:%S}.000Z"}
