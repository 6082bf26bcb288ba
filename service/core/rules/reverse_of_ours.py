"""Reverse, table R2 of DESIGN section 6: a record of tablesplit, whose base says what forward had seen of reverse's writes.

It is left alone, except for *crossed* units: those that reverse has put on old after what forward had seen.
"""

from collections.abc import Collection
from dataclasses import replace

from service.core.mapping.mapping import Mapping
from service.core.rules.images import old_image
from service.core.rules.ledger import ReverseHalf
from service.core.rules.old_item import V2Now, Wanted
from service.core.rules.reverse_plan import BothReadings, ReversePlan, V2Change
from service.core.rules.reverse_units import (
    changed_by,
    creation_plan,
    item_record_plan,
    now_of,
    put_plan,
    removal_plan,
    still_has,
    stuck_units,
    update_plan,
    whole_plan,
)
from service.core.rules.units import Form, counters, is_among, members, old_units, remembered


def of_ours(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Table R2: a record of tablesplit, whose base says what forward had seen of reverse's writes."""
    assert change.stamp is not None
    base = change.stamp.base or ""
    if change.kind == "delete" and (change.stamp.restore or change.stamp.moved):
        return _vacated(mapping, change, half, readings)
    if change.stamp.restore:
        return _restored(mapping, change, half, readings)
    if max(half.last, half.whole) <= base:
        return ReversePlan("own")
    if change.stamp.moved:
        return _carried_back(_moved(mapping, change, half, readings))
    if change.kind != "update":
        return _carried_back(item_record_plan(mapping, change, readings))
    crossed = _crossed(half, base, changed_by(change))
    return _carried_back(update_plan(mapping, change, half, crossed, readings)) if crossed else ReversePlan("own")


def _crossed(half: ReverseHalf, base: str, units: Collection[str]) -> frozenset[str]:
    """Those of ``units`` that reverse has put on old since the count ``base``."""
    return frozenset(unit for unit in units if any(half.put_of(name) > base for name in members(unit)))


def _vacated(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Forward's tombstone at a place that the item left. If the item lives nowhere, v2's application has deleted it where it
    was: that is carried, unless reverse has put every unit of the old item since.

    If forward itself has removed it since, for a delete of the old side, the old item is a new one that v2 has not got yet.
    """
    assert change.stamp is not None
    image, base = old_image(mapping, readings.old), change.stamp.base or ""
    now = now_of(mapping, change, readings)
    if image is None or (now is None and change.removed and not change.stamp.restore):
        return ReversePlan("own")
    if now is None:
        stood = [unit for unit in old_units(mapping, image) if half.put_of(members(unit)[0]) <= base]
        return _carried_back(removal_plan(mapping, readings.old)) if stood else ReversePlan("own")
    present = now.form.keys() | old_units(mapping, image).keys()
    crossed = _crossed(half, base, [unit for unit in present if is_among(unit, change.stamp.moved)])
    return _carried_back(put_plan(mapping, now, image, Wanted(now.form, frozenset(), of_now=crossed), "carried_back"))


def _moved(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Forward's put at the new place of an item: an update of the units that the change carried.

    Where reverse has put the whole item on old since, that may have been from an earlier record of this place, of before the item
    was elsewhere. So then all units are looked at; counters are left to the records of the previous place.
    """
    assert change.stamp is not None
    assert change.new is not None
    now, base = now_of(mapping, change, readings), change.stamp.base or ""
    if now is not None and old_image(mapping, readings.old) is None and half.whole > base:
        return creation_plan(
            now.place, now.old, now, "applied"
        )  # reverse has deleted old from records of another place
    form = change.new.form
    present = form.keys() | old_units(mapping, old_image(mapping, readings.old)).keys()
    carried = frozenset(unit for unit in present if is_among(unit, change.stamp.moved))
    changed = carried | (changed_by(change) if change.kind == "update" else frozenset())
    if half.whole > base and now is not None:
        changed |= present - counters(now.entity, present)
    crossed = _crossed(half, base, changed)
    return update_plan(mapping, change, half, crossed, readings) if crossed else ReversePlan("own")


def _carried_back(plan: ReversePlan) -> ReversePlan:
    return replace(plan, outcome="carried_back" if plan.content is not None else "own")


def _restored(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """A delete of the old side that v2 refused: old gets back the units that v2 had written, apart from those that reverse has
    put on old since; or the whole item. Counters are put back by value: the delete has made an end of the differences."""
    assert change.stamp is not None
    assert change.new is not None
    now, image = now_of(mapping, change, readings), old_image(mapping, readings.old)
    if now is None:
        return ReversePlan("own")
    form = change.new.form
    base, restore = change.stamp.base or "", change.stamp.restore
    left = {name for name in restore if half.put_of(name) <= base} | counters(now.entity, restore)
    if not left:
        return ReversePlan("own")
    if image is None:  # what v2 has now, if the item lives elsewhere by now
        return _carried_back(whole_plan(mapping, change, readings))
    named = {unit for unit in form.keys() | now.form.keys() | old_units(mapping, image).keys() if is_among(unit, left)}
    stuck, poison = stuck_units(mapping, now, frozenset(named))
    plan = put_plan(mapping, now, image, _to_restore(change, now, form, named - stuck), "carried_back")
    return replace(_carried_back(plan), waiting=remembered(stuck), poison=poison if stuck else None)


def _to_restore(change: V2Change, now: V2Now, form: Form, units: Collection[str]) -> Wanted:
    """The units to give back: of the record, or of v2 as it is now if the item lives elsewhere by now."""
    if now.place.text != change.place.text:
        return Wanted(now.form, frozenset(), of_now=frozenset(units))
    resets = counters(now.entity, units)
    values = frozenset(unit for unit in frozenset(units) - resets if still_has(unit, form, now.form))
    return Wanted(form, values, resets)
