"""The ledger rule, reverse: what is written on the old table for a change of a v2 table (DESIGN section 6).

A record of v2's application is carried as the units that it changed, whatever old has, but only where v2 still has the record's
value: a value that a later record replaced is left to that later record. Forward's records are left alone, except for *crossed*
units: those that reverse itself put on old after what forward had seen. An item that is live at two places is not carried. It
is held until a record arrives when one of them is gone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import Stamp, is_bare_tombstone, own_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key, v2_place
from service.core.rules.authorship import Authorship, authorship_on_v2, live
from service.core.rules.images import old_form, old_image, place_of_old
from service.core.rules.ledger import Entry, Place, ReverseHalf
from service.core.rules.ledger_writes import PlaceReading, stamp_value, written
from service.core.rules.units import (
    ABSENT,
    Form,
    UnitChange,
    Value,
    difference,
    differing,
    entity_of_image,
    is_among,
    merge_of,
    old_units,
    remembered,
    same,
    under_present_names,
    v2_units,
    with_units,
)
from service.errors import Poison

Outcome = Literal["applied", "carried_back", "own", "duplicate", "held", "waiting"]


@dataclass(frozen=True, slots=True)
class V2Change:
    """One record of a v2 table, or several of one place as one, as it is judged."""

    place: Place
    version: str
    """Of the last of the records."""
    old: Item | None
    """The item before; None: there was none, or a bare tombstone."""
    new: Item | None
    """The item afterwards; None as for ``old``."""
    stamp: Stamp | None
    """The stamp of the new image, if tablesplit made the record; None: the application made it."""
    waiting: frozenset[str] | None = frozenset()
    """The units of earlier records of the place that wait in quarantine; None: the whole item."""

    @property
    def kind(self) -> Literal["create", "update", "delete"]:
        """What the record did with the item."""
        if self.new is None:
            return "delete"
        return "create" if self.old is None else "update"


class BothReadings(NamedTuple):
    """What was read for a record: first the known v2 places, then the old item."""

    known: Sequence[PlaceReading]
    old: Item | None
    moving: bool = False
    """Forward is moving the item between two of the places."""


@dataclass(frozen=True, slots=True)
class ReversePlan:
    """The outcome of one record of a v2 table, and what is written for it."""

    outcome: Outcome
    content: Item | None = None
    """The old item to write, without stamp. Empty: a tombstone. None: nothing is written."""
    units: tuple[str, ...] | None = ()
    """The units that are written, as they are remembered; None: the whole item."""
    places: tuple[str, ...] = ()
    """The texts of the places that are live."""
    waiting: tuple[str, ...] = ()
    """The units that cannot be written, as they are remembered: they wait in quarantine."""
    poison: Poison | None = None
    """Why they cannot be written."""


class _Now(NamedTuple):
    """The item on v2 as it is now: where, and its old form with its units."""

    place: Place
    old: Item
    form: Form


def shows_no_item(mapping: Mapping, place: Place, change: Change) -> bool:
    """Whether a record has no item before or after it: a tombstone was written or purged. It carries no content and is skipped."""
    return not any(live(image, place.key, mapping.stamp) for image in (change.old, change.new))


def old_key_of(mapping: Mapping, place: Place, change: Change) -> Item:
    """The key of the old item of a v2 record: that of the image whose fields lead to ``place``, else of the first readable image.

    Raises Poison when no image shows it.
    """
    poison = Poison(f"no image of the v2 item {place.key} in {place.table} shows its old key", reason="unknown_key")
    first: Item | None = None
    for image in (change.new, change.old):
        if image is None or is_bare_tombstone(image, place.key, mapping.stamp):
            continue
        try:
            old = old_form(mapping, place, image)
            first = first or old_key(mapping, old)
            if v2_place(mapping, old) == (place.table, place.key):
                return old_key(mapping, old)
        except Poison as unreadable:
            poison = unreadable
    if first is None:
        raise poison
    return first


def reverse_places(mapping: Mapping, place: Place, entry: Entry, old_now: Item | None) -> list[Place]:
    """The v2 places to read for a record at ``place``: this place, those that the ledger knows to be live, and that of the old item
    ``old_now`` as it is now, if it can be mapped."""
    places = {place.text: place} | {other.text: other for other in entry.places}
    of_old = place_of_old(mapping, old_now)
    return list({**places, of_old.text: of_old}.values() if of_old is not None else places.values())


def author_of(mapping: Mapping, change: Change, entry: Entry, place: Place) -> Authorship:
    """The author of a record at a place."""
    return authorship_on_v2(change, mapping.stamp, entry.reverse.track(place).seen, entry.epoch)


def reverse_plan(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """The plan for a record of a v2 table; ``half``: what reverse remembers, with all claims folded that are known to be done.

    In this order: an item that is live at two places is held; a record of tablesplit is decided by table R2, and one of the
    application by table R1 of DESIGN section 6. Raises Poison when an image that matters has no old form: then the whole item
    waits.
    """
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    places = tuple(reading.place.text for reading in lives)
    if len(lives) > 1 and not readings.moving:
        return ReversePlan("held", places=places)
    if half.held_since is not None:
        return replace(_released(mapping, lives, readings.old), places=places)
    plan = (
        _of_ours(mapping, change, half, readings)
        if change.stamp is not None
        else _of_application(mapping, change, readings)
    )
    return replace(plan, places=places)


def _released(mapping: Mapping, lives: Sequence[PlaceReading], old: Item | None) -> ReversePlan:
    """The plan that makes old equal to the one live item, or to none, once an item is held no longer."""
    if not lives:
        return _removed(mapping, old)
    now = _now_at(mapping, lives[0])
    require_placed(mapping, now.place, now.old)
    image = old_image(mapping, old)
    if image is None:
        return ReversePlan("carried_back", now.old, None)
    units = differing(now.form, old_units(mapping, image))
    return _with_units_of(mapping, now, now.form, image, units, "carried_back")


def _of_ours(mapping: Mapping, change: V2Change, half: ReverseHalf, readings: BothReadings) -> ReversePlan:
    """Table R2: a record of tablesplit, whose base says what forward had seen of reverse's writes."""
    assert change.stamp is not None
    base = change.stamp.base or ""
    if change.stamp.restore:
        units = frozenset(unit for unit in change.stamp.restore if half.put_of(unit) <= base)
        return _restored(mapping, change, units, readings) if units else ReversePlan("own")
    if max((half.whole, *half.puts.values())) <= base:
        return ReversePlan("own")
    if change.kind != "update":
        return _carried_back(_item_record(mapping, change, readings))
    changed = _changed(mapping, change)
    crossed = frozenset(
        unit
        for unit in changed
        if any(half.put_of(name) > base for name in remembered([unit])) and not _is_counted(mapping, change, unit)
    )
    return _carried_back(_update(mapping, change, crossed, readings)) if crossed else ReversePlan("own")


