"""The ledger rule, forward: what a change of the old table becomes on v2 once both sides may be written (DESIGN section 6).

v2 wins. A change is carried whole where v2 still holds what the change found on old; merged where both sides have changed
different fields; and kept, whole, in the conflict log otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.core.item.change import Change
from service.core.item.compare import equal
from service.core.item.stamp import Stamp, decode_stamp
from service.core.item.wire import Item
from service.core.item.write import Check, Put, Update
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from service.core.rules.authorship import authorship_on_old, is_bare, live
from service.core.rules.ledger import Entry, Place, is_count, place_from
from service.core.rules.ledger_writes import Found, burial, replacement, unchanged
from service.core.rules.merge import three_way
from service.errors import Poison

Outcome = Literal["applied", "merged", "duplicate", "conflict", "own", "unread"]


@dataclass(frozen=True, slots=True)
class Dispute:
    """Why a change goes to the conflict log. fields: the old attributes, or fields, that both sides changed."""

    reason: Literal["overlap", "deleted", "two_live_keys", "unreadable"]
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """What is to be done about one change, all in one transaction with ``entry``.

    writes: on v2, each conditional on what was read. dispute: the change goes to the conflict log. entry None: the ledger
    has this record already. buried: the places that get a tombstone. missing (outcome ``unread``): a place to read with the
    others before this can be decided.
    """

    outcome: Outcome
    entry: Entry | None
    writes: tuple[Put | Update | Check, ...] = ()
    dispute: Dispute | None = None
    buried: tuple[Place, ...] = ()
    missing: Place | None = None


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a change meets: its version, the base of what is written for it, and the known places."""

    version: str
    base: str
    found: Sequence[Found]
    live: Sequence[Found]


def known_places(mapping: Mapping, change: Change, entry: Entry) -> list[Place]:
    """The v2 places to read for a change of the old table: those of its images, and those that the ledger knows to be live.

    An image that cannot be mapped has no place.
    """
    places = {text: place_from(text) for text in entry.keys}
    for image in (old_image(mapping, change.old), old_image(mapping, change.new)):
        place = _place_of(mapping, image)
        if place is not None:
            places.setdefault(place.text, place)
    return list(places.values())


def forward_plan(
    mapping: Mapping, change: Change, version: str, entry: Entry, found: Sequence[Found], now: float
) -> ForwardPlan:
    """What becomes of a change of the old table, at ``version``, given its ledger entry and the known places read after it.

    ``now``: epoch seconds, for how long an item has been held.

    Raises Poison when the change is to be written and cannot be mapped: then nothing may be done but to quarantine it.
    """
    if version <= entry.done:
        return ForwardPlan("duplicate", None)
    author = authorship_on_old(change, mapping.stamp, entry)
    advanced = replace(entry, done=version, seen=author.seen)
    if author.ours:
        return ForwardPlan("own", advanced)
    alive = [one for one in found if live(one.item, one.place.key, mapping.stamp)]
    reading = _Reading(version, author.seen, found, alive)
    covering = [one for one in found if _covers(mapping, one, version)]
    if covering:
        return _finished_move(mapping, reading, covering, advanced)
    if len(alive) > 1:
        # Reverse may have seen only one of them: whoever finds two holds the item.
        held = replace(advanced, held_since=now if entry.held_since is None else entry.held_since)
        return _disputed(mapping, reading, held, Dispute("two_live_keys"))
    return _decided(mapping, change, reading, advanced)


def is_read(change: Change, mapping: Mapping, version: str, entry: Entry) -> bool:
    """Whether the known places must be read for a change: it is new, and the application's."""
    return version > entry.done and not authorship_on_old(change, mapping.stamp, entry).ours


def old_image(mapping: Mapping, image: Item | None) -> Item | None:
    """An image of the old table as the application sees it: without our stamp; None for a bare tombstone too."""
    key = {name: image[name] for name in mapping.old.key_names} if image is not None else {}
    if image is None or is_bare(image, key, mapping.stamp):
        return None
    stamp = _stamp(mapping, image)
    if stamp is None or not is_count(stamp.version):  # the application's own attribute of that name is an attribute
        return image
    return {name: value for name, value in image.items() if name != mapping.stamp}


def old_form(mapping: Mapping, place: Place, item: Item) -> Item:
    """A live v2 item as the old item that it stands for. Raises Poison when it stands for none."""
    stamp = _stamp(mapping, item)
    if stamp is not None and stamp.tombstone:  # the application has revived it, with the stamp that stood there
        item = {name: value for name, value in item.items() if name != mapping.stamp}
    return inverse(mapping, item, place.table)


