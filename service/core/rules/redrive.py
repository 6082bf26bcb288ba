"""Re-drive: repair once both sides may be written (DESIGN section 8). v2 wins, and reverse carries it.

The v2 item gets a stamp without a base, which forward never writes under the ledger rule: reverse takes the record for one of
the application and carries what v2 holds to the old table. Nothing else is written, so a repair needs no rule of its own.
"""

from typing import NamedTuple

from service.core.item.stamp import Stamp, decode_stamp, encode_stamp, stream_version
from service.core.item.wire import Item
from service.core.item.write import Update
from service.core.mapping.mapping import Mapping
from service.core.rules.guarded import REPAIR_VERSION
from service.core.rules.ledger_writes import Found, as_read
from service.core.rules.reverse import carried
from service.errors import Poison

REPAIR_GENERATION, _, _ = REPAIR_VERSION.partition(".")


class Redrive(NamedTuple):
    """The write that has a v2 item carried anew, and the old item, without stamp, that reverse will make of it."""

    update: Update
    old: Item


def redrive(mapping: Mapping, found: Found) -> Redrive:
    """What has the live v2 item ``found`` carried to the old table, if it still is exactly as it was read.

    Its version is below every change of the old table, and differs from that of a re-drive before: a write that changes
    nothing leaves no stream record. Raises Poison when reverse could not carry the item.
    """
    assert found.item is not None
    stamp = _restamped(_stamp(mapping, found.item))
    item = {**found.item, mapping.stamp: encode_stamp(stamp)}
    old = carried(mapping, Found(found.place, item))
    update = Update(
        found.place.table, found.place.key, {mapping.stamp: item[mapping.stamp]}, (), as_read(mapping, found, ())
    )
    return Redrive(update, old)


def _restamped(was: Stamp | None) -> Stamp:
    if was is None or was.tombstone:  # the application's own item, or one that it revived with the tombstone's stamp
        return Stamp(REPAIR_VERSION)
    generation, _, count = was.version.partition(".")
    again = was.base is None and generation == REPAIR_GENERATION and count.isdigit()
    version = stream_version(int(generation), str(int(count) + 1)) if again else REPAIR_VERSION
    return Stamp(version, residue=was.residue, absent=was.absent)


def _stamp(mapping: Mapping, item: Item) -> Stamp | None:
    """The stamp; None also for a damaged one, which the re-drive replaces."""
    try:
        return decode_stamp(item, mapping.stamp)
    except Poison:
        return None