def _is_counted(mapping: Mapping, change: V2Change, unit: str) -> bool:
    """Whether forward carried a unit as a difference: differences of both sides add up, so that nothing crosses."""
    assert change.old is not None
    assert change.new is not None
    old, new = old_form(mapping, change.place, change.old), old_form(mapping, change.place, change.new)
    entity = entity_of_image(mapping, new)
    before, after = v2_units(mapping, old, change.old), v2_units(mapping, new, change.new)
    step = UnitChange(unit, before.get(unit, ABSENT), after.get(unit, ABSENT))
    return merge_of(entity, unit) == "add" and difference(step) is not None


def _carried_back(plan: ReversePlan) -> ReversePlan:
    return replace(plan, outcome="carried_back" if plan.content is not None else "own")


def _restored(mapping: Mapping, change: V2Change, units: Collection[str], readings: BothReadings) -> ReversePlan:
    """A delete of the old side that v2 refused: old gets ``units`` back, or the whole item."""
    if old_image(mapping, readings.old) is None:
        return _carried_back(_whole(mapping, change, readings))
    now = _now(mapping, change, readings)
    present = old_units(mapping, old_image(mapping, readings.old)).keys() | (now.form.keys() if now else set())
    named = frozenset(unit for unit in present if is_among(unit, units))
    return _carried_back(_update(mapping, change, named, readings))


