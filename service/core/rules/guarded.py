"""The guarded rule: the conditional writes on v2 for a backfill copy, a change, a purge or a repair, before the first `dual`.

It converges because each put and tombstone carries the version of its change and is refused where a newer version is. So the last
change of an old item wins at every v2 key that the item ever had, in whatever order and however often the writes arrive. The
backfill only fills keys where nothing has been written.
"""

from collections.abc import Sequence
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.compare import equal
from service.core.item.size import json_bytes
from service.core.item.stamp import (
    V2Item,
    backfill_version,
    item_text,
    sound_stamp,
    stamped,
    stream_version,
    tombstone_item,
)
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Delete, Equals, Less, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import content_before, forward, v2_place
from service.errors import Poison

REPAIR_VERSION = backfill_version(0)
"""The version of a repair where it finds none: below every version from a stream."""

MAX_COMPARED = 100
"""The most attributes that the condition of a repair or a purge names. DynamoDB allows 300 operators and 4 KB of expression; this
stays well inside both."""


class Copied(NamedTuple):
    """The v2 item that the backfill makes of an old item."""

    table: str
    item: Item
    """With its stamp."""
    most_bytes: int
    """At least its size in bytes."""


def copied(mapping: Mapping, old_item: Item, generation: int) -> Copied:
    """The backfill's copy of ``old_item``, to be written where the v2 key is free. A key with a tombstone is not free.

    Raises Poison when the item cannot be mapped.
    """
    v2 = forward(mapping, old_item)
    item = stamped(v2, backfill_version(generation), mapping.stamp)
    return Copied(v2.table, item, len(v2.text) + json_bytes({mapping.stamp: item[mapping.stamp]}))


def copy_write(mapping: Mapping, old_item: Item, generation: int) -> Put:
    """``copied`` as a write of its own."""
    copy = copied(mapping, old_item, generation)
    partition_key = mapping.tables[copy.table].key.partition
    return Put(copy.table, copy.item, Absent((partition_key,)))


class GuardedWrite(NamedTuple):
    """One write of a change, in two forms."""

    put: Put
    """Holds whatever is there now."""
    update: Update | None
    """Leaves exactly what ``put`` leaves, where v2 is as the change before left it; it is refused elsewhere. It can be sent in a
    batch, which a conditional put cannot. None: a tombstone has none."""


def change_writes(mapping: Mapping, changes: Sequence[Change], generation: int) -> tuple[Put, ...]:
    """The writes of ``guarded_writes``, each in the form that holds whatever is there now."""
    return tuple(write.put for write in guarded_writes(mapping, changes, generation))


def guarded_writes(mapping: Mapping, changes: Sequence[Change], generation: int) -> list[GuardedWrite]:
    """The writes for one or more changes of one old key, in stream order, coalesced to the last change and its version.

    First a put at the item's present v2 key, then a tombstone at every other key that any of the changes vacated: so a reader may
    see the item twice for a moment, but never misses it. An image that cannot be mapped never reached v2 and vacates nothing.
    Raises Poison when the last new image cannot be mapped.
    """
    last = changes[-1]
    version = stream_version(generation, last.sequence)
    v2 = forward(mapping, last.new) if last.new is not None else None
    before = _before(mapping, changes, v2)
    writes: list[GuardedWrite] = []
    occupied = []
    if v2 is not None:
        item = stamped(v2, version, mapping.stamp)
        put = Put(v2.table, item, older_than(mapping.stamp, version))
        writes.append(GuardedWrite(put, _as_update(mapping.stamp, before, v2, item)))
        occupied.append((v2.table, v2.key))
    for table, key in _vacated(mapping, changes, before):
        if (table, key) not in occupied:
            occupied.append((table, key))
            # Only a put takes away what somebody has added by hand: with that, it would be no tombstone, and no item of anybody's.
            writes.append(GuardedWrite(tombstone(table, key, version, mapping.stamp), None))
    return writes


def _as_update(stamp: str, before: V2Item | None, v2: V2Item, item: Item) -> Update:
    """The update that leaves ``item``, which is ``v2`` with its stamp, if what is there is ``before`` as any version of it was
    written, or nothing if ``before`` is not of this key.

    The stamp's hash is over all attributes but the stamp, and the stamp is set as a whole: so nothing of another item stays.
    """
    if before is None or (before.table, before.key) != (v2.table, v2.key):
        rest = {name: value for name, value in item.items() if name not in v2.key}
        return Update(v2.table, v2.key, rest, condition=Absent((next(iter(v2.key)),)))
    was = before.item
    changed = {name: value for name, value in item.items() if was.get(name) != value}
    removed = tuple([name for name in was if name not in item])
    same: Condition = Equals((stamp, "h"), {"S": before.content_hash})
    return Update(v2.table, v2.key, changed, removed, AllOf((same, Less((stamp, "v"), item[stamp]["M"]["v"]))))


