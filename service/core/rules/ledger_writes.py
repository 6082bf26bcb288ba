"""The ledger rule's writes, each on the condition that the item is still as it was read.

An existing item is updated, not replaced: attributes are set and removed by name. So an attribute that the application adds
between the reading and the write, under a name that no condition can list, survives, whichever of the two writes comes first.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from service.core.item.compare import differences, same_or_absent, same_value
from service.core.item.stamp import Stamp, V2Item, encode_stamp, key_hash
from service.core.item.wire import AttributeValue, Item
from service.core.item.write import Absent, AllOf, Condition, Equals, Put, Update
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.authorship import live
from service.core.rules.ledger import Place, next_version
from service.core.rules.units import old_units, remembered, written_units

MAX_NAMES = 120
"""The most attributes that one condition names. DynamoDB allows 300 operators and 4 KB of expression; 120 comparisons and the
ANDs between them stay inside both. Of an item with more, those that are written and those that the mapping knows are compared."""


@dataclass(frozen=True, slots=True)
class PlaceReading:
    """A known v2 place, and the item that was read there (None: no item)."""

    place: Place
    item: Item | None

    def is_live(self, stamp_name: str) -> bool:
        """Whether an item was read there, and not a bare tombstone."""
        return live(self.item, self.place.key, stamp_name)


def stamp_value(key: Item, stamp: Stamp) -> AttributeValue:
    """The stamp as an attribute value, bound to the item's key (key attributes only)."""
    return encode_stamp(replace(stamp, key_hash=key_hash(key)))


def written(table: str, key: Item, before: Item | None, after: Item, mapped: Collection[str]) -> Put | Update | None:
    """The write that turns ``before``, as read (None: no item), into ``after``; both with their stamps. None: nothing changes.

    The condition is that the item is as it was read, and has none of the ``mapped`` names that it did not have.
    """
    if before is None:
        return Put(table, {**key, **after}, Absent((next(iter(key)),)))
    names = (before.keys() | after.keys()) - key.keys()
    changed = {
        name: after[name]
        for name in sorted(names & after.keys())
        if name not in before or not same_value(before[name], after[name])
    }
    removed = tuple(name for name in before if name not in after and name not in key)
    if not changed and not removed:
        return None
    return Update(table, key, changed, removed, as_read(key, before, changed.keys() | set(removed), mapped))


def as_read(key: Item, item: Item | None, changed: Collection[str], mapped: Collection[str]) -> Condition:
    """The condition that every attribute of the item is as it was read, and that no name of ``changed`` and ``mapped`` has been
    added. Of an item with more than ``MAX_NAMES`` attributes, first those of ``changed``, then those of ``mapped``."""
    if item is None:
        return Absent((next(iter(key)),))
    order = dict.fromkeys((*sorted(changed), *sorted(mapped), *sorted(item)))
    names = sorted([name for name in order if name not in key][:MAX_NAMES])
    if not names:
        return Equals((next(iter(key)),), key[next(iter(key))])
    return AllOf(tuple(Equals((name,), item[name]) if name in item else Absent((name,)) for name in names))


def v2_write(mapping: Mapping, reading: PlaceReading, content: Item, stamp: Stamp) -> Put | Update:
    """The write that turns what was read at a place into ``content`` (without stamp) with ``stamp``."""
    place = reading.place
    after = {**content, **place.key, mapping.stamp: stamp_value(place.key, stamp)}
    write = written(place.table, place.key, reading.item, after, mapping.made_in(place.table))
    if write is None:  # another worker has just written the same: a stamp of its own, so that a record follows
        return v2_write(mapping, reading, content, replace(stamp, version=next_version(stamp.version)))
    return write


def tombstone_write(mapping: Mapping, reading: PlaceReading, version: str, base: str | None) -> Put | Update:
    """The write that turns the item that was read into a bare tombstone."""
    return v2_write(mapping, reading, {}, Stamp(version, base=base, tombstone=True))


def edited(mapping: Mapping, item: Item, before: Item, after: Item) -> tuple[Item, V2Item]:
    """The live v2 ``item`` (without its stamp) with the difference between two old items, both without stamps; and the v2 item of
    ``after``, for its place and its residue. ``before`` is the old form of ``item``. Raises Poison when an old item cannot be
    mapped."""
    was, wanted = forward(mapping, before), forward(mapping, after)
    changed = written_units(old_units(mapping, before), old_units(mapping, after))
    return with_difference(mapping, item, was, wanted, remembered(change.unit for change in changed)), wanted


def with_difference(mapping: Mapping, item: Item, was: V2Item, wanted: V2Item, carried: Collection[str]) -> Item:
    """The live v2 ``item`` (without its stamp) with the difference between two v2 items as the transform makes them.

    Only the attributes that the difference changes are set or removed, and the fields among ``carried``: v2's application may have
    left one out whose default the old side has written. So attributes, types and index keys that v2's application gave the item
    stay as they are. An item that changes its table becomes what the transform makes of it.
    """
    if was.table != wanted.table:
        return dict(wanted.item)
    entity = mapping.entities[wanted.entity]
    content = dict(item)
    for name in sorted({*differences(was.item, wanted.item), *entity.fields.keys() & set(carried)}):
        if name != entity.gather and not _written_by_hand(entity, item, was.item, name):
            _set(content, name, wanted.item.get(name))
    _edit_gathered(entity, content, was.item, wanted.item)
    return {**content, **wanted.key}


def _written_by_hand(entity: Entity, item: Item, was: Item, name: str) -> bool:
    """Whether v2's application gave a key attribute of an index a value of its own: then it stays."""
    derived = any(name == attribute for attribute, _ in entity.derived)
    return derived and name not in entity.key and not same_or_absent(item.get(name), was.get(name))


def _set(item: Item, name: str, value: AttributeValue | None) -> None:
    if value is None:
        item.pop(name, None)
    else:
        item[name] = value


def _edit_gathered(entity: Entity, item: Item, was: Item, wanted: Item) -> None:
    """Edit the attributes that the mapping does not know: each where v2 has it, at top level or gathered."""
    if entity.gather is None:
        return
    after = _gathered(wanted, entity.gather)
    inner = dict(_gathered(item, entity.gather))
    for name in differences(_gathered(was, entity.gather), after):
        at_top = name in item and name not in entity.made
        _set(item if at_top else inner, name, after.get(name))
    if "M" in item.get(entity.gather, {"M": {}}):
        _set(item, entity.gather, {"M": inner} if inner or entity.gather in item else None)


def _gathered(item: Item, name: str) -> Item:
    content: Item = item.get(name, {}).get("M", {})
    return content


def place_of(mapping: Mapping, write: Put | Update) -> Place:
    """The v2 place that a write goes to."""
    if isinstance(write, Update):
        return Place(write.table, write.key)
    return Place(write.table, {name: write.item[name] for name in mapping.tables[write.table].key_names})


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
