"""The ledger rule, forward: what is written on v2 for a change of the old table, once both sides may be written (DESIGN section 6).

v2 wins. A change is applied as it is when v2 still agrees with the change's old image; it is merged when both sides have changed
different fields; otherwise it goes, whole, to the conflict log.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.core.item.change import Change
from service.core.item.compare import equal_or_absent
from service.core.item.stamp import is_bare_tombstone, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.item.write import Check, Put, Update
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key, v2_place
from service.core.rules.authorship import authorship_on_old
from service.core.rules.ledger import Entry, Place, is_count, place_from
from service.core.rules.ledger_writes import PlaceReading, replacement, tombstone_update, unchanged
from service.core.rules.merge import three_way
from service.errors import Poison

Outcome = Literal["applied", "merged", "duplicate", "conflict", "own", "unread"]


@dataclass(frozen=True, slots=True)
class ConflictCause:
    """Why a change goes to the conflict log."""

    reason: Literal["overlap", "deleted", "two_live_keys", "unreadable"]
    fields: tuple[str, ...] = ()
    """The old attributes, or fields, that both sides have changed."""


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """The outcome of one change, and all that is written for it, in one transaction with ``entry``."""

    outcome: Outcome
    entry: Entry | None
    """The new ledger entry; None: the ledger stays as it is."""
    writes: tuple[Put | Update | Check, ...] = ()
    """On v2, each on the condition that the place is as it was read."""
    conflict: ConflictCause | None = None
    """With outcome ``conflict``: why the change goes to the conflict log."""
    tombstoned: tuple[Place, ...] = ()
    """The places that get a tombstone."""
    missing: Place | None = None
    """With outcome ``unread``: a place that must be read too before the change can be decided."""


@dataclass(frozen=True, slots=True)
class _Readings:
    """The known places as read, and the stamp for what is written there."""

    version: str
    base: str
    known: Sequence[PlaceReading]
    live: Sequence[PlaceReading]

    @property
    def live_keys(self) -> tuple[str, ...]:
        """The texts of the live places, as ``Entry.keys`` keeps them."""
        return tuple(reading.place.text for reading in self.live)


def known_places(mapping: Mapping, change: Change, entry: Entry) -> list[Place]:
    """The v2 places to read for a change of the old table: those that the ledger knows to be live, and those of its images.

    An image that cannot be mapped has no place.
    """
    places = {text: place_from(text) for text in entry.keys}
    for image in (change.old, change.new):
        place = place_of_old(mapping, image)
        if place is not None:
            places.setdefault(place.text, place)
    return list(places.values())


def forward_plan(
    mapping: Mapping, change: Change, version: str, entry: Entry, known: Sequence[PlaceReading], now: float
) -> ForwardPlan:
    """The plan for a change of the old table at ``version``.

    ``entry`` is its ledger entry, ``known`` the known places, read after it. ``now`` (epoch seconds) is recorded as
    ``held_since`` if the item becomes held.

    Rules, in this order: a change that the ledger has already is a duplicate; our own writes only advance the ledger; a change
    that the guarded rule has applied is not applied again; two live places hold the item, and the change goes to the conflict log;
    all else is decided by comparing v2 with the change's images.

    Raises Poison when the change is to be written and cannot be mapped: then quarantine it and write nothing else.
    """
    if version <= entry.done:
        return ForwardPlan("duplicate", None)
    author = authorship_on_old(change, mapping.stamp, entry)
    advanced = replace(entry, done=version, seen=author.seen)
    if author.ours:
        return ForwardPlan("own", advanced)
    live = [reading for reading in known if reading.is_live(mapping.stamp)]
    readings = _Readings(version, author.seen, known, live)
    covering = [reading for reading in known if _covers(mapping, reading, version)]
    if covering:
        return _finished_move(mapping, readings, covering, advanced)
    if len(live) > 1:
        # Reverse may have seen only one of the two places, so forward holds the item too.
        return _conflict(mapping, readings, advanced.held(now), ConflictCause("two_live_keys"))
    return _decided(mapping, change, readings, advanced)


def must_read_places(change: Change, mapping: Mapping, version: str, entry: Entry) -> bool:
    """Whether the known places must be read for a change: it is new, and the application's."""
    return version > entry.done and not authorship_on_old(change, mapping.stamp, entry).ours


def old_image(mapping: Mapping, image: Item | None) -> Item | None:
    """An image of the old table as the application sees it: without our stamp; None also for a bare tombstone."""
    if image is None or is_bare_tombstone(image, old_key(mapping, image), mapping.stamp):
        return None
    stamp = sound_stamp(image, mapping.stamp)
    if stamp is None or not is_count(stamp.version):  # the application's own attribute under that name is content
        return image
    return without_stamp(image, mapping.stamp)


def old_form(mapping: Mapping, place: Place, item: Item) -> Item:
    """The old item that a live v2 item represents. Raises Poison when there is none."""
    stamp = sound_stamp(item, mapping.stamp)
    if stamp is not None and stamp.tombstone:  # the application has added to a tombstone, which kept its stamp
        item = without_stamp(item, mapping.stamp)
    return inverse(mapping, item, place.table)


def place_of_old(mapping: Mapping, old: Item | None) -> Place | None:
    """The v2 place where an old item, or an image of it, belongs; None for no item (``old_image``), or when it cannot be mapped."""
    image = old_image(mapping, old)
    try:
        return Place(*v2_place(mapping, image)) if image is not None else None
    except Poison:
        return None


