"""The ledger rule, forward: what is written on v2 for a change of the old table, once both sides may be written (DESIGN section 6).

A change is carried as the units that it changed, never as an image. A unit is carried if v2 still has what the change replaced;
otherwise v2 keeps its value and the change of that unit goes to the conflict log. A delete is carried only if nothing of the item
differs on v2; otherwise v2 gets a *restore* record: the same item with a stamp that names the units which reverse must give back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from service.core.item.change import Change
from service.core.item.compare import item_in_one_form
from service.core.item.stamp import Stamp, content_hash, own_stamp, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from service.core.rules.authorship import authorship_on_old
from service.core.rules.images import old_form, place_of_old, v2_form
from service.core.rules.ledger import EVERY_COUNT, Entry, Move, Place, is_write_of, next_version, place_from
from service.core.rules.ledger_writes import PlaceReading, edited, tombstone_write, v2_write
from service.core.rules.unit_verdicts import Writable, judge_units, writable_units
from service.core.rules.units import (
    ABSENT,
    Form,
    UnitChange,
    changed_units,
    counters,
    differing,
    entity_of_image,
    hashes,
    old_units,
    remembered,
    v2_units,
    with_units,
    written_since,
    written_units,
)
from service.core.rules.waiting import WHOLE
from service.errors import Poison

Outcome = Literal["applied", "duplicate", "conflict", "own", "waiting", "unread"]
Reason = Literal["overlap", "deleted", "exists", "delete_refused", "two_live_keys"]


@dataclass(frozen=True, slots=True)
class ConflictCause:
    """Why units of a change go to the conflict log."""

    reason: Reason
    units: tuple[str, ...]
    """The units that are lost, as they are remembered."""


@dataclass(frozen=True, slots=True)
class OldChange:
    """One change of the old table, or several of one key as one, as it is judged."""

    key: Item
    version: str
    """Of the last of the changes."""
    old: Item | None
    """The item before, as the application saw it; None: there was none."""
    new: Item | None
    """The item afterwards, as the application saw it; None: there is none."""
    bases: Form = field(default_factory=dict)
    """By unit, the value from which a unit is judged that waits in quarantine: that before the first change that waits."""


class V2State(NamedTuple):
    """What was read on v2."""

    known: Sequence[PlaceReading]
    """Every known place."""
    seen: str
    """The base of forward's stamps: the highest count seen in a stamp on the old item."""
    refused: Item | None = None
    """The item whose delete v2 refused, if that was the change right before this one."""
    begun: Move | None = None
    """A move that this change has begun: its put at the new place was made, and perhaps not the tombstone."""


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """The outcome of one change, and what is written for it."""

    outcome: Outcome
    writes: tuple[Put | Update, ...] = ()
    """On v2, in this order, each on the condition that the place is as it was read."""
    places: tuple[str, ...] = ()
    """The texts of the places that are live afterwards."""
    conflict: ConflictCause | None = None
    refused: bool = False
    """The change is a delete that v2 refuses."""
    tombstoned: tuple[Place, ...] = ()
    """The places that get a tombstone."""
    waiting: tuple[str, ...] = ()
    """The units that cannot be written, as they are remembered: they wait in quarantine."""
    poison: Poison | None = None
    """Why they cannot be written."""
    made: bool = False
    """The change has been written before, and nothing of it is left to do."""
    keeps_log: bool = False
    """The plan goes on with a claim: what that has put into the conflict log stays."""
    move: Move | None = None
    """With two writes: the item moves."""
    missing: Place | None = None
    """With outcome ``unread``: a place that must be read too before the change can be decided."""


def restore_plan(mapping: Mapping, version: str, v2: V2State, units: tuple[str, ...]) -> ForwardPlan:
    """The plan that has reverse give old its ``units`` back, which were lost while v2 had no item: it lives again, and reverse
    has put it
    on old from what it read before they were written. Nothing is written unless the item lives at one place."""
    live = [reading for reading in v2.known if reading.is_live(mapping.stamp)]
    places = tuple(reading.place.text for reading in live)
    if len(live) != 1 or _is_stamped(mapping, live[0], version):
        return ForwardPlan("own", places=places)
    return ForwardPlan("own", (restore_write(mapping, live[0], version, v2.seen, units),), places)