def _of_application(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """Table R1: a record of v2's application."""
    if change.waiting is None:
        return _whole(mapping, change, readings) if change.new is not None else _item_record(mapping, change, readings)
    if change.kind != "update":
        return _item_record(mapping, change, readings)
    return _update(mapping, change, _changed(mapping, change), readings)


def _changed(mapping: Mapping, change: V2Change) -> frozenset[str]:
    """The units whose normal form an update changed."""
    assert change.old is not None
    assert change.new is not None
    before = v2_units(mapping, old_form(mapping, change.place, change.old), change.old)
    after = v2_units(mapping, old_form(mapping, change.place, change.new), change.new)
    return differing(before, after)


def _item_record(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """A create or a delete on v2. The item's later records decide if v2 has none, or has one, by now."""
    now = _now(mapping, change, readings)
    if change.kind == "delete":
        return _removed(mapping, readings.old) if now is None else ReversePlan("duplicate")
    if now is None:
        return ReversePlan("duplicate")
    return _whole(mapping, change, readings)


def _removed(mapping: Mapping, old: Item | None) -> ReversePlan:
    if old_image(mapping, old) is None:
        return ReversePlan("duplicate")
    return ReversePlan("applied", {}, None)


def _whole(mapping: Mapping, change: V2Change, readings: BothReadings) -> ReversePlan:
    """The item of the record is put on old where there is none; otherwise its units are."""
    assert change.new is not None
    now = _now(mapping, change, readings)
    if now is None:
        return ReversePlan("duplicate")
    require_placed(mapping, now.place, now.old)
    record = old_form(mapping, change.place, change.new)
    image = old_image(mapping, readings.old)
    if image is None:
        return ReversePlan("applied", record, None)
    form = v2_units(mapping, record, change.new)
    units = frozenset(unit for unit in form.keys() | old_units(mapping, image).keys() if _still(unit, form, now.form))
    return _with_units_of(mapping, now, form, image, units, "applied")


def _update(mapping: Mapping, change: V2Change, units: Collection[str], readings: BothReadings) -> ReversePlan:
    """``units`` of an update are put on old, where v2 still has them as the record left them.

    A unit that leads the item to another v2 key than its own cannot be carried, and waits.
    """
    assert change.new is not None
    now = _now(mapping, change, readings)
    if now is None:
        return ReversePlan("duplicate")
    image = old_image(mapping, readings.old)
    if image is None:  # a delete of the old side is under way: forward decides
        return ReversePlan("duplicate")
    record = old_form(mapping, change.place, change.new)
    form = v2_units(mapping, record, change.new)
    waiting = frozenset(unit for unit in now.form.keys() | form.keys() if is_among(unit, change.waiting or ()))
    steps = _steps(mapping, change)
    wanted = frozenset(unit for unit in units if unit in steps or _still(unit, form, now.form))
    stuck, poison = _stuck(mapping, now, wanted | waiting)
    plan = _with_units_of(mapping, now, form, image, wanted - stuck, "applied", waiting - stuck, steps)
    waits = "waiting" if stuck - waiting and plan.content is None else plan.outcome
    return replace(plan, outcome=waits, waiting=remembered(stuck), poison=poison)


def _still(unit: str, form: Form, now: Form) -> bool:
    """Whether v2 still has a unit as a record left it."""
    return same(form.get(unit, ABSENT), now.get(unit, ABSENT))


def _steps(mapping: Mapping, change: V2Change) -> dict[str, UnitChange]:
    """The counters that a record of the application changed, by unit."""
    if change.stamp is not None or change.old is None or change.new is None:
        return {}
    old, new = old_form(mapping, change.place, change.old), old_form(mapping, change.place, change.new)
    entity = entity_of_image(mapping, new)
    before, after = v2_units(mapping, old, change.old), v2_units(mapping, new, change.new)
    steps = [
        UnitChange(unit, before.get(unit, ABSENT), after[unit]) for unit in after if merge_of(entity, unit) == "add"
    ]
    return {step.unit: step for step in steps if difference(step) and not same(step.before, step.after)}


def _stuck(mapping: Mapping, now: _Now, units: frozenset[str]) -> tuple[frozenset[str], Poison | None]:
    """The units among ``units`` that cannot be carried, because the item's fields lead to another key than it has; and why."""
    try:
        require_placed(mapping, now.place, now.old)
    except Poison as poison:
        entity = entity_of_image(mapping, now.old)
        keys = frozenset(rule.name for rule in entity.key_rules) if entity is not None else frozenset()
        return frozenset(unit for unit in units if is_among(unit, keys)), poison
    return frozenset(), None


def _with_units_of(
    mapping: Mapping,
    now: _Now,
    form: Form,
    image: Item,
    units: Collection[str],
    outcome: Outcome,
    of_now: Collection[str] = (),
    steps: dict[str, UnitChange] | None = None,
) -> ReversePlan:
    """The plan that puts ``units`` of a record, whose form is ``form``, and the units ``of_now`` of v2's item on the old item
    ``image``. The counters ``steps`` are added to."""
    entity, old = entity_of_image(mapping, now.old), old_units(mapping, image)
    changes = [
        change
        for source, names in ((form, units), (now.form, of_now))
        for unit in sorted(names)
        if (change := _change_of_old(unit, old, source, steps or {})) is not None
    ]
    changes = [_named(entity, image, change) for change in changes]
    content = with_units(entity, image, old, changes)
    content, kept = _with_what_stood(mapping, entity, now, image, content)
    names = remembered([*(change.unit for change in changes), *kept])
    return ReversePlan(outcome, content, names) if names else ReversePlan("duplicate")


def _change_of_old(unit: str, old: Form, source: Form, steps: dict[str, UnitChange]) -> UnitChange | None:
    """The change of a unit of the old item; None when it has the value already."""
    before, after = old.get(unit, ABSENT), source.get(unit, ABSENT)
    if unit in steps:
        return steps[unit]
    return None if same(before, after) else UnitChange(unit, before, after)


def _named(entity: Entity | None, image: Item, change: UnitChange) -> UnitChange:
    """The change under the names that the old application uses for the field."""
    if not entity or not change.after.raw or "\0" in change.unit:
        return change
    return change._replace(after=Value(under_present_names(entity, image, change.after.raw), change.after.normal))


def _with_what_stood(
    mapping: Mapping, entity: Entity | None, now: _Now, image: Item, content: Item
) -> tuple[Item, list[str]]:
    """The old item to write, and the units that it gets beside those carried: fields that old does not hold, whose default the
    write would change, although v2 keeps the value that the default had before."""
    before, after = old_units(mapping, image), old_units(mapping, content)
    moved = [
        unit
        for unit, value in now.form.items()
        if same(before.get(unit, ABSENT), value) and not same(after.get(unit, ABSENT), value) and value.raw
    ]
    changes = [UnitChange(unit, after.get(unit, ABSENT), now.form[unit]) for unit in moved]
    return with_units(entity, content, after, changes), moved


def _now(mapping: Mapping, change: V2Change, readings: BothReadings) -> _Now | None:
    """The item on v2 as it is now: at the record's place, or where else it lives; None: it lives nowhere."""
    lives = [reading for reading in readings.known if reading.is_live(mapping.stamp)]
    here = next((reading for reading in lives if reading.place.text == change.place.text), None)
    found = here or next(iter(lives), None)
    return None if found is None else _now_at(mapping, found)


def _now_at(mapping: Mapping, reading: PlaceReading) -> _Now:
    assert reading.item is not None
    old = old_form(mapping, reading.place, reading.item)
    return _Now(reading.place, old, v2_units(mapping, old, reading.item))


def require_placed(mapping: Mapping, place: Place, old: Item) -> None:
    """Raises Poison when the v2 item at ``place``, whose old form is ``old``, cannot be carried: its fields lead to another key
    than it
    has, or it has an attribute with the stamp's name."""
    if mapping.stamp in old:
        raise _misplaced(place, f"its own attribute {mapping.stamp!r} has the stamp's name")
    if v2_place(mapping, old) != (place.table, place.key):
        raise _misplaced(place, "its fields lead to another key")


def _misplaced(place: Place, reason: str) -> Poison:
    return Poison(
        f"v2 item {place.key} of {place.table}: {reason}",
        reason="v2_key_mismatch",
        remedy="correct the item on v2 (an item moves by a put at its new key and a delete at the old one): "
        "then it leaves quarantine by itself",
    )


def old_write(mapping: Mapping, key: Item, old: Item | None, content: Item, count: str) -> Put | Update:
    """The write that turns the old item as it was read into ``content`` (without stamp; empty: a tombstone), stamped ``count``."""
    stamp = stamp_value(key, Stamp(count, tombstone=not content))
    after = {**content, **key, mapping.stamp: stamp}
    write = written(mapping.old.table, key, old, after, mapping.read_from_old())
    assert write is not None  # the count is new
    return write


def was_put(mapping: Mapping, count: str, old: Item | None, entry: Entry) -> bool:
    """Whether reverse's write ``count`` of an old item is known to have been made, by the item as read or by forward's half."""
    stamp = own_stamp(old, entry.key, mapping.stamp)
    return (stamp is not None and stamp.version == count) or entry.forward.seen_in_flight() >= count


def was_written(mapping: Mapping, version: str, reading: PlaceReading, entry: Entry) -> bool:
    """Whether forward's write at ``version`` of a place is known to have been made, by the item as read or by reverse's half."""
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    return (stamp is not None and stamp.version == version) or entry.reverse.seen_in_flight(reading.place) >= version
