"""The ledger rule, reverse: what is written on the old table for a change of a v2 table (DESIGN section 6).

A record of v2's application is carried as the units that it changed, whatever old has, but only where v2 still has the record's
value: a value that a later record replaced is left to that later record. Forward's records are left alone, except for *crossed*
units: those that reverse itself put on old after what forward had seen. An item that is live at two places is not carried. It
is held until a record arrives when one of them is gone.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.images import V2Image, old_image
from service.core.rules.ledger import Place, ReverseHalf, place_name
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.old_item import V2Now, Wanted, now_at, old_item_with
from service.core.rules.reverse_plan import BothReadings, Outcome, ReversePlan, V2Change, require_placed
from service.core.rules.units import (
    ABSENT,
    Form,
    UnitChange,
    counters,
    difference,
    differing,
    is_among,
    members,
    old_units,
    remembered,
    same,
)
from service.errors import Poison


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
        _of_ours(mapping, change, half, readings)
        if change.stamp is not None
        else _of_application(mapping, change, half, readings)
    )
    return replace(plan, places=places)


def _released(mapping: Mapping, lives: Sequence[PlaceReading], old: Item | None) -> ReversePlan:
    """The plan that makes old equal to the one live item, or to none, once an item is held no longer."""
    if not lives:
        return _removed(mapping, old)
    now = _as_now(mapping, lives[0], None)
    require_placed(mapping, now.place, now.old)
    image = old_image(mapping, old)
    if image is None:
        return _created(now.place, now.old, now, "carried_back")
    values = differing(now.form, old_units(mapping, image))
    return _put(mapping, now, image, Wanted(now.form, values, counters(now.entity, now.form)), "carried_back")


def is_passed(change: V2Change, half: ReverseHalf) -> bool:
    """Whether a record can be passed without reading anything: forward's update or delete, which had seen all of reverse's
    writes."""
    stamp = change.stamp
    if stamp is None or stamp.restore or stamp.moved or change.kind == "create" or half.held_since is not None:
        return False
    return max((half.last, half.whole, *(claim.count for claim in half.claims.values()))) <= (stamp.base or "")


def _of_ours(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
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
        return _carried_back(_item_record(mapping, change, readings))
    crossed = _crossed(half, base, _changed(change))
    return _carried_back(_update(mapping, change, half, crossed, readings)) if crossed else ReversePlan("own")


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
    now = _now(mapping, change, readings)
    if image is None or (now is None and change.removed and not change.stamp.restore):
        return ReversePlan("own")
    if now is None:
        stood = [unit for unit in old_units(mapping, image) if half.put_of(members(unit)[0]) <= base]
        return _carried_back(_removed(mapping, readings.old)) if stood else ReversePlan("own")
    present = now.form.keys() | old_units(mapping, image).keys()
    crossed = _crossed(half, base, [unit for unit in present if is_among(unit, change.stamp.moved)])
    return _carried_back(_put(mapping, now, image, Wanted(now.form, frozenset(), of_now=crossed), "carried_back"))


def _moved(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Forward's put at the new place of an item: an update of the units that the change carried.

    Where reverse has put the whole item on old since, that may have been from an earlier record of this place, of before the item
    was elsewhere. So then all units are looked at; counters are left to the records of the previous place.
    """
    assert change.stamp is not None
    assert change.new is not None
    now, base = _now(mapping, change, readings), change.stamp.base or ""
    if now is not None and old_image(mapping, readings.old) is None and half.whole > base:
        return _created(now.place, now.old, now, "applied")  # reverse has deleted old from records of another place
    form = change.new.form
    present = form.keys() | old_units(mapping, old_image(mapping, readings.old)).keys()
    carried = frozenset(unit for unit in present if is_among(unit, change.stamp.moved))
    changed = carried | (_changed(change) if change.kind == "update" else frozenset())
    if half.whole > base and now is not None:
        changed |= present - counters(now.entity, present)
    crossed = _crossed(half, base, changed)
    return _update(mapping, change, half, crossed, readings) if crossed else ReversePlan("own")


def _carried_back(plan: ReversePlan) -> ReversePlan:
    return replace(plan, outcome="carried_back" if plan.content is not None else "own")


