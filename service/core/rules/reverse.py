"""The ledger rule, reverse: what is written on the old table for a change of a v2 table (DESIGN section 6).

A record of v2's application is carried as the units that it changed, whatever old has, but only where v2 still has the record's
value: a value that a later record replaced is left to that later record. Forward's records are left alone, except for *crossed*
units: those that reverse itself put on old after what forward had seen. An item that is live at two places is not carried. It
is held until a record arrives when one of them is gone.
"""

from collections.abc import Sequence
from dataclasses import replace

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.images import old_image
from service.core.rules.ledger import ReverseHalf
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.old_item import Wanted
from service.core.rules.reverse_of_ours import of_ours
from service.core.rules.reverse_plan import BothReadings, ReversePlan, V2Change, require_placed
from service.core.rules.reverse_units import (
    as_now,
    changed_by,
    creation_plan,
    item_record_plan,
    put_plan,
    removal_plan,
    update_plan,
    whole_plan,
)
from service.core.rules.units import counters, differing, old_units


def reverse_plan(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """The plan for a record of a v2 table; ``half``: what reverse remembers, with all claims folded that are known to be done.

    In this order: an item that is live at two places is held; a record of tablesplit is decided by table R2, and one of the
    application by table R1 of DESIGN section 6. Raises Poison when an image that matters has no old form: then the whole item
    waits.
    """
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    places = tuple(reading.place.text for reading in lives)
    if len(lives) > 1:
        return ReversePlan("held", places=places)
    if half.held_since is not None:
        return replace(_released(mapping, lives, readings.old), places=places, released=True)
    plan = (
        of_ours(mapping, change, half, readings)
        if change.stamp is not None
        else _of_application(mapping, change, half, readings)
    )
    return replace(plan, places=places)


def _released(mapping: Mapping, lives: Sequence[PlaceReading], old: Item | None) -> ReversePlan:
    """The plan that makes old equal to the one live item, or to none, once an item is held no longer."""
    if not lives:
        return removal_plan(mapping, old)
    now = as_now(mapping, lives[0], None)
    require_placed(mapping, now.place, now.old)
    image = old_image(mapping, old)
    if image is None:
        return creation_plan(now.place, now.old, now, "carried_back")
    values = differing(now.form, old_units(mapping, image))
    return put_plan(mapping, now, image, Wanted(now.form, values, counters(now.entity, now.form)), "carried_back")


def is_passed(change: V2Change, half: ReverseHalf) -> bool:
    """Whether a record can be passed without reading anything: forward's update or delete, which had seen all of reverse's
    writes."""
    stamp = change.stamp
    if stamp is None or stamp.restore or stamp.moved or change.kind == "create" or half.held_since is not None:
        return False
    return max((half.last, half.whole, *(claim.count for claim in half.claims.values()))) <= (stamp.base or "")


def _of_application(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Table R1: a record of v2's application."""
    if change.waiting is None:
        return (
            whole_plan(mapping, change, readings)
            if change.new is not None
            else item_record_plan(mapping, change, readings)
        )
    if change.kind != "update":
        return item_record_plan(mapping, change, readings)
    return update_plan(mapping, change, half, changed_by(change), readings)