def known_places(mapping: Mapping, change: Change, entry: Entry) -> list[Place]:
    """The v2 places to read for a change of the old table: those that the ledger knows, and those of its images.

    An image that cannot be mapped has no place.
    """
    places = {place.text: place for place in entry.places}
    for image in (change.old, change.new):
        place = place_of_old(mapping, image)
        if place is not None:
            places.setdefault(place.text, place)
    return list(places.values())


def is_ours(mapping: Mapping, change: Change, seen: str) -> bool:
    """Whether tablesplit made a change of the old table of which the counts up to ``seen`` have been seen."""
    return authorship_on_old(change, mapping.stamp, seen).ours


def forward_plan(mapping: Mapping, change: OldChange, v2: V2State) -> ForwardPlan:
    """The plan for a change of the old table by the application.

    In this order: a change that the guarded rule has applied is not applied again; an item that is live at two places is held, and
    the change goes to the conflict log; the rest is decided by table F of DESIGN section 6.

    Raises Poison when nothing of the change can be written on v2: then the whole item waits in quarantine.
    """
    live = [reading for reading in v2.known if reading.is_live(mapping.stamp)]
    covering = [reading for reading in v2.known if _covers(mapping, reading, change.version)]
    if covering:
        return _finished_guarded_move(mapping, change, v2, covering, live)
    if v2.begun is not None:
        return _resumed(mapping, change, v2, v2.begun)
    if len(live) > 1:
        return _two_live(mapping, change, v2, live)
    if live and change.new is not None and _is_stamped(mapping, live[0], change.version):
        # By another worker, after this one had read the ledger.
        return ForwardPlan("applied", places=(live[0].place.text,), made=True, keeps_log=True)
    return _decided(mapping, change, v2, next(iter(live), None))


