"""The ledger rule, forward: what is written on v2 for a change of the old table, once both sides may be written (DESIGN section 6).

A change is carried as the units that it changed, never as an image. A unit is carried if v2 still has what the change replaced;
otherwise v2 keeps its value and the change of that unit goes to the conflict log. A delete is carried only if nothing of the item
differs on v2; otherwise v2 gets a *restore* record: the same item with a stamp that names the units which reverse must give back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import Stamp, V2Item, without_stamp
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.authorship import authorship_on_old
from service.core.rules.forward_moves import (
    covers,
    finished_guarded_move,
    hash_at,
    hash_of,
    move_tombstone,
    resumed,
    without_goal,
)
from service.core.rules.forward_plan import (
    ConflictCause,
    ForwardPlan,
    OldChange,
    Outcome,
    V2State,
    change_units,
    reading_at,
    waiting_units,
    without_write,
)
from service.core.rules.images import old_form, old_image, place_of_old
from service.core.rules.ledger import Entry, Move, Place, next_version, place_from
from service.core.rules.ledger_writes import PlaceReading, tombstone_write, v2_write, with_difference
from service.core.rules.restore import is_remains, is_stamped, put_back, refused_delete, two_live
from service.core.rules.unit_verdicts import Writable, judge_units, writable_units
from service.core.rules.units import (
    ABSENT,
    Form,
    changed_units,
    counters,
    differing,
    hashes,
    old_units,
    remembered,
    same,
    v2_units,
)
from service.errors import Poison


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


def may_have_moved(plan: ForwardPlan, entry: Entry, seen: str) -> bool:
    """Whether a change would be lost because v2 has no item, although v2's application may only have moved it: the records of a
    move are not carried yet. ``seen``: the highest count seen before the change.

    A delete that reverse has carried since is one; of a move, reverse notes where the item is. It carries nothing while a claim of
    a move of forward's is open.
    """
    cause, claim = plan.conflict, entry.forward.claim
    moving = claim is not None and claim.move is not None
    return cause is not None and cause.reason == "deleted" and entry.reverse.whole <= seen and not moving


def forward_plan(mapping: Mapping, change: OldChange, v2: V2State) -> ForwardPlan:
    """The plan for a change of the old table by the application.

    In this order: a change that the guarded rule has applied is not applied again; an item that is live at two places is held, and
    the change goes to the conflict log; the rest is decided by table F of DESIGN section 6.

    Raises Poison when nothing of the change can be written on v2: then the whole item waits in quarantine.
    """
    live = [reading for reading in v2.known if reading.is_live(mapping.stamp)]
    covering = [reading for reading in v2.known if covers(mapping, reading, change.version)]
    if covering:
        return finished_guarded_move(mapping, change, v2, covering, live)
    if v2.begun is not None:
        return resumed(mapping, change, v2, v2.begun) or _moved_anew(mapping, change, v2, v2.begun)
    if len(live) > 1:
        return two_live(mapping, change, v2, live)
    if live and change.new is not None and is_stamped(mapping, live[0], change.version):
        # By another worker, after this one had read the ledger.
        return ForwardPlan("applied", places=(live[0].place.text,), made=True, keeps_log=True)
    return _decided(mapping, change, v2, next(iter(live), None))


def _moved_anew(mapping: Mapping, change: OldChange, v2: V2State, move: Move) -> ForwardPlan:
    """v2's application has written the item at its previous place since the move was begun: the change is decided on that."""
    source = reading_at(v2, place_from(move.source))
    return without_goal(mapping, _decided(mapping, change, v2, source), v2, move)


def _decided(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading | None) -> ForwardPlan:
    """The plan for a change that meets at most one item on v2, ``source``."""
    if change.new is None:
        return _deleted(mapping, change, v2, source)
    if source is None:
        return _on_absent(mapping, change, v2)
    return _on_live(mapping, change, v2, source)


def _deleted(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading | None) -> ForwardPlan:
    """A delete is carried only if v2 has exactly what was deleted. Otherwise reverse gives old its item back."""
    if source is None or change.old is None:
        return ForwardPlan("duplicate", places=(source.place.text,) if source is not None else ())
    assert source.item is not None
    if is_remains(mapping, source):
        return put_back(mapping, change, source)
    now = v2_units(mapping, old_form(mapping, source.place, source.item), source.item)
    written_unseen = differing(now, old_units(mapping, change.old) | change.bases)
    if not written_unseen:
        write = tombstone_write(mapping, source, change.version, v2.seen)
        return ForwardPlan("applied", (write,), tombstoned=(source.place,))
    entity = mapping.entity_of(change.old)
    return refused_delete(mapping, change, v2, source, remembered(written_unseen | counters(entity, now)))


def _on_absent(mapping: Mapping, change: OldChange, v2: V2State) -> ForwardPlan:
    """v2 has no item: a create is carried whole, an update is lost against v2's delete."""
    assert change.new is not None
    if change.old is not None:
        lost = change_units(mapping, change)
        return without_write((), "conflict" if lost else "duplicate", ConflictCause("deleted", lost) if lost else None)
    made = forward(mapping, change.new)
    place = Place(made.table, made.key)
    reading = reading_at(v2, place)
    if reading is None:
        return ForwardPlan("unread", missing=place)
    stamp = Stamp(change.version, residue=made.residue, absent=made.absent, base=v2.seen)
    return ForwardPlan("applied", (v2_write(mapping, reading, made.item, stamp),), (place.text,))


