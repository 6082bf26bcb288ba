"""Writes on v2 that make reverse carry an item to the old table: a re-drive, and an operator's resolution of a conflict.

A *re-drive* is the repair once both sides may be written (DESIGN section 8): a restore record that names the units which
differ. It changes only the stamp, because v2 wins. A *resolution* writes what an operator has chosen in a conflict. Its stamp
has no base, which forward never writes under the ledger rule: so reverse takes the record for one of the application, and
carries what it changed.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import Stamp, own_stamp, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.authorship import live
from service.core.rules.guarded import REPAIR_VERSION
from service.core.rules.images import old_form, old_image, v2_form
from service.core.rules.ledger import Entry, Place, next_version
from service.core.rules.ledger_writes import PlaceReading, edited, tombstone_write, v2_write
from service.core.rules.restore import restore_write
from service.core.rules.reverse_plan import require_placed
from service.core.rules.units import differing, is_among, old_units, remembered, v2_units
from service.errors import Poison


class Redrive(NamedTuple):
    """A re-drive of one v2 item."""

    write: Put | Update
    """The write of the new stamp."""
    old: Item
    """The old item, without stamp, that the v2 item represents."""
    units: frozenset[str]
    """The units that reverse is to give the old item."""


def redrive(
    mapping: Mapping, reading: PlaceReading, entry: Entry, old: Item | None, among: Collection[str] | None = None
) -> Redrive:
    """The write that makes reverse give ``old``, the old item as read (None: no item), the units of the live v2 item that
    differ; on the condition that the v2 item is still exactly as it was read. ``entry``: read before. ``among``: only these units,
    as they are remembered; None: all. Raises Poison when reverse could not carry it.
    """
    assert reading.item is not None
    place, item = reading.place, readable(mapping, reading.item)
    form_of = old_form(mapping, place, item)
    require_placed(mapping, place, form_of)
    now = v2_units(mapping, form_of, item)
    units = differing(now, old_units(mapping, old_image(mapping, old)))
    if among is not None:
        units = frozenset(unit for unit in units if is_among(unit, among))
    stamp = own_stamp(reading.item, place.key, mapping.stamp)
    version = next_version(
        REPAIR_VERSION,
        entry.forward.folded().done,
        entry.reverse.seen_in_flight(place),
        stamp.version if stamp is not None else "",
    )
    write = restore_write(mapping, reading, version, entry.reverse.count, remembered(units or now))
    return Redrive(write, form_of, units)


def units_waiting(
    mapping: Mapping, reading: PlaceReading, names: Sequence[str], changes: Sequence[Change]
) -> tuple[str, ...] | None:
    """The units of the live v2 item that wait in quarantine, as they are remembered. ``names``: those that are named there, none
    for the whole item; ``changes``: those that wait, oldest first. None: every unit, because what v2 had before them has no old
    form."""
    if names:
        return tuple(names)
    before = changes[0].old if changes else None
    assert reading.item is not None
    if not live(before, reading.place.key, mapping.stamp):
        return None
    try:
        assert before is not None
        forms = [v2_form(mapping, reading.place, readable(mapping, item)) for item in (before, reading.item)]
    except Poison:
        return None
    return remembered(differing(*forms))


def readable(mapping: Mapping, item: Item) -> Item:
    """A v2 item without a damaged stamp, which its re-drive replaces."""
    return item if sound_stamp(item, mapping.stamp) is not None else without_stamp(item, mapping.stamp)


def resolution_places(mapping: Mapping, known: Iterable[Place], entry: Entry, old: Item | None) -> list[Place]:
    """The v2 places to read before v2 is made to represent ``old`` (None: no item): those ``known`` from the conflict, those that
    the ledger knows to be live, and the one where ``old`` belongs. Raises Poison when ``old`` cannot be mapped."""
    places = [*known, *entry.places]
    if old is not None:
        v2 = forward(mapping, old)
        places.append(Place(v2.table, v2.key))
    return list({place.text: place for place in places}.values())


def resolution_writes(mapping: Mapping, old: Item | None, known: Sequence[PlaceReading]) -> tuple[Put | Update, ...]:
    """The writes that make v2 represent ``old``: its v2 item at its place, then a tombstone at every other live place; each on the
    condition that its place is as it was read.

    Raises Poison when ``old`` cannot be mapped.
    """
    v2 = forward(mapping, old) if old is not None else None
    goal = Place(v2.table, v2.key).text if v2 is not None else None
    vacated = [reading for reading in known if reading.is_live(mapping.stamp) and reading.place.text != goal]
    writes = [tombstone_write(mapping, reading, REPAIR_VERSION, None) for reading in vacated]
    at_goal = next((reading for reading in known if reading.place.text == goal), None)
    if old is None or at_goal is None:
        return tuple(writes)
    put = _resolution_put(mapping, old, at_goal)
    return (put, *writes) if put is not None else tuple(writes)


def _resolution_put(mapping: Mapping, old: Item, reading: PlaceReading) -> Put | Update | None:
    """The write that makes the item at its place represent ``old``; None: it does already."""
    made = forward(mapping, old)
    content: Item = made.item
    if reading.is_live(mapping.stamp):
        assert reading.item is not None
        now = old_form(mapping, reading.place, reading.item)
        if not differing(v2_units(mapping, now, reading.item), old_units(mapping, old)):
            return None
        content, _ = edited(mapping, without_stamp(reading.item, mapping.stamp), now, old)
    return v2_write(mapping, reading, content, Stamp(REPAIR_VERSION, residue=made.residue, absent=made.absent))
