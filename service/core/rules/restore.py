"""Restore records: v2 keeps its item against a change of the old table, and the record names the units that reverse gives back."""

from collections.abc import Sequence

from service.core.item.stamp import Stamp, own_stamp, without_stamp
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.forward_plan import ConflictCause, ForwardPlan, OldChange, V2State, change_units
from service.core.rules.images import old_form
from service.core.rules.ledger import EVERY_COUNT, is_write_of, next_version
from service.core.rules.ledger_writes import PlaceReading, v2_write
from service.core.rules.units import old_units, remembered
from service.errors import Poison


def restore_write(
    mapping: Mapping, reading: PlaceReading, version: str, base: str, units: Sequence[str]
) -> Put | Update:
    """The write of a restore record: the live v2 item as it was read, with a stamp that names ``units``."""
    assert reading.item is not None
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    kept = Stamp(version, base=base, restore=frozenset(units))
    if stamp is not None and not stamp.tombstone:
        kept = Stamp(version, residue=stamp.residue, absent=stamp.absent, base=base, restore=frozenset(units))
    return v2_write(mapping, reading, without_stamp(reading.item, mapping.stamp), kept)


def restore_plan(mapping: Mapping, version: str, v2: V2State, units: tuple[str, ...]) -> ForwardPlan:
    """The plan that has reverse give old its ``units`` back, which were lost while v2 had no item: it lives again, and reverse
    has put it on old from what it read before they were written. Nothing is written unless the item lives at one place."""
    live = [reading for reading in v2.known if reading.is_live(mapping.stamp)]
    places = tuple(reading.place.text for reading in live)
    if len(live) != 1 or is_stamped(mapping, live[0], version):
        return ForwardPlan("own", places=places)
    return ForwardPlan("own", (restore_write(mapping, live[0], version, v2.seen, units),), places)


def is_stamped(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether an item has the stamp that this change gives it."""
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    return stamp is not None and stamp.base is not None and is_write_of(stamp.version, version)


def two_live(mapping: Mapping, change: OldChange, v2: V2State, live: Sequence[PlaceReading]) -> ForwardPlan:
    """The change goes to the conflict log, and one of the items gets a restore record: so reverse reads a record and holds the
    item, or gives old the lost units back once one of the items is gone."""
    places = tuple(reading.place.text for reading in live)
    version = change.version if v2.begun is None else next_version(v2.begun.version)
    lost = change_units(mapping, change)
    write = restore_write(mapping, live[0], version, v2.seen, lost)
    cause = ConflictCause("two_live_keys", lost)
    return ForwardPlan("conflict", (write,), places, cause, move=v2.begun)


def refused_delete(
    mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading, units: tuple[str, ...]
) -> ForwardPlan:
    """v2 keeps its item, and its record tells reverse to give ``units`` back to the old table."""
    assert source.item is not None
    write = restore_write(mapping, source, change.version, v2.seen, units)
    cause = ConflictCause("delete_refused", change_units(mapping, change))
    return ForwardPlan("conflict", (write,), (source.place.text,), cause, refused=True)


def is_remains(mapping: Mapping, reading: PlaceReading) -> bool:
    """Whether a place has our tombstone with attributes of the application that make no item."""
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    if reading.item is None or stamp is None or not stamp.tombstone or not reading.is_live(mapping.stamp):
        return False
    try:
        old_form(mapping, reading.place, reading.item)
    except Poison:
        return True
    return False


def put_back(mapping: Mapping, change: OldChange, source: PlaceReading) -> ForwardPlan:
    """v2's application added an attribute between the reading and this change's tombstone, whose condition lists the attributes
    that were read. It had not seen the delete, so the delete is refused after all: v2 gets its item back, with that attribute."""
    assert source.item is not None
    assert change.old is not None
    made = forward(mapping, change.old)
    added = without_stamp(source.item, mapping.stamp)
    stamp = own_stamp(source.item, source.place.key, mapping.stamp)
    version = next_version(stamp.version if stamp is not None else change.version)
    units = remembered({*old_units(mapping, change.old), *(name for name in added if name not in source.place.key)})
    restore = Stamp(version, residue=made.residue, absent=made.absent, base=EVERY_COUNT, restore=frozenset(units))
    write = v2_write(mapping, source, {**made.item, **added}, restore)
    cause = ConflictCause("delete_refused", change_units(mapping, change))
    return ForwardPlan("conflict", (write,), (source.place.text,), cause, refused=True)