def _is_stamped(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether an item has the stamp that this change gives it."""
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    return stamp is not None and stamp.base is not None and is_write_of(stamp.version, version)


def _two_live(mapping: Mapping, change: OldChange, v2: V2State, live: Sequence[PlaceReading]) -> ForwardPlan:
    """The change goes to the conflict log, and one of the items gets a restore record: so reverse reads a record and holds the
    item, or
    gives old the lost units back once one of the items is gone."""
    places = tuple(reading.place.text for reading in live)
    version = change.version if v2.begun is None else next_version(v2.begun.version)
    lost = _changed(mapping, change)
    write = restore_write(mapping, live[0], version, v2.seen, lost)
    cause = ConflictCause("two_live_keys", lost)
    return ForwardPlan("conflict", (write,), places, cause, move=v2.begun)


def _resumed(mapping: Mapping, change: OldChange, v2: V2State, move: Move) -> ForwardPlan:
    """The plan for a move that was begun, by what v2's application has done at the two places since.

    | previous place | new place | what follows                                                                           |
    |----------------|-----------|----------------------------------------------------------------------------------------|
    | as it was read | live      | its tombstone                                                                          |
    | written        | as put    | the change is decided anew on it                                                       |
    | written        | written   | the new place gets what was written at the previous one; held if that moves the item   |
    | live           | deleted   | the item stays at its previous place; reverse gives old the units back                 |
    | deleted        | as put    | the item was deleted: a tombstone at the new place; reverse deletes old                |
    | deleted        | written   | the item lives at the new place; reverse gives old all of it                           |
    | deleted        | deleted   | nothing                                                                                |
    """
    source, goal = (_reading_at(v2, place_from(text)) for text in (move.source, move.goal))
    assert source is not None
    assert goal is not None
    version = next_version(move.version)
    as_put = _has_content(mapping, goal, move.goal_hash)
    if source.is_live(mapping.stamp):
        return _resumed_from(mapping, change, v2, move, source, goal, as_put=as_put)
    if not goal.is_live(mapping.stamp):
        return ForwardPlan("applied", made=True, keeps_log=True)
    if not as_put:
        assert goal.item is not None
        units = remembered(v2_form(mapping, goal.place, goal.item))
        write = restore_write(mapping, goal, version, EVERY_COUNT, units)
        return ForwardPlan("applied", (write,), (goal.place.text,), keeps_log=True, move=move)
    stamp = Stamp(version, base=EVERY_COUNT, tombstone=True, restore=frozenset(move.units))
    cause = ConflictCause("deleted", _changed(mapping, change))
    return ForwardPlan(
        "conflict", (v2_write(mapping, goal, {}, stamp),), (), cause, tombstoned=(goal.place,), move=move
    )


def _resumed_from(
    mapping: Mapping,
    change: OldChange,
    v2: V2State,
    move: Move,
    source: PlaceReading,
    goal: PlaceReading,
    *,
    as_put: bool,
) -> ForwardPlan:
    """As ``_resumed``, while the item is live at its previous place."""
    version = next_version(move.version)
    if not goal.is_live(mapping.stamp):
        write = restore_write(mapping, source, version, EVERY_COUNT, move.units)
        cause = ConflictCause("deleted", _changed(mapping, change))
        return ForwardPlan("conflict", (write,), (source.place.text,), cause, move=move)
    if _has_content(mapping, source, move.source_hash):
        write = _move_tombstone(mapping, source, change.version, v2, move.units)
        tombstoned = (source.place,)
        return ForwardPlan("applied", (write,), (goal.place.text,), tombstoned=tombstoned, keeps_log=True, move=move)
    if not as_put:
        return _joined(mapping, change, v2, move, source, goal)
    plan = _decided(mapping, change, v2, source)
    if plan.outcome == "unread" or goal.place.text in plan.places:
        return plan
    # The item does not move there any more.
    write = tombstone_write(mapping, goal, version, v2.seen)
    return replace(plan, writes=(*plan.writes, write), tombstoned=(*plan.tombstoned, goal.place), move=move)


def _joined(
    mapping: Mapping, change: OldChange, v2: V2State, move: Move, source: PlaceReading, goal: PlaceReading
) -> ForwardPlan:
    """v2's application has written both places of a move that was begun. The new place gets the units that were written at the
    previous one and not at the new one, and then the previous one its tombstone. A unit that was written at both stays as the
    new place has it, and the conflict log keeps both items."""
    assert source.item is not None
    assert goal.item is not None
    here, there = v2_form(mapping, source.place, source.item), v2_form(mapping, goal.place, goal.item)
    old_there = old_form(mapping, goal.place, goal.item)
    as_put = hashes(old_units(mapping, change.new))
    moved = written_since(here, move.source_units)
    kept = written_since(there, move.source_units | {name: as_put[name] for name in move.units if name in as_put})
    taken = [UnitChange(unit, there.get(unit, ABSENT), here.get(unit, ABSENT)) for unit in sorted(moved - kept)]
    after = with_units(entity_of_image(mapping, old_there), old_there, there, taken)
    content, made = edited(mapping, without_stamp(goal.item, mapping.stamp), old_there, after)
    if (made.table, made.key) != (goal.place.table, goal.place.key):
        return _two_live(mapping, change, v2, (goal, source))
    version, units = next_version(move.version), remembered({*move.units, *(step.unit for step in taken)})
    stamp = Stamp(version, residue=made.residue, absent=made.absent, base=v2.seen, moved=frozenset(units))
    again = replace(
        move,
        goal_hash=_hash_of(content),
        source_hash=_hash(mapping, source),
        source_units=hashes(here),
        units=units,
        version=version,
    )
    writes = (
        v2_write(mapping, goal, content, stamp),
        _move_tombstone(mapping, source, next_version(version), v2, units),
    )
    lost = remembered(moved & kept)
    cause = ConflictCause("two_live_keys", lost) if lost else None
    return ForwardPlan(
        "conflict" if lost else "applied",
        writes,
        (goal.place.text,),
        cause,
        tombstoned=(source.place,),
        keeps_log=not lost,
        move=again,
    )


def _has_content(mapping: Mapping, reading: PlaceReading, hashed: str) -> bool:
    """Whether a place has a live item with this ``content_hash``."""
    return reading.is_live(mapping.stamp) and _hash(mapping, reading) == hashed


def _hash(mapping: Mapping, reading: PlaceReading) -> str:
    assert reading.item is not None
    return _hash_of(without_stamp(reading.item, mapping.stamp))


def _hash_of(content: Item) -> str:
    """Equal for equal items: what is read has its sets in another order than what was put."""
    return content_hash(item_in_one_form(content))


def _move_tombstone(
    mapping: Mapping, source: PlaceReading, version: str, v2: V2State, units: Sequence[str]
) -> Put | Update:
    """The tombstone at the place that the item leaves."""
    return v2_write(mapping, source, {}, Stamp(version, base=v2.seen, tombstone=True, moved=frozenset(units)))


def _decided(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading | None) -> ForwardPlan:
    """The plan for a change that meets at most one item on v2, ``source``."""
    if change.new is None:
        return _deleted(mapping, change, v2, source)
    if source is None:
        return _on_absent(mapping, change, v2)
    return _on_live(mapping, change, v2, source)


def _changed(mapping: Mapping, change: OldChange) -> tuple[str, ...]:
    """The units that the application has written, those included that wait."""
    before = old_units(mapping, change.old) | change.bases
    units = written_units(before, old_units(mapping, change.new))
    return remembered(unit.unit for unit in units)


def waiting_units(mapping: Mapping, change: OldChange) -> tuple[str, ...]:
    """What waits when nothing of a change can be written now: its units, as they are remembered; of a create or a delete the whole
    item."""
    return (WHOLE,) if change.old is None or change.new is None else _changed(mapping, change)


def _covers(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether the guarded rule has applied this change, or a later one, at a place: before `dual`, and then crashed."""
    stamp = sound_stamp(reading.item, mapping.stamp)
    return stamp is not None and stamp.base is None and stamp.version >= version


def _finished_guarded_move(
    mapping: Mapping,
    change: OldChange,
    v2: V2State,
    covering: Sequence[PlaceReading],
    live: Sequence[PlaceReading],
) -> ForwardPlan:
    """Completes a move of the guarded rule that a crash interrupted: the item is at its new key, and still at the previous one."""
    vacated = [reading for reading in live if reading not in covering and _is_older(mapping, reading, change.version)]
    writes = tuple(tombstone_write(mapping, reading, change.version, v2.seen) for reading in vacated)
    places = tuple(reading.place.text for reading in live if reading not in vacated)
    tombstoned = tuple(reading.place for reading in vacated)
    return ForwardPlan("applied" if vacated else "duplicate", writes, places, tombstoned=tombstoned)


def _is_older(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether the item at a place was written at a version below ``version``."""
    stamp = sound_stamp(reading.item, mapping.stamp)
    return stamp is not None and stamp.version < version


def _deleted(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading | None) -> ForwardPlan:
    """A delete is carried only if v2 has exactly what was deleted. Otherwise reverse gives old its item back."""
    if source is None or change.old is None:
        return ForwardPlan("duplicate", places=(source.place.text,) if source is not None else ())
    assert source.item is not None
    if is_remains(mapping, source):
        return _put_back(mapping, change, source)
    now = v2_units(mapping, old_form(mapping, source.place, source.item), source.item)
    written_unseen = differing(now, old_units(mapping, change.old) | change.bases)
    if not written_unseen:
        write = tombstone_write(mapping, source, change.version, v2.seen)
        return ForwardPlan("applied", (write,), tombstoned=(source.place,))
    entity = entity_of_image(mapping, change.old)
    return _restore(mapping, change, v2, source, remembered(written_unseen | counters(entity, now)))


def _restore(
    mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading, units: tuple[str, ...]
) -> ForwardPlan:
    """v2 keeps its item, and its record tells reverse to give ``units`` back to the old table."""
    assert source.item is not None
    write = restore_write(mapping, source, change.version, v2.seen, units)
    cause = ConflictCause("delete_refused", _changed(mapping, change))
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


def _put_back(mapping: Mapping, change: OldChange, source: PlaceReading) -> ForwardPlan:
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
    cause = ConflictCause("delete_refused", _changed(mapping, change))
    return ForwardPlan("conflict", (write,), (source.place.text,), cause, refused=True)


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


def _on_absent(mapping: Mapping, change: OldChange, v2: V2State) -> ForwardPlan:
    """v2 has no item: a create is carried whole, an update is lost against v2's delete."""
    assert change.new is not None
    if change.old is not None:
        lost = _changed(mapping, change)
        return _without_write((), "conflict" if lost else "duplicate", ConflictCause("deleted", lost) if lost else None)
    made = forward(mapping, change.new)
    place = Place(made.table, made.key)
    reading = _reading_at(v2, place)
    if reading is None:
        return ForwardPlan("unread", missing=place)
    stamp = Stamp(change.version, residue=made.residue, absent=made.absent, base=v2.seen)
    return ForwardPlan("applied", (v2_write(mapping, reading, made.item, stamp),), (place.text,))


def _on_live(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading) -> ForwardPlan:
    """v2 has the item: each unit that was changed is judged by itself."""
    assert source.item is not None
    base = change.old if change.old is not None else v2.refused
    after = old_units(mapping, change.new)
    try:
        old_now = old_form(mapping, source.place, source.item)
        now = v2_units(mapping, old_now, source.item)
        forward(mapping, old_now)
    except Poison as poison:  # what v2's application has written there has no old form
        units = waiting_units(mapping, change)
        return ForwardPlan("waiting", places=(source.place.text,), waiting=units, poison=poison)
    if base is None:
        lost = remembered(unit for unit in differing(now, after) if unit in after and after[unit].raw)
        outcome: Outcome = "conflict" if lost else "duplicate"
        return _without_write([source], outcome, ConflictCause("exists", lost) if lost else None)
    assert change.new is not None
    if entity_of_image(mapping, base) is not entity_of_image(mapping, change.new):
        # Units of another entity, or of none, are no units of this item: the whole item waits.
        forward(mapping, change.new)
    before = old_units(mapping, base) | change.bases
    judged = judge_units(mapping, changed_units(before, after), before, now, change.new)
    writable = writable_units(mapping, old_now, now, judged.carried)
    plan = _without_write([source], "duplicate", None)
    if writable.changes:
        entity = entity_of_image(mapping, old_now)
        after_write = with_units(entity, old_now, now, writable.changes)
        plan = _carried(mapping, change, v2, source, after_write, remembered(unit.unit for unit in writable.changes))
    return _with_rest(plan, judged.lost, writable)


def _with_rest(plan: ForwardPlan, lost: Sequence[str], writable: Writable) -> ForwardPlan:
    """The plan with the units that are lost and those that wait."""
    if plan.outcome == "unread":
        return plan
    outcome: Outcome = "conflict" if lost else "waiting" if writable.waiting and not writable.changes else plan.outcome
    return replace(
        plan,
        outcome=outcome,
        conflict=ConflictCause("overlap", remembered(lost)) if lost else None,
        waiting=remembered(unit.unit for unit in writable.waiting),
        poison=writable.poison,
    )


def _carried(
    mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading, old_after: Item, units: tuple[str, ...]
) -> ForwardPlan:
    """The plan that makes the item at ``source`` represent ``old_after``: there, or at the place to which it moves."""
    assert source.item is not None
    old_now = old_form(mapping, source.place, source.item)
    content, made = edited(mapping, without_stamp(source.item, mapping.stamp), old_now, old_after)
    goal = Place(made.table, made.key)
    stamp = Stamp(change.version, residue=made.residue, absent=made.absent, base=v2.seen)
    was = Place(
        *v2_place(mapping, old_now)
    )  # another place, where v2's application has left the item at its former key
    if goal.text in (source.place.text, was.text):
        return ForwardPlan("applied", (v2_write(mapping, source, content, stamp),), (source.place.text,))
    reading = _reading_at(v2, goal)
    if reading is None:
        return ForwardPlan("unread", missing=goal)
    # First the new place, then the previous one: a reader may see the item twice, but never misses it.
    version = change.version if v2.begun is None else next_version(v2.begun.version)
    stamp = replace(stamp, version=version, moved=frozenset(units))
    now = hashes(v2_units(mapping, old_now, source.item))
    move = Move(goal.text, source.place.text, _hash_of(content), _hash(mapping, source), now, units, version)
    writes = (v2_write(mapping, reading, content, stamp), _move_tombstone(mapping, source, change.version, v2, units))
    return ForwardPlan("applied", writes, (goal.text,), tombstoned=(source.place,), move=move)


def _reading_at(v2: V2State, place: Place) -> PlaceReading | None:
    return next((reading for reading in v2.known if reading.place.text == place.text), None)


def _without_write(live: Sequence[PlaceReading], outcome: Outcome, conflict: ConflictCause | None) -> ForwardPlan:
    return ForwardPlan(outcome, places=tuple(reading.place.text for reading in live), conflict=conflict)
