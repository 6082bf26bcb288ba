"""By which attribute the items of a v2 table expire (DynamoDB's time to live), and from when on.

Of one table that is moved, both sides have to agree on which items exist. A deletion by TTL is carried like every other
(``item.change.is_expiry``). So v2's items may expire while the old table is in use only by what the old table's own expire by:
otherwise v2 would delete an item that the old side still shows, from the first `dual` on in the old table, too, and a rollback
would not bring it back. An attribute that only v2 expires by therefore waits for `complete`.
"""

from service.core.item.numbers import parse_number
from service.core.item.wire import AttributeValue
from service.core.mapping.dates import SECONDS_TYPES
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping

LATEST_SECOND = 253_402_300_799
"""Of the year 9999: larger numbers are no seconds, but milliseconds most often."""


def stated_expiry(mapping: Mapping, table: str) -> str | None:
    """The attribute that ``ttl`` of the mapping names for v2 ``table``; None: it names none."""
    return next((entity.ttl for entity in mapping.entities.values() if entity.table == table and entity.ttl), None)


def early_expiry(mapping: Mapping, table: str, attribute: str) -> str | None:
    """The attribute by which items of v2 ``table`` may expire from the copy on, while the old ones do by ``attribute``.

    None when the table does not carry it (``carried_expiry``), or the mapping's ``ttl`` names another one.
    """
    carried = carried_expiry(mapping, table, attribute)
    return carried if stated_expiry(mapping, table) in (None, carried) else None


def carried_expiry(mapping: Mapping, table: str, attribute: str) -> str | None:
    """The attribute of v2 ``table`` that holds the old ``attribute`` as a number, by which v2 items may expire as old ones do.

    None when one of the table's entities does not carry it, or two carry it under different names: an attribute of that name could
    be something else.
    """
    names = {_carried(entity, attribute) for entity in mapping.entities.values() if entity.table == table}
    return next(iter(names)) if len(names) == 1 else None


def never_expires(value: AttributeValue) -> bool:
    """Whether DynamoDB never deletes an item whose time to live is ``value``: it is no number, or no number of seconds."""
    number = parse_number(value["N"]) if "N" in value else None
    return number is None or number > LATEST_SECOND


def _carried(entity: Entity, attribute: str) -> str | None:
    rule = entity.group_of.get(attribute)
    if rule is not None:
        # A default would let an item expire that has no time in the old table.
        same = rule.type in SECONDS_TYPES and rule.invert is None and rule.default is None
        return rule.name if same else None
    kept = entity.gather is None and attribute not in entity.own and attribute not in entity.reserved
    return attribute if kept else None