def older_than(stamp_name: str, version: str) -> Condition:
    """The condition that nothing as new as ``version`` is there: no stamp, or an older one."""
    return AnyOf((Absent((stamp_name,)), Less((stamp_name, "v"), {"S": version})))


def tombstone(table: str, key: Item, version: str, stamp_name: str) -> Put:
    """The removal at ``version``: a bare tombstone in the item's place, so that no late copy or replay brings the item back."""
    return Put(table, tombstone_item(key, version, stamp_name), older_than(stamp_name, version))


def purge_write(mapping: Mapping, table: str, item: Item) -> Delete:
    """The delete of the bare tombstone ``item``, on the condition that it is still bare.

    The stamp must be as read, and no attribute of the mapping present: an update by the application keeps the stamp and adds
    attributes. No condition can ask for attributes that nobody knows, so the caller reads the item once more right before.
    ``rules.purge`` decides whether it may be purged at all.
    """
    key_names = mapping.tables[table].key_names
    others = sorted(mapping.made_in(table) - {*key_names, mapping.stamp})[:MAX_COMPARED]
    same_stamp: Condition = Equals((mapping.stamp,), item[mapping.stamp])
    still_bare = AllOf((same_stamp, *(Absent((name,)) for name in others)))
    return Delete(table, {name: item[name] for name in key_names}, still_bare)


def repair_write(mapping: Mapping, table: str, key: Item, v2_as_read: Item | None, old: Item | None) -> Put | None:
    """The write that corrects the item at ``key`` of v2 ``table``; None: it is correct.

    The caller reads the v2 item first and *then* the old item. The repair keeps the version that is there, or writes zeros when
    there is none. A v2 item becomes a tombstone when there is no old item, or the old item belongs at another key. The condition is
    that the v2 item is as read: its stamp, and as many of its attributes as a condition can name (``MAX_COMPARED``). A change of
    an attribute beyond those is noticed only if it also changed the stamp. Raises Poison when ``old`` cannot be mapped.
    """
    version = _version_of(mapping, v2_as_read)
    expected = forward(mapping, old) if old is not None else None
    if expected is not None and (expected.table, expected.key) == (table, key):
        wanted: Item | None = stamped(expected, version, mapping.stamp)
    elif v2_as_read is None:
        wanted = None
    else:
        wanted = tombstone_item(key, version, mapping.stamp)
    if wanted is None or (v2_as_read is not None and equal(wanted, v2_as_read)):
        return None
    return Put(table, wanted, _as_read(mapping, key, v2_as_read))


def _before(mapping: Mapping, changes: Sequence[Change], v2: V2Item | None) -> V2Item | None:
    """The v2 item of the first image; None: there is no image, or it cannot be mapped. ``v2``: the item of the last.

    Nothing rests on its content but which of a write's two forms is made: the update asks for it in its condition.
    """
    old, new = changes[0].old, changes[-1].new
    if old is None:
        return None
    if v2 is not None and new is not None:
        content = content_before(mapping.entities[v2.entity], old, new, v2)
        if content is not None:
            return V2Item(v2.entity, v2.table, v2.key, content, v2.residue, v2.absent, item_text(content))
    try:
        return forward(mapping, old)
    except Poison:
        return None


def _vacated(mapping: Mapping, changes: Sequence[Change], before: V2Item | None) -> list[tuple[str, Item]]:
    """The v2 places of all images but the last. ``before``: the v2 item of the first, if it has one."""
    if before is not None and len(changes) == 1:
        return [(before.table, before.key)]
    images = [image for change in changes for image in (change.old, change.new) if image is not None]
    places = []
    for image in images:
        try:
            places.append(v2_place(mapping, image))
        except Poison:  # it has its own quarantine entry, and no place that could be vacated
            continue
    return places


def _version_of(mapping: Mapping, item: Item | None) -> str:
    """The version of a v2 item; ``REPAIR_VERSION`` without an item, or when its stamp is missing or damaged."""
    stamp = sound_stamp(item, mapping.stamp)
    return REPAIR_VERSION if stamp is None else stamp.version


def _as_read(mapping: Mapping, key: Item, item: Item | None) -> Condition:
    if item is None:
        return Absent((next(iter(key)),))
    path = (mapping.stamp,)
    stamp: Condition = Equals(path, item[mapping.stamp]) if mapping.stamp in item else Absent(path)
    others = sorted(item.keys() - key.keys() - {mapping.stamp})[:MAX_COMPARED]
    return AllOf((stamp, *(Equals((name,), item[name]) for name in others)))