def _covers(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether the guarded rule has applied this change, or a later one, at a place: before `dual`, and then crashed."""
    stamp = sound_stamp(reading.item, mapping.stamp)
    return stamp is not None and stamp.base is None and stamp.version >= version


def _finished_move(
    mapping: Mapping, readings: _Readings, covering: Sequence[PlaceReading], entry: Entry
) -> ForwardPlan:
    """Completes a move of the guarded rule that a crash interrupted: the item is at its new key, and still at the previous one."""
    vacated = [
        reading
        for reading in readings.live
        if reading not in covering and _is_older(mapping, reading, readings.version)
    ]
    writes = tuple(
        tombstone_update(mapping, reading, readings.version, readings.base)
        if reading in vacated
        else unchanged(mapping, reading)
        for reading in readings.known
    )
    keys = tuple(reading.place.text for reading in readings.live if reading not in vacated)
    tombstoned = tuple(reading.place for reading in vacated)
    return ForwardPlan("applied" if vacated else "duplicate", replace(entry, keys=keys), writes, tombstoned=tombstoned)


def _is_older(mapping: Mapping, reading: PlaceReading, version: str) -> bool:
    """Whether the item at a place was written at a version below ``version``."""
    stamp = sound_stamp(reading.item, mapping.stamp)
    return stamp is not None and stamp.version < version


def _decided(mapping: Mapping, change: Change, readings: _Readings, entry: Entry) -> ForwardPlan:
    """The plan for a change of the application that meets at most one live place.

    ``theirs`` is v2 as an old item, ``base`` and ``mine`` are the change's images; all three may be absent.
    """
    try:
        theirs = _v2_as_old(mapping, readings)
    except Poison:
        return _conflict(mapping, readings, entry, ConflictCause("unreadable"))
    base, mine = old_image(mapping, change.old), old_image(mapping, change.new)
    if equal_or_absent(theirs, mine):
        return _without_write(mapping, readings, entry, "duplicate")
    if equal_or_absent(theirs, base):
        return _written(mapping, readings, entry, mine, "applied")
    if base is None or theirs is None or mine is None:
        return _conflict(mapping, readings, entry, ConflictCause("overlap" if theirs and mine else "deleted"))
    merge = three_way(mapping, base, theirs, mine)
    if merge.item is None:
        return _conflict(mapping, readings, entry, ConflictCause("overlap", merge.overlap))
    if equal_or_absent(theirs, merge.item):
        return _without_write(mapping, readings, entry, "duplicate")
    return _written(mapping, readings, entry, merge.item, "merged")


def _v2_as_old(mapping: Mapping, readings: _Readings) -> Item | None:
    """The old form of the one live item; None when no place is live. Raises Poison when the item has no old form."""
    if not readings.live:
        return None
    live = readings.live[0]
    assert live.item is not None
    return old_form(mapping, live.place, live.item)


def _written(
    mapping: Mapping, readings: _Readings, entry: Entry, old: Item | None, outcome: Literal["applied", "merged"]
) -> ForwardPlan:
    """v2 is made to represent ``old`` (None: no item)."""
    if old is None:
        return _removed(mapping, readings, entry)
    return _placed(mapping, readings, entry, old, outcome)


def _removed(mapping: Mapping, readings: _Readings, entry: Entry) -> ForwardPlan:
    """The plan that leaves no live item on v2: a tombstone at every live place."""
    tombstoned = tuple(reading.place for reading in readings.live)
    writes: tuple[Update | Check, ...] = (
        *_tombstone_updates(mapping, readings, readings.live),
        *_unchanged_elsewhere(mapping, readings, tombstoned),
    )
    return ForwardPlan("applied", replace(entry, keys=()), writes, tombstoned=tombstoned)


def _placed(
    mapping: Mapping, readings: _Readings, entry: Entry, old: Item, outcome: Literal["applied", "merged"]
) -> ForwardPlan:
    """The plan that puts the v2 item of ``old`` at its place, with a tombstone at every other live place."""
    v2 = forward(mapping, old)
    goal = Place(v2.table, v2.key)
    at_goal = next((reading for reading in readings.known if reading.place.text == goal.text), None)
    if at_goal is None:  # a merge can lead to a key that neither image has
        return ForwardPlan("unread", None, missing=goal)
    vacated = [reading for reading in readings.live if reading.place.text != goal.text]
    tombstoned = tuple(reading.place for reading in vacated)
    writes = (
        replacement(mapping, at_goal, v2, readings.version, readings.base),
        *_tombstone_updates(mapping, readings, vacated),
        *_unchanged_elsewhere(mapping, readings, (goal, *tombstoned)),
    )
    return ForwardPlan(outcome, replace(entry, keys=(goal.text,)), writes, tombstoned=tombstoned)


def _tombstone_updates(mapping: Mapping, readings: _Readings, vacated: Sequence[PlaceReading]) -> list[Update | Check]:
    return [tombstone_update(mapping, reading, readings.version, readings.base) for reading in vacated]


def _unchanged_elsewhere(mapping: Mapping, readings: _Readings, written: Sequence[Place]) -> list[Check]:
    """Checks that every known place outside ``written`` is as it was read."""
    texts = {place.text for place in written}
    return [unchanged(mapping, reading) for reading in readings.known if reading.place.text not in texts]


def _conflict(mapping: Mapping, readings: _Readings, entry: Entry, cause: ConflictCause) -> ForwardPlan:
    return replace(_without_write(mapping, readings, entry, "conflict"), conflict=cause)


def _without_write(mapping: Mapping, readings: _Readings, entry: Entry, outcome: Outcome) -> ForwardPlan:
    """The plan that writes nothing on v2, and still checks that every known place is as it was read."""
    checks = tuple(_unchanged_elsewhere(mapping, readings, ()))
    return ForwardPlan(outcome, replace(entry, keys=readings.live_keys), checks)
