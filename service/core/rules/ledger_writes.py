"""The writes that the ledger rule makes on v2, each conditional on the item being as it was read.

An item is updated and not replaced: attributes are set and removed by name, so one that the application adds between the
reading and the write, under a name that nobody could have known, survives, as it does in any order of the two writes.
"""

from collections.abc import Collection
from dataclasses import dataclass

from service.core.item.compare import same_value
from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.v2_item import V2Item, stamped
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, Check, Condition, Equals, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.ledger import Place
from service.errors import Poison

MAX_NAMES = 120
"""Attributes that one condition names. DynamoDB allows 300 operators and 4 KB of expression: 120 comparisons and the ANDs
between them stay inside both."""


@dataclass(frozen=True, slots=True)
class Found:
    """A known v2 place, and the item that was read there (None: nothing)."""

    place: Place
    item: Item | None


def unchanged(mapping: Mapping, found: Found) -> Check:
    """That the place still holds what was read."""
    return Check(found.place.table, found.place.key, as_read(mapping, found, ()))


def replacement(mapping: Mapping, found: Found, v2: V2Item, version: str, base: str | None) -> Put | Update:
    """``v2``, stamped with version and base, in the place of what was read there. Raises Poison for too many attributes.

    base None: an operator's write, which reverse is to carry.
    """
    item = stamped(v2, version, mapping.stamp, base=base)
    condition = as_read(mapping, found, item.keys())
    if found.item is None:
        return Put(v2.table, item, condition)
    return _update(found, item, condition)


def burial(mapping: Mapping, found: Found, version: str, base: str | None) -> Update:
    """A tombstone in the place of the item that was read there. Raises Poison for too many attributes."""
    stamp = encode_stamp(Stamp(version, base=base, tombstone=True))
    bare = {**found.place.key, mapping.stamp: stamp}
    return _update(found, bare, as_read(mapping, found, ()))


def _update(found: Found, wanted: Item, condition: Condition) -> Update:
    there, key = found.item or {}, found.place.key
    changed = {
        name: value
        for name, value in wanted.items()
        if name not in key and not (name in there and same_value(there[name], value))
    }
    gone = tuple(name for name in there if name not in wanted and name not in key)
    return Update(found.place.table, key, changed, gone, condition)


def as_read(mapping: Mapping, found: Found, others: Collection[str]) -> Condition:
    """That everything that was read is as it was; mapped names, and ``others``, that were not there still are not. Raises
    Poison for too many attributes."""
    key, item = found.place.key, found.item
    if item is None:
        return Absent((next(iter(key)),))
    made = {name for one in mapping.entities.values() if one.table == found.place.table for name in one.made}
    names = sorted((item.keys() | made | set(others)) - key.keys())
    if len(names) > MAX_NAMES:
        raise Poison(
            f"v2 item {key} of {found.place.table} has more attributes than one condition can compare ({MAX_NAMES})",
            reason="too_many_attributes",
            remedy="gather unmapped attributes in the mapping (`unmapped: gather`)",
        )
    return AllOf(tuple(Equals((name,), item[name]) if name in item else Absent((name,)) for name in names))


def still_bare(mapping: Mapping, table: str, tombstone: Item) -> Condition:
    """That an item of the old table or a v2 table is the bare ``tombstone`` still: its stamp, and no attribute that the
    mapping knows."""
    if table == mapping.old.table:
        known = {name for entity in mapping.entities.values() for name in entity.own} - set(mapping.old.key_names)
    else:
        made = {name for one in mapping.entities.values() if one.table == table for name in one.made}
        known = made - set(mapping.tables[table].key_names)
    names = sorted(known - {mapping.stamp})[: MAX_NAMES - 1]
    stamp: Condition = Equals((mapping.stamp,), tombstone[mapping.stamp])
    return AllOf((stamp, *(Absent((name,)) for name in names)))
