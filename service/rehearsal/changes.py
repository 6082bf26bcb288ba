"""What a rehearsal's writer may change of an item: values that no other write makes, by the entity's own rules."""

from service.core.item.wire import Item
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import entity_of

NOTE = "rehearsal_note"
"""An attribute that no mapping knows."""

MONTHS = ("2017-04", "2017-05", "2017-07")


def texts(entity: Entity) -> list[str]:
    """Old attributes that take any text: the fields of type string that decide no key, and one that nobody mapped."""
    kept = {rule.name for rule in entity.key_rules} | {entity.change_token}
    fields = [rule.name for rule in entity.rules if rule.type == "string" and rule.invert is None]
    return [*(name for name in fields if name not in kept), NOTE]


def moving(entity: Entity) -> list[str]:
    """The dates that the v2 key depends on."""
    return [rule.name for rule in entity.key_rules if rule.type == "date" and rule.invert is None]


def instant(number: int) -> str:
    """A point in time in one of few months, another one for each number."""
    month, rest = MONTHS[number % len(MONTHS)], number // len(MONTHS)
    return f"{month}-{rest // 86_400 % 28 + 1:02d}T{rest // 3600 % 24:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"


def another(mapping: Mapping, item: Item, suffix: str) -> Item:
    """A new item like ``item``: its required fields, and so its key, end in ``suffix``."""
    entity = entity_of(mapping, item)
    required = {rule.name: rule.value(item, {}) or {} for rule in entity.key_rules if rule.required}
    named = {**item, **{name: {"S": f"{value.get('S', '')}-{suffix}"} for name, value in required.items()}}
    return {**named, **{name: {"S": template.render(named)} for name, template in entity.old_key.items()}}