def _on_live(mapping: Mapping, change: OldChange, v2: V2State, source: PlaceReading) -> ForwardPlan:
    """v2 has the item: each unit that was changed is judged by itself."""
    assert source.item is not None
    assert change.new is not None
    base = _base(mapping, change.old if change.old is not None else v2.refused, change.new)
    after = old_units(mapping, change.new)
    try:
        old_now = old_form(mapping, source.place, source.item)
        now = v2_units(mapping, old_now, source.item)
        made = forward(mapping, old_now)
    except Poison as poison:  # what v2's application has written there has no old form
        units = waiting_units(mapping, change)
        return ForwardPlan("waiting", places=(source.place.text,), waiting=units, poison=poison)
    if base is None:
        lost = remembered(unit for unit in differing(now, after) if unit in after and after[unit].raw)
        outcome: Outcome = "conflict" if lost else "duplicate"
        return without_write([source], outcome, ConflictCause("exists", lost) if lost else None)
    if mapping.entity_of(base) is not mapping.entity_of(change.new):
        # Units of another entity, or of none, are no units of this item: the whole item waits.
        forward(mapping, change.new)
    before = old_units(mapping, base) | change.bases
    if change.between and _is_passed_through(mapping, change, before, now):
        return ForwardPlan("apart")
    judged = judge_units(mapping, changed_units(before, after), before, now, change.new)
    writable = writable_units(mapping, old_now, now, judged.carried)
    plan = without_write([source], "duplicate", None)
    if writable.made is not None:
        units = remembered(unit.unit for unit in writable.changes)
        plan = _carried(mapping, change, v2, _Live(source, now, made), writable.made, units)
    return _with_rest(plan, judged.lost, writable)


def _base(mapping: Mapping, before: Item | None, after: Item) -> Item | None:
    """The image by which a change is judged; None: as a create. An item that is of an entity again is judged so: what it was before
    was never on v2, and no longer waits."""
    again = before is not None and mapping.entity_of(before) is None and mapping.entity_of(after) is not None
    return None if again else before


def _is_passed_through(mapping: Mapping, change: OldChange, before: Form, now: Form) -> bool:
    """Whether v2 has, of some unit, a value that one of the changes wrote and a later one replaced. Reverse may have passed v2's
    record of it, because old had the value at that moment. So v2 has written nothing unseen: the later change has replaced it."""
    assert change.new is not None
    units = differing(before, now) - counters(mapping.entity_of(change.new), now)
    return bool(units) and any(_has_any(mapping, image, units, now) for image in change.between)


def _has_any(mapping: Mapping, image: Item, units: Iterable[str], now: Form) -> bool:
    form = old_units(mapping, old_image(mapping, image))
    return any(same(form.get(unit, ABSENT), now.get(unit, ABSENT)) for unit in units)


def _with_rest(plan: ForwardPlan, lost: Sequence[str], writable: Writable) -> ForwardPlan:
    """The plan with the units that are lost and those that wait."""
    if plan.outcome == "unread":
        return plan
    waits = bool(writable.waiting) and not writable.changes
    return replace(
        plan,
        outcome="conflict" if lost else "waiting" if waits else plan.outcome,
        conflict=ConflictCause("overlap", remembered(lost)) if lost else None,
        waiting=remembered(unit.unit for unit in writable.waiting),
        poison=writable.poison,
    )


class _Live(NamedTuple):
    """A live v2 item."""

    reading: PlaceReading
    units: Form
    made: V2Item
    """What the transform makes of its old form. Its key is another than that of the item where v2's application has left the item
    at its former key."""


def _carried(
    mapping: Mapping, change: OldChange, v2: V2State, live: _Live, wanted: V2Item, units: tuple[str, ...]
) -> ForwardPlan:
    """The plan that makes a live item represent the old item of which the transform makes ``wanted``: where it is, or at the
    place to which it moves. ``units``: those that the change carries."""
    source = live.reading
    assert source.item is not None
    content = with_difference(mapping, without_stamp(source.item, mapping.stamp), live.made, wanted, units)
    goal, was = Place(wanted.table, wanted.key), Place(live.made.table, live.made.key)
    stamp = Stamp(change.version, residue=wanted.residue, absent=wanted.absent, base=v2.seen)
    if goal.text in (source.place.text, was.text):
        return ForwardPlan("applied", (v2_write(mapping, source, content, stamp),), (source.place.text,))
    reading = reading_at(v2, goal)
    if reading is None:
        return ForwardPlan("unread", missing=goal)
    # First the new place, then the previous one: a reader may see the item twice, but never misses it.
    version = change.version if v2.begun is None else next_version(v2.begun.version)
    stamp = replace(stamp, version=version, moved=frozenset(units))
    move = Move(
        goal.text, source.place.text, hash_of(content), hash_at(mapping, source), hashes(live.units), units, version
    )
    writes = (v2_write(mapping, reading, content, stamp), move_tombstone(mapping, source, change.version, v2, units))
    return ForwardPlan("applied", writes, (goal.text,), tombstoned=(source.place,), move=move)
