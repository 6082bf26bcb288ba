"""Reverse: the units of a v2 record put on the old item. Both of its tables, R1 and R2 of DESIGN section 6, end here."""

from collections.abc import Collection
from dataclasses import replace

from service.core.item.compare import equal
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
    old_units,
    remembered,
    same,
    written_units,
)
from service.errors import Poison


def changed_by(change: V2Change) -> frozenset[str]:
    """The units whose value an update changed, or one of several updates; for a record of tablesplit also those whose old
    attributes changed."""
    assert change.old is not None
    assert change.new is not None
    pairs = change.steps or ((change.old, change.new),)
    compared = differing if change.stamp is None else _rewritten
    return frozenset().union(*(compared(_form(before), _form(after)) for before, after in pairs))


def _form(image: V2Image | None) -> Form:
    """The units of an image of a place. An image without an old form has none: then all of the other's differ."""
    return {} if image is None else image.form_if_any


def _rewritten(before: Form, after: Form) -> frozenset[str]:
    """The units whose old attributes differ, also where their values are the same."""
    return frozenset(change.unit for change in written_units(before, after))


def item_record_plan(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """A create or a delete on v2. The item's later records decide if v2 has none, or has one, by now."""
    now = now_of(mapping, change, readings)
    if change.kind == "delete":
        if now is None:
            return removal_plan(mapping, readings.old)
        return ReversePlan("duplicate") if change.stamp is not None else _left(mapping, change, now, readings)
    if now is None:
        return ReversePlan("duplicate")
    return whole_plan(mapping, change, readings)


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
    units -= counters(now.entity, units) | stuck_units(mapping, now, units)[0]
    return put_plan(mapping, now, image, Wanted(now.form, frozenset(), of_now=units), "applied")


def removal_plan(mapping: Mapping, old: Item | None) -> ReversePlan:
    """The plan that makes a tombstone of the old item, if there is one."""
    if old_image(mapping, old) is None:
        return ReversePlan("duplicate")
    return ReversePlan("applied", {}, None)


def whole_plan(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """The item of the record is put on old where there is none; otherwise its units are."""
    assert change.new is not None
    now = now_of(mapping, change, readings)
    record = change.new.old
    if now is None:
        return ReversePlan("duplicate")
    require_placed(mapping, now.place, now.old)
    image = old_image(mapping, readings.old)
    if image is None:
        elsewhere = now.place.text != change.place.text
        return creation_plan(now.place, now.old if elsewhere else record, now, "applied")
    form = change.new.form
    units = frozenset(form.keys() | old_units(mapping, image).keys())
    if change.since is not None:
        units = differing(change.since.form_if_any, form)
    resets = counters(now.entity, units)
    values = frozenset(unit for unit in units - resets if still_has(unit, form, now.form))
    wanted = Wanted(form, values, resets, exact=_unchanged(change, values, now))
    return put_plan(mapping, now, image, wanted, "applied", change.place)


def update_plan(
    mapping: Mapping, change: V2Change, half: ReverseHalf, units: Collection[str], readings: BothReadings
) -> ReversePlan:
    """``units`` of an update are put on old, where v2 still has them as the record left them; counters by the record's difference.

    A unit that leads the item to another v2 key than its own cannot be carried, and waits. Where v2's application has moved the
    item, it has put it with what its counters had: the record of that put carries them by value, or has done so.
    """
    assert change.new is not None
    now, image = now_of(mapping, change, readings), old_image(mapping, readings.old)
    if image is None and change.waiting and now is not None:  # a restore could not put what waits
        return whole_plan(mapping, change, readings)
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
    values = frozenset(unit for unit in units if unit not in steps and still_has(unit, form, now.form))
    stuck, poison = stuck_units(mapping, now, values | waiting)
    wanted = Wanted(
        form, values - stuck, frozenset(), steps, waiting - stuck, exact=_unchanged(change, values - stuck, now)
    )
    plan = put_plan(mapping, now, image, wanted, "applied")
    outcome: Outcome = "waiting" if stuck - waiting and plan.content is None else plan.outcome
    return replace(plan, outcome=outcome, waiting=remembered(stuck), poison=poison)


def creation_plan(place: Place, old: Item, now: V2Now, outcome: Outcome) -> ReversePlan:
    """The plan that puts the whole item at ``place`` on old, where there is none."""
    counted = place_name(place.text) if counters(now.entity, now.form) else ""
    return ReversePlan(outcome, old, None, counted=counted)


def put_plan(
    mapping: Mapping, now: V2Now, image: Item, wanted: Wanted, outcome: Outcome, place: Place | None = None
) -> ReversePlan:
    """The plan that puts the wanted units on the old item ``image``. ``place``: whose values they are, if not those of ``now``."""
    written = old_item_with(mapping, now, image, wanted)
    if not written.units and not written.added:
        return ReversePlan("duplicate")
    counted = place_name((place or now.place).text) if counters(now.entity, written.units) else ""
    return ReversePlan(outcome, written.content, written.units, written.added, counted)


def still_has(unit: str, form: Form, now: Form) -> bool:
    """Whether v2 still has a unit as a record left it."""
    return same(form.get(unit, ABSENT), now.get(unit, ABSENT))


def _unchanged(change: V2Change, values: Collection[str], now: V2Now) -> frozenset[str]:
    """Those of ``values`` that v2 still has in the very form of a record of tablesplit."""
    if change.stamp is None:
        return frozenset()
    assert change.new is not None
    form = change.new.form
    return frozenset(unit for unit in values if equal(form.get(unit, ABSENT).raw, now.form.get(unit, ABSENT).raw))


def _steps(mapping: Mapping, change: V2Change) -> dict[str, UnitChange]:
    """The counters that an update changed by a difference, by unit."""
    if change.old is None or change.new is None:
        return {}
    entity = mapping.entity_of(change.new.old)
    before, after = change.old.form, change.new.form
    steps = (UnitChange(unit, before.get(unit, ABSENT), after[unit]) for unit in counters(entity, after))
    return {step.unit: step for step in steps if difference(step)}


def stuck_units(mapping: Mapping, now: V2Now, units: frozenset[str]) -> tuple[frozenset[str], Poison | None]:
    """The units among ``units`` that cannot be carried, because the item's fields lead to another key than it has; and why."""
    try:
        require_placed(mapping, now.place, now.old)
    except Poison as poison:
        entity = mapping.entity_of(now.old)
        keys = frozenset(rule.name for rule in entity.key_rules) if entity is not None else frozenset()
        return frozenset(unit for unit in units if is_among(unit, keys)), poison
    return frozenset(), None


def now_of(mapping: Mapping, change: V2Change, readings: BothReadings) -> V2Now | None:
    """The item on v2 as it is now: at the record's place, or where else it lives; None: it lives nowhere."""
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    here = next((reading for reading in lives if reading.place.text == change.place.text), None)
    found = here or next(iter(lives), None)
    return None if found is None else as_now(mapping, found, change.new)


def as_now(mapping: Mapping, reading: PlaceReading, after: V2Image | None) -> V2Now:
    """The live item that was read, which most often is still as it was ``after`` the record."""
    assert reading.item is not None
    if after is not None and after.place.text == reading.place.text and after.item == reading.item:
        return now_at(mapping, after)
    return now_at(mapping, V2Image(mapping, reading.place, reading.item))