def _restored(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """A delete of the old side that v2 refused: old gets back the units that v2 had written, apart from those that reverse has
    put on old since; or the whole item. Counters are put back by value: the delete has made an end of the differences."""
    assert change.stamp is not None
    assert change.new is not None
    now, image = _now(mapping, change, readings), old_image(mapping, readings.old)
    if now is None:
        return ReversePlan("own")
    form = change.new.form
    base, restore = change.stamp.base or "", change.stamp.restore
    left = {name for name in restore if half.put_of(name) <= base} | counters(now.entity, restore)
    if not left:
        return ReversePlan("own")
    if image is None:  # what v2 has now, if the item lives elsewhere by now
        return _carried_back(_whole(mapping, change, readings))
    named = {unit for unit in form.keys() | now.form.keys() | old_units(mapping, image).keys() if is_among(unit, left)}
    stuck, poison = _stuck(mapping, now, frozenset(named))
    plan = _put(mapping, now, image, _to_restore(change, now, form, named - stuck), "carried_back")
    return replace(_carried_back(plan), waiting=remembered(stuck), poison=poison if stuck else None)


def _to_restore(change: V2Change, now: V2Now, form: Form, units: Collection[str]) -> Wanted:
    """The units to give back: of the record, or of v2 as it is now if the item lives elsewhere by now."""
    if now.place.text != change.place.text:
        return Wanted(now.form, frozenset(), of_now=frozenset(units))
    resets = counters(now.entity, units)
    values = frozenset(unit for unit in frozenset(units) - resets if _still(unit, form, now.form))
    return Wanted(form, values, resets)


def _of_application(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Table R1: a record of v2's application."""
    if change.waiting is None:
        return _whole(mapping, change, readings) if change.new is not None else _item_record(mapping, change, readings)
    if change.kind != "update":
        return _item_record(mapping, change, readings)
    return _update(mapping, change, half, _changed(change), readings)


def _changed(change: V2Change) -> frozenset[str]:
    """The units whose normal form an update changed, or one of several updates."""
    assert change.old is not None
    assert change.new is not None
    pairs = change.steps or ((change.old, change.new),)
    return frozenset().union(*(_differing(before, after) for before, after in pairs))


def _differing(before: V2Image | None, after: V2Image | None) -> frozenset[str]:
    """The units in which two images of a place differ. An image without an old form has none: then all of the other's differ."""
    first, second = ({} if image is None else image.form_if_any for image in (before, after))
    return differing(first, second)


def _item_record(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """A create or a delete on v2. The item's later records decide if v2 has none, or has one, by now."""
    now = _now(mapping, change, readings)
    if change.kind == "delete":
        if now is None:
            return _removed(mapping, readings.old)
        return ReversePlan("duplicate") if change.stamp is not None else _left(mapping, change, now, readings)
    if now is None:
        return ReversePlan("duplicate")
    return _whole(mapping, change, readings)


def _left(mapping: Mapping, change: V2Change, now: V2Now, readings: BothReadings) -> ReversePlan:
    """v2's application has deleted an item at one place that lives at another, where it may have been before. Old gets what the
    item is there, of the units that old still has as they were at the deleted place: no other record carries them. Counters, and
    units that lead to another key than the item has, are left to the records of the other place."""
    image = old_image(mapping, readings.old)
    if image is None or change.old is None or now.place.text == change.place.text:
        return ReversePlan("duplicate")
    old, deleted = old_units(mapping, image), change.old.form_if_any
    units = frozenset(
        unit for unit in differing(deleted, now.form) if same(old.get(unit, ABSENT), deleted.get(unit, ABSENT))
    )
    units -= counters(now.entity, units) | _stuck(mapping, now, units)[0]
    return _put(mapping, now, image, Wanted(now.form, frozenset(), of_now=units), "applied")


def _removed(mapping: Mapping, old: Item | None) -> ReversePlan:
    if old_image(mapping, old) is None:
        return ReversePlan("duplicate")
    return ReversePlan("applied", {}, None)


def _whole(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """The item of the record is put on old where there is none; otherwise its units are."""
    assert change.new is not None
    now = _now(mapping, change, readings)
    record = change.new.old
    if now is None:
        return ReversePlan("duplicate")
    require_placed(mapping, now.place, now.old)
    image = old_image(mapping, readings.old)
    if image is None:
        elsewhere = now.place.text != change.place.text
        return _created(now.place, now.old if elsewhere else record, now, "applied")
    form = change.new.form
    units = frozenset(form.keys() | old_units(mapping, image).keys())
    if change.since is not None:
        units = differing(change.since.form_if_any, form)
    resets = counters(now.entity, units)
    values = frozenset(unit for unit in units - resets if _still(unit, form, now.form))
    return _put(mapping, now, image, Wanted(form, values, resets), "applied", change.place)


def _update(
    mapping: Mapping, change: V2Change, half: ReverseHalf, units: Collection[str], readings: BothReadings
) -> ReversePlan:
    """``units`` of an update are put on old, where v2 still has them as the record left them; counters by the record's difference.

    A unit that leads the item to another v2 key than its own cannot be carried, and waits. Where v2's application has moved the
    item, it has put it with what its counters had: the record of that put carries them by value, or has done so.
    """
    assert change.new is not None
    now, image = _now(mapping, change, readings), old_image(mapping, readings.old)
    if image is None and change.waiting and now is not None:  # a restore could not put what waits
        return _whole(mapping, change, readings)
    if now is None:  # the record that deletes decides, unless it cannot be told whose it is
        _ = change.new.old
        return ReversePlan("duplicate")
    if image is None:  # forward decides
        return ReversePlan("duplicate")
    form = change.new.form
    waiting = frozenset(unit for unit in now.form.keys() | form.keys() if is_among(unit, change.waiting or ()))
    steps = {unit: step for unit, step in _steps(mapping, change).items() if unit in units}
    if now.place.text != change.place.text and not (
        now.by_forward and half.counted in ("", place_name(change.place.text))
    ):
        units, steps = frozenset(units) - steps.keys(), {}
    values = frozenset(unit for unit in units if unit not in steps and _still(unit, form, now.form))
    stuck, poison = _stuck(mapping, now, values | waiting)
    wanted = Wanted(form, values - stuck, frozenset(), steps, waiting - stuck)
    plan = _put(mapping, now, image, wanted, "applied")
    outcome: Outcome = "waiting" if stuck - waiting and plan.content is None else plan.outcome
    return replace(plan, outcome=outcome, waiting=remembered(stuck), poison=poison)


def _created(place: Place, old: Item, now: V2Now, outcome: Outcome) -> ReversePlan:
    """The plan that puts the whole item at ``place`` on old, where there is none."""
    counted = place_name(place.text) if counters(now.entity, now.form) else ""
    return ReversePlan(outcome, old, None, counted=counted)


def _put(
    mapping: Mapping, now: V2Now, image: Item, wanted: Wanted, outcome: Outcome, place: Place | None = None
) -> ReversePlan:
    """The plan that puts the wanted units on the old item ``image``. ``place``: whose values they are, if not those of ``now``."""
    written = old_item_with(mapping, now, image, wanted)
    if not written.units and not written.added:
        return ReversePlan("duplicate")
    counted = place_name((place or now.place).text) if counters(now.entity, written.units) else ""
    return ReversePlan(outcome, written.content, written.units, written.added, counted)


def _still(unit: str, form: Form, now: Form) -> bool:
    """Whether v2 still has a unit as a record left it."""
    return same(form.get(unit, ABSENT), now.get(unit, ABSENT))


def _steps(mapping: Mapping, change: V2Change) -> dict[str, UnitChange]:
    """The counters that an update changed by a difference, by unit."""
    if change.old is None or change.new is None:
        return {}
    entity = mapping.entity_of(change.new.old)
    before, after = change.old.form, change.new.form
    steps = (UnitChange(unit, before.get(unit, ABSENT), after[unit]) for unit in counters(entity, after))
    return {step.unit: step for step in steps if difference(step)}


def _stuck(mapping: Mapping, now: V2Now, units: frozenset[str]) -> tuple[frozenset[str], Poison | None]:
    """The units among ``units`` that cannot be carried, because the item's fields lead to another key than it has; and why."""
    try:
        require_placed(mapping, now.place, now.old)
    except Poison as poison:
        entity = mapping.entity_of(now.old)
        keys = frozenset(rule.name for rule in entity.key_rules) if entity is not None else frozenset()
        return frozenset(unit for unit in units if is_among(unit, keys)), poison
    return frozenset(), None


def _now(mapping: Mapping, change: V2Change, readings: BothReadings) -> V2Now | None:
    """The item on v2 as it is now: at the record's place, or where else it lives; None: it lives nowhere."""
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    here = next((reading for reading in lives if reading.place.text == change.place.text), None)
    found = here or next(iter(lives), None)
    return None if found is None else _as_now(mapping, found, change.new)


def _as_now(mapping: Mapping, reading: PlaceReading, after: V2Image | None) -> V2Now:
    """The live item that was read, which most often is still as it was ``after`` the record."""
    assert reading.item is not None
    if after is not None and after.place.text == reading.place.text and after.item == reading.item:
        return now_at(mapping, after)
    return now_at(mapping, V2Image(mapping, reading.place, reading.item))
