"""The ledger rule, reverse: what is written on the old table for a change of a v2 table (DESIGN section 6).

A stream record only triggers the work: reverse carries what v2 holds now, not the record's image. An item that is live at two
places is not carried. It is held until a record arrives when one of them is gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp, is_bare_tombstone, tombstone_item
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key, v2_place
from service.core.rules.authorship import Authorship, authorship_on_v2, live
from service.core.rules.forward import old_form, place_of_old
from service.core.rules.ledger import Entry, Place, Track, next_count, place_from
from service.core.rules.ledger_writes import PlaceReading
from service.errors import Poison

Outcome = Literal["applied", "carried_back", "own", "duplicate", "held"]


@dataclass(frozen=True, slots=True)
class ReversePlan:
    """The outcome of one record of a v2 table, and all that is written for it, in one transaction with ``entry``."""

    outcome: Outcome
    entry: Entry | None
    """The new ledger entry; None: the ledger has this record already."""
    put: Put | None = None
    """Of the old item, or of a tombstone in its place; None: nothing is written on the old table."""
    ours: bool = False
    """Whether tablesplit made the change."""


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
    places = {place.text: place} | {text: place_from(text) for text in entry.keys}
    of_old = place_of_old(mapping, old_now)
    return list({**places, of_old.text: of_old}.values() if of_old is not None else places.values())


def reverse_plan(
    mapping: Mapping,
    place: Place,
    change: Change,
    version: str,
    entry: Entry,
    known: Sequence[PlaceReading],
    now: float,
) -> ReversePlan:
    """The plan for a record of a v2 table at ``version``.

    ``entry`` is the ledger entry, ``known`` the known places, read after it. ``now`` (epoch seconds) is recorded as
    ``held_since`` if the item becomes held.

    Rules, in this order: a record that the ledger has already is a duplicate; an item that is live at two places is held; the
    rest is one of the cases of ``_case_of``.

    Raises Poison when v2 holds something that has no old item: then ``passed`` gives the entry that records the change as
    done, and the key goes to quarantine.
    """
    if version <= entry.track(place).done:
        return ReversePlan("duplicate", None)
    author = authorship_on_v2(change, mapping.stamp, entry, place)
    live_places = [reading for reading in known if reading.is_live(mapping.stamp)]
    advanced = replace(
        _advanced(entry, place, version, author), keys=tuple(reading.place.text for reading in live_places)
    )
    if len(live_places) > 1:
        return ReversePlan("held", advanced.held(now), ours=author.ours)
    case, released = _case_of(author, entry), replace(advanced, held_since=None)
    if case == "own":
        return ReversePlan("own", released, ours=True)
    put = next_count(entry.put)
    old = (
        _old_item(mapping, live_places[0], entry.key, put)
        if live_places
        else tombstone_item(entry.key, put, mapping.stamp)
    )
    return ReversePlan(case, replace(released, put=put), Put(mapping.old.table, old), ours=author.ours)


def _case_of(author: Authorship, entry: Entry) -> Literal["own", "carried_back", "applied"]:
    """What a record means once the item lives at one place at most.

    | author      | it had seen reverse's last write | item was held | case         | old table          |
    |-------------|----------------------------------|---------------|--------------|--------------------|
    | application | any                              | any           | applied      | gets what v2 holds |
    | tablesplit  | no                               | any           | carried_back | gets what v2 holds |
    | tablesplit  | yes                              | yes           | carried_back | gets what v2 holds |
    | tablesplit  | yes                              | no            | own          | agrees already     |

    Forward had seen reverse's last write unless the base in its stamp is below ``entry.put``. Then reverse had written over an old
    change that forward read only afterwards and applied to v2, so it must be carried back. A purge has no stamp and counts as
    "yes". In every case the item is held no longer.
    """
    if not author.ours:
        return "applied"
    missed_last_write = author.stamp is not None and (author.stamp.base or "") < entry.put
    if missed_last_write or entry.held_since is not None:
        return "carried_back"
    return "own"


def passed(mapping: Mapping, place: Place, change: Change, version: str, entry: Entry) -> Entry | None:
    """The entry that records a change as done without a write; None when the ledger has it already."""
    if version <= entry.track(place).done:
        return None
    return _advanced(entry, place, version, authorship_on_v2(change, mapping.stamp, entry, place))


def _advanced(entry: Entry, place: Place, version: str, author: Authorship) -> Entry:
    return entry.tracking(place, Track(version, author.seen))


def _old_item(mapping: Mapping, reading: PlaceReading, key: Item, version: str) -> Item:
    """The old item that the live v2 item represents, stamped."""
    old = carried(mapping, reading)
    if any(old[name] != value for name, value in key.items()):
        raise _misplaced(reading, "its fields name another old item")
    return {**old, mapping.stamp: encode_stamp(Stamp(version))}


def carried(mapping: Mapping, reading: PlaceReading) -> Item:
    """The old item that reverse makes of a live v2 item, without its stamp. Raises Poison when there is none."""
    assert reading.item is not None
    old = old_form(mapping, reading.place, reading.item)
    if mapping.stamp in old:
        raise _misplaced(reading, f"its own attribute {mapping.stamp!r} has the stamp's name")
    v2 = forward(mapping, old)
    if (v2.table, v2.key) != (reading.place.table, reading.place.key):
        raise _misplaced(reading, "its fields lead to another key")
    return old


def _misplaced(reading: PlaceReading, reason: str) -> Poison:
    return Poison(
        f"v2 item {reading.place.key} of {reading.place.table}: {reason}",
        reason="v2_key_mismatch",
        remedy="correct the item on v2 (an item moves by a put at its new key and a delete at the old one), "
        "then `tablesplit quarantine retry`",
    )
