"""The ledger rule's writes on v2, each on the condition that the item is still as it was read.

An existing item is updated, not replaced: attributes are set and removed by name. So an attribute that the application adds
between the reading and the write, under a name that no condition can list, survives, whichever of the two writes comes first.
"""

from collections.abc import Collection
from dataclasses import dataclass

from service.core.item.compare import same_value
from service.core.item.stamp import V2Item, stamped, tombstone_item
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, Check, Condition, Equals, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.authorship import live
from service.core.rules.ledger import Place
from service.errors import Poison

MAX_NAMES = 120
"""The most attributes that one condition names. DynamoDB allows 300 operators and 4 KB of expression; 120 comparisons and the
ANDs between them stay inside both."""


@dataclass(frozen=True, slots=True)
class PlaceReading:
    """A known v2 place, and the item that was read there (None: no item)."""

    place: Place
    item: Item | None

    def is_live(self, stamp_name: str) -> bool:
        """Whether an item was read there, and not a bare tombstone."""
        return live(self.item, self.place.key, stamp_name)


def unchanged(mapping: Mapping, reading: PlaceReading) -> Check:
    """A check that the place still holds what was read."""
    return Check(reading.place.table, reading.place.key, as_read(mapping, reading, ()))


def replacement(mapping: Mapping, reading: PlaceReading, v2: V2Item, version: str, base: str | None) -> Put | Update:
    """The write that turns what was read into ``v2``, stamped with version and base.

    ``base`` None: an operator's write, which reverse carries. Raises Poison for too many attributes.
    """
    item = stamped(v2, version, mapping.stamp, base=base)
    condition = as_read(mapping, reading, item.keys())
    if reading.item is None:
        return Put(v2.table, item, condition)
    return _update(reading, item, condition)


def tombstone_update(mapping: Mapping, reading: PlaceReading, version: str, base: str | None) -> Update:
    """The write that turns the item that was read into a bare tombstone. Raises Poison for too many attributes."""
    tombstone = tombstone_item(reading.place.key, version, mapping.stamp, base=base)
    return _update(reading, tombstone, as_read(mapping, reading, ()))


def _update(reading: PlaceReading, wanted: Item, condition: Condition) -> Update:
    present, key = reading.item or {}, reading.place.key
    changed = {
        name: value
        for name, value in wanted.items()
        if name not in key and not (name in present and same_value(present[name], value))
    }
    removed = tuple(name for name in present if name not in wanted and name not in key)
    return Update(reading.place.table, key, changed, removed, condition)


def as_read(mapping: Mapping, reading: PlaceReading, others: Collection[str]) -> Condition:
    """The condition that every attribute is as it was read, and that no mapped name and none of ``others`` has been added.

    Raises Poison for too many attributes.
    """
    key, item = reading.place.key, reading.item
    if item is None:
        return Absent((next(iter(key)),))
    names = sorted((item.keys() | mapping.made_in(reading.place.table) | set(others)) - key.keys())
    if len(names) > MAX_NAMES:
        raise Poison(
            f"v2 item {key} of {reading.place.table} has more attributes than one condition can compare ({MAX_NAMES})",
            reason="too_many_attributes",
            remedy="gather unmapped attributes in the mapping (`unmapped: gather`)",
        )
    return AllOf(tuple(Equals((name,), item[name]) if name in item else Absent((name,)) for name in names))


def still_bare(mapping: Mapping, table: str, tombstone: Item) -> Condition:
    """The condition that an item, of the old table or of a v2 table, is still the bare ``tombstone``: the same stamp, and no
    attribute that the mapping knows."""
    if table == mapping.old.table:
        known = mapping.read_from_old() - set(mapping.old.key_names)
    else:
        known = mapping.made_in(table) - set(mapping.tables[table].key_names)
    names = sorted(known - {mapping.stamp})[: MAX_NAMES - 1]
    same_stamp: Condition = Equals((mapping.stamp,), tombstone[mapping.stamp])
    return AllOf((same_stamp, *(Absent((name,)) for name in names)))
