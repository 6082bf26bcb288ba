"""Writes on v2 by which tablesplit makes reverse carry an item to the old table: a re-drive and an operator's resolution.

Both write a stamp without a base, which forward never writes under the ledger rule, and the version of a repair. So reverse treats
the record as one of the application and carries what v2 holds. A *re-drive* is the repair once both sides may be written (DESIGN
section 8): it changes only the stamp, because v2 wins. A *resolution* writes what an operator has chosen in a conflict.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from service.core.item.compare import equal
from service.core.item.stamp import Stamp, V2Item, encode_stamp, sound_stamp, stamped, stream_version
from service.core.item.wire import Item
from service.core.item.write import Check, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.guarded import REPAIR_VERSION
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import PlaceReading, as_read, replacement, tombstone_update, unchanged
from service.core.rules.reverse import carried

REPAIR_GENERATION, _, _ = REPAIR_VERSION.partition(".")


class Redrive(NamedTuple):
    """A re-drive of one v2 item."""

    update: Update
    """The write of the new stamp."""
    old: Item
    """The old item, without stamp, that reverse will make of the v2 item."""


def redrive(mapping: Mapping, reading: PlaceReading) -> Redrive:
    """The write that makes reverse carry the live v2 item again, on the condition that it is still exactly as it was read.

    Its version is below every change of the old table, and differs from that of the previous re-drive: a write that changes nothing
    makes no stream record. Raises Poison when reverse could not carry the item.
    """
    assert reading.item is not None
    stamp = _new_stamp(sound_stamp(reading.item, mapping.stamp))
    item = {**reading.item, mapping.stamp: encode_stamp(stamp)}
    old = carried(mapping, PlaceReading(reading.place, item))
    condition = as_read(mapping, reading, ())
    update = Update(reading.place.table, reading.place.key, {mapping.stamp: item[mapping.stamp]}, (), condition)
    return Redrive(update, old)


def _new_stamp(previous: Stamp | None) -> Stamp:
    """The stamp of a re-drive. Without a previous stamp, or with one that is damaged, it starts afresh."""
    if (
        previous is None or previous.tombstone
    ):  # made by the application, or added by it to a tombstone, which kept its stamp
        return Stamp(REPAIR_VERSION)
    generation, _, count = previous.version.partition(".")
    repeated = previous.base is None and generation == REPAIR_GENERATION and count.isdigit()
    version = stream_version(int(generation), str(int(count) + 1)) if repeated else REPAIR_VERSION
    return Stamp(version, residue=previous.residue, absent=previous.absent)


def resolution_places(mapping: Mapping, known: Iterable[Place], entry: Entry, old: Item | None) -> list[Place]:
    """The v2 places to read before v2 is made to represent ``old`` (None: no item): those ``known`` from the conflict, those that
    the ledger knows to be live, and the one where ``old`` belongs. Raises Poison when ``old`` cannot be mapped."""
    places = [*known, *map(place_from, entry.keys)]
    if old is not None:
        v2 = forward(mapping, old)
        places.append(Place(v2.table, v2.key))
    return list({place.text: place for place in places}.values())


def resolution_writes(
    mapping: Mapping, old: Item | None, known: Sequence[PlaceReading]
) -> tuple[Put | Update | Check, ...]:
    """The writes that make v2 represent ``old``: its v2 item at its place, a tombstone at every other live place; all on the
    condition that every place is as it was read.

    Raises Poison when ``old`` cannot be mapped, or an item has too many attributes to compare.
    """
    v2 = forward(mapping, old) if old is not None else None
    return tuple(_resolution_write(mapping, v2, reading) for reading in known)


def _resolution_write(mapping: Mapping, v2: V2Item | None, reading: PlaceReading) -> Put | Update | Check:
    if v2 is not None and Place(v2.table, v2.key).text == reading.place.text:
        written = reading.item is not None and equal(reading.item, stamped(v2, REPAIR_VERSION, mapping.stamp))
        return unchanged(mapping, reading) if written else replacement(mapping, reading, v2, REPAIR_VERSION, None)
    if reading.is_live(mapping.stamp):
        return tombstone_update(mapping, reading, REPAIR_VERSION, None)
    return unchanged(mapping, reading)
