"""Forward's moves of an item to another v2 key: what follows when a crash, or a write of v2's application, comes between the two
writes."""

from collections.abc import Sequence
from dataclasses import replace

from service.core.item.compare import item_in_one_form
from service.core.item.stamp import Stamp, content_hash, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.item.write import Put, Update
from service.core.mapping.mapping import Mapping
from service.core.rules.forward_plan import ConflictCause, ForwardPlan, OldChange, V2State, change_units, reading_at
from service.core.rules.images import old_form, v2_form
from service.core.rules.ledger import EVERY_COUNT, Move, next_version, place_from
from service.core.rules.ledger_writes import PlaceReading, edited, tombstone_write, v2_write
from service.core.rules.restore import restore_write, two_live
from service.core.rules.unit_writes import with_units
from service.core.rules.units import ABSENT, UnitChange, hashes, old_units, remembered, written_since


def resumed(mapping: Mapping, change: OldChange, v2: V2State, move: Move) -> ForwardPlan | None:
    """The plan for a move that was begun, by what v2's application has done at the two places since; None: decide it anew.

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
    source, goal = (reading_at(v2, place_from(text)) for text in (move.source, move.goal))
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
    cause = ConflictCause("deleted", change_units(mapping, change))
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
) -> ForwardPlan | None:
    """As ``resumed``, while the item is live at its previous place."""
    version = next_version(move.version)
    if not goal.is_live(mapping.stamp):
        write = restore_write(mapping, source, version, EVERY_COUNT, move.units)
        cause = ConflictCause("deleted", change_units(mapping, change))
        return ForwardPlan("conflict", (write,), (source.place.text,), cause, move=move)
    if _has_content(mapping, source, move.source_hash):
        write = move_tombstone(mapping, source, change.version, v2, move.units)
        tombstoned = (source.place,)
        return ForwardPlan("applied", (write,), (goal.place.text,), tombstoned=tombstoned, keeps_log=True, move=move)
    return None if as_put else _joined(mapping, change, v2, move, source, goal)


def without_goal(mapping: Mapping, plan: ForwardPlan, v2: V2State, move: Move) -> ForwardPlan:
    """The plan of a change that was decided anew, with a tombstone at the new place if the item does not move there any more."""
    goal = reading_at(v2, place_from(move.goal))
    assert goal is not None
    if plan.outcome == "unread" or goal.place.text in plan.places:
        return plan
    write = tombstone_write(mapping, goal, next_version(move.version), v2.seen)
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
    after = with_units(mapping.entity_of(old_there), old_there, there, taken)
    content, made = edited(mapping, without_stamp(goal.item, mapping.stamp), old_there, after)
    if (made.table, made.key) != (goal.place.table, goal.place.key):
        return two_live(mapping, change, v2, (goal, source))
    version, units = next_version(move.version), remembered({*move.units, *(step.unit for step in taken)})
    stamp = Stamp(version, residue=made.residue, absent=made.absent, base=v2.seen, moved=frozenset(units))
    again = replace(
        move,
        goal_hash=hash_of(content),
        source_hash=hash_at(mapping, source),
        source_units=hashes(here),
        units=units,
        version=version,
    )
    writes = (
        v2_write(mapping, goal, content, stamp),
        move_tombstone(mapping, source, next_version(version), v2, units),
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


def is_applied(mapping: Mapping, known: Sequence[PlaceReading], version: str) -> bool:
    """Whether the guarded rule has applied a change at one of the known places: before `dual`, and then its worker crashed. Judged
    together with it, the changes after it would seem to meet a write of v2's application."""
    return any(covers(mapping, reading, version) for reading in known)


def covers(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether the guarded rule has applied this change, or a later one, at a place: before `dual`, and then crashed."""
    stamp = sound_stamp(reading.item, mapping.stamp)
    return stamp is not None and stamp.base is None and stamp.version >= version


def finished_guarded_move(
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


def _has_content(mapping: Mapping, reading: PlaceReading, hashed: str) -> bool:
    """Whether a place has a live item with this ``content_hash``."""
    return reading.is_live(mapping.stamp) and hash_at(mapping, reading) == hashed


def hash_at(mapping: Mapping, reading: PlaceReading) -> str:
    assert reading.item is not None
    return hash_of(without_stamp(reading.item, mapping.stamp))


def hash_of(content: Item) -> str:
    """Equal for equal items: what is read has its sets in another order than what was put."""
    return content_hash(item_in_one_form(content))


def move_tombstone(
    mapping: Mapping, source: PlaceReading, version: str, v2: V2State, units: Sequence[str]
) -> Put | Update:
    """The tombstone at the place that the item leaves."""
    return v2_write(mapping, source, {}, Stamp(version, base=v2.seen, tombstone=True, moved=frozenset(units)))
