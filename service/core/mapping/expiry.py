"""Whether the attribute by which old items expire is in the v2 items too, under which name."""

from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping

NUMBERS = ("int", "number", "epoch")


def carried_expiry(mapping: Mapping, table: str, attribute: str) -> str | None:
    """The attribute of v2 ``table`` that holds the old ``attribute`` as a number, by which v2 items may expire as old ones do.

    None when one of the table's entities does not carry it, or two carry it under different names: an attribute of that name could
    be something else. Only a number that is a time in epoch seconds lets an item expire
    (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html).
    """
    names = {_carried(entity, attribute) for entity in mapping.entities.values() if entity.table == table}
    return next(iter(names)) if len(names) == 1 else None


def _carried(entity: Entity, attribute: str) -> str | None:
    rule = entity.group_of.get(attribute)
    if rule is not None:
        # A default would let an item expire that has no time in the old table.
        same = rule.type in NUMBERS and rule.invert is None and rule.default({}) is None
        return rule.name if same else None
    kept = entity.gather is None and attribute not in entity.own and attribute not in entity.reserved
    return attribute if kept else None