def _covers(mapping: Mapping, found: Found, version: str) -> bool:
    """Whether the guarded rule has applied this change, or a later one, at a place: before `dual`, and after a crash only."""
    stamp = _stamp(mapping, found.item) if found.item is not None else None
    return stamp is not None and stamp.base is None and stamp.version >= version


def _finished_move(mapping: Mapping, reading: _Reading, covering: Sequence[Found], entry: Entry) -> ForwardPlan:
    """What a crash has left of a guarded move: the item stands at its new key, and still at the one that it left."""
    left = [one for one in reading.live if one not in covering and _below(mapping, one, reading.version)]
    writes = tuple(
        burial(mapping, one, reading.version, reading.base) if one in left else unchanged(mapping, one)
        for one in reading.found
    )
    keys = tuple(one.place.text for one in reading.live if one not in left)
    buried = tuple(one.place for one in left)
    return ForwardPlan("applied" if left else "duplicate", replace(entry, keys=keys), writes, buried=buried)


def _below(mapping: Mapping, found: Found, version: str) -> bool:
    stamp = _stamp(mapping, found.item) if found.item is not None else None
    return stamp is not None and stamp.version < version


def _decided(mapping: Mapping, change: Change, reading: _Reading, entry: Entry) -> ForwardPlan:
    now = reading.live[0] if reading.live else None
    try:
        theirs = old_form(mapping, now.place, now.item) if now is not None and now.item is not None else None
    except Poison:
        return _disputed(mapping, reading, entry, Dispute("unreadable"))
    base, mine = old_image(mapping, change.old), old_image(mapping, change.new)
    if _same(theirs, mine):
        return _without_write(mapping, reading, entry, "duplicate", None)
    if _same(theirs, base):
        return _written(mapping, reading, entry, mine, "applied")
    if base is None or theirs is None or mine is None:
        return _disputed(mapping, reading, entry, Dispute("overlap" if theirs and mine else "deleted"))
    merge = three_way(mapping, base, theirs, mine)
    if merge.item is None:
        return _disputed(mapping, reading, entry, Dispute("overlap", merge.overlap))
    if _same(theirs, merge.item):
        return _without_write(mapping, reading, entry, "duplicate", None)
    return _written(mapping, reading, entry, merge.item, "merged")


def _written(
    mapping: Mapping, reading: _Reading, entry: Entry, old: Item | None, outcome: Literal["applied", "merged"]
) -> ForwardPlan:
    """v2 becomes ``old`` (None: nothing): at its own key, with a tombstone where it lived before."""
    v2 = forward(mapping, old) if old is not None else None
    goal = Place(v2.table, v2.key) if v2 is not None else None
    writes: list[Put | Update | Check] = []
    if v2 is not None and goal is not None:
        there = next((one for one in reading.found if one.place.text == goal.text), None)
        if there is None:  # a merge can lead to a key that no image has
            return ForwardPlan("unread", None, missing=goal)
        writes.append(replacement(mapping, there, v2, reading.version, reading.base))
    left = [one for one in reading.live if goal is None or one.place.text != goal.text]
    writes += [burial(mapping, one, reading.version, reading.base) for one in left]
    written = {place.text for place in (goal, *(one.place for one in left)) if place is not None}
    writes += [unchanged(mapping, one) for one in reading.found if one.place.text not in written]
    keys = (goal.text,) if goal is not None else ()
    return ForwardPlan(outcome, replace(entry, keys=keys), tuple(writes), buried=tuple(one.place for one in left))


def _disputed(mapping: Mapping, reading: _Reading, entry: Entry, dispute: Dispute) -> ForwardPlan:
    return _without_write(mapping, reading, entry, "conflict", dispute)


def _without_write(
    mapping: Mapping, reading: _Reading, entry: Entry, outcome: Outcome, dispute: Dispute | None
) -> ForwardPlan:
    """Nothing is written on v2, but what was decided holds only for what was read."""
    checks = tuple(unchanged(mapping, one) for one in reading.found)
    keys = tuple(one.place.text for one in reading.live)
    return ForwardPlan(outcome, replace(entry, keys=keys), checks, dispute)


def _same(first: Item | None, second: Item | None) -> bool:
    if first is None or second is None:
        return first is second
    return equal(first, second)


def _place_of(mapping: Mapping, image: Item | None) -> Place | None:
    try:
        return Place(*v2_place(mapping, image)) if image is not None else None
    except Poison:
        return None


def _stamp(mapping: Mapping, item: Item) -> Stamp | None:
    try:
        return decode_stamp(item, mapping.stamp)
    except Poison:  # something else under the stamp's name, which the application wrote
        return None
