"""The apply rule: which conditional writes a backfill copy, a change, a purge or a repair becomes.

Why this converges: each put and tombstone carries the version of the change it comes from and yields to a
newer one, so the last change of an old item wins at every v2 key it ever had, in whatever order and however
often the writes arrive. The backfill only fills keys that nothing has been written to.
"""

from collections.abc import Sequence

from service.core.item.change import Change
from service.core.item.compare import equal
from service.core.item.stamp import Stamp, backfill_version, decode_stamp, encode_stamp, stream_version
from service.core.item.v2_item import stamped
from service.core.item.wire import Item
from service.core.item.write import Absent, AllOf, AnyOf, Condition, Delete, Equals, Less, Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from service.errors import Poison

REPAIR_VERSION = backfill_version(0)
"""What a repair stamps where it finds no version: below everything that a stream says."""

MAX_COMPARED = 100
"""Attributes that the condition of a repair or a purge names. DynamoDB allows 300 operators and 4 KB of expression; this
stays well inside."""


def copy_write(mapping: Mapping, old_item: Item, generation: int) -> Put:
    """The backfill's copy of ``old_item``: only where the v2 key is free; a tombstone is not free. Raises
    Poison."""
    v2 = forward(mapping, old_item)
    partition_key = next(iter(v2.key))
    return Put(v2.table, stamped(v2, backfill_version(generation), mapping.stamp), Absent((partition_key,)))


def change_writes(mapping: Mapping, changes: Sequence[Change], generation: int) -> tuple[Put, ...]:
    """The writes for one or more changes of one old key, in stream order, coalesced to the last one at its
    version.

    The put at the key that the item has now comes first, then a tombstone at every other key that any of the
    changes vacated, so that a reader sees the item twice for a moment and never misses it. An image that
    cannot be mapped never reached v2 and vacates nothing. Raises Poison when the last new image cannot be
    mapped.
    """
    last = changes[-1]
    version = stream_version(generation, last.sequence)
    writes: list[Put] = []
    if last.new is not None:
        v2 = forward(mapping, last.new)
        writes.append(Put(v2.table, stamped(v2, version, mapping.stamp), older_than(mapping.stamp, version)))
        occupied = [(v2.table, v2.key)]
    else:
        occupied = []
    for table, key in _places(mapping, changes):
        if (table, key) not in occupied:
            occupied.append((table, key))
            writes.append(tombstone(table, key, version, mapping.stamp))
    return tuple(writes)


def older_than(stamp_name: str, version: str) -> Condition:
    """What is there, if anything, was written by no change as new as ``version``."""
    return AnyOf((Absent((stamp_name,)), Less((stamp_name, "v"), {"S": version})))


def tombstone(table: str, key: Item, version: str, stamp_name: str) -> Put:
    """The removal at ``version``: a bare tombstone in the item's place, so that no late copy or replay brings
    it back."""
    return Put(table, _tombstone_item(key, version, stamp_name), older_than(stamp_name, version))


def is_bare_tombstone(mapping: Mapping, table: str, item: Item) -> bool:
    """Whether a v2 item is a tombstone and nothing else: key attributes, and a stamp that says so. Raises
    Poison for a damaged stamp."""
    stamp = decode_stamp(item, mapping.stamp)
    return stamp is not None and stamp.tombstone and item.keys() == {*mapping.tables[table].key_names, mapping.stamp}


def purge_write(mapping: Mapping, table: str, item: Item) -> Delete:
    """The removal of the bare tombstone ``item``, if it still is exactly that.

    The stamp must be as read and no attribute of the mapping there: an update by the application keeps the
    stamp and adds to it. Whether it may be purged at all is ``core.purge``.
    """
    key_names = mapping.tables[table].key_names
    made = {name for entity in mapping.entities.values() if entity.table == table for name in entity.made}
    others = sorted(made - {*key_names, mapping.stamp})[:MAX_COMPARED]
    unchanged: Condition = Equals((mapping.stamp,), item[mapping.stamp])
    still_bare = AllOf((unchanged, *(Absent((name,)) for name in others)))
    return Delete(table, {name: item[name] for name in key_names}, still_bare)


def repair_write(mapping: Mapping, table: str, key: Item, v2_as_read: Item | None, old: Item | None) -> Put | None:
    """What makes ``key`` of v2 ``table`` right, given the v2 item and *then* the old item as read; None: it
    is right.

    Keeps the version that is there, zeros when there is none. An item without an old one, or whose old item
    belongs at another key, becomes a tombstone. The condition is that the v2 item is as read: its stamp, and
    as many of its attributes as a condition holds (``MAX_COMPARED``); no item tells a change beyond those
    from its stamp alone. Raises Poison when ``old`` cannot be mapped.
    """
    version = _version_of(mapping, v2_as_read)
    expected = forward(mapping, old) if old is not None else None
    if expected is not None and (expected.table, expected.key) == (table, key):
        wanted: Item | None = stamped(expected, version, mapping.stamp)
    elif v2_as_read is None:
        wanted = None
    else:
        wanted = _tombstone_item(key, version, mapping.stamp)
    if wanted is None or (v2_as_read is not None and equal(wanted, v2_as_read)):
        return None
    return Put(table, wanted, _as_read(mapping, key, v2_as_read))


def _places(mapping: Mapping, changes: Sequence[Change]) -> list[tuple[str, Item]]:
    images = [image for change in changes for image in (change.old, change.new) if image is not None]
    places = []
    for image in images:
        try:
            places.append(v2_place(mapping, image))
        except Poison:  # the image's own quarantine entry says so; it has no place that could be vacated
            continue
    return places


def _tombstone_item(key: Item, version: str, stamp_name: str) -> Item:
    return {**key, stamp_name: encode_stamp(Stamp(version, tombstone=True))}


def _version_of(mapping: Mapping, item: Item | None) -> str:
    try:
        stamp = decode_stamp(item, mapping.stamp) if item is not None else None
    except Poison:  # a damaged stamp is what the repair replaces
        stamp = None
    return REPAIR_VERSION if stamp is None else stamp.version


def _as_read(mapping: Mapping, key: Item, item: Item | None) -> Condition:
    if item is None:
        return Absent((next(iter(key)),))
    path = (mapping.stamp,)
    stamp: Condition = Equals(path, item[mapping.stamp]) if mapping.stamp in item else Absent(path)
    others = sorted(item.keys() - key.keys() - {mapping.stamp})[:MAX_COMPARED]
    return AllOf((stamp, *(Equals((name,), item[name]) for name in others)))
