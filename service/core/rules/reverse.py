"""The ledger rule, reverse: what a change of a v2 table becomes on the old table (DESIGN section 6).

A record is a hint: what is carried is what v2 holds now. Two live places of one item are carried nowhere: they are held
until a record finds one of them gone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.core.item.change import Change
from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.wire import Item
from service.core.item.write import Put
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from service.core.rules.authorship import Authorship, authorship_on_v2, is_bare, live
from service.core.rules.forward import old_form, old_image
from service.core.rules.ledger import Entry, Place, Track, next_count, place_from
from service.core.rules.ledger_writes import Found
from service.errors import Poison

Outcome = Literal["applied", "carried_back", "own", "duplicate", "held"]


@dataclass(frozen=True, slots=True)
class ReversePlan:
    """What is to be done about one record of a v2 table, all in one transaction with ``entry``.

    put: of the old item, or a tombstone in its place. entry None: the ledger has this record already. ours: tablesplit made
    the change.
    """

    outcome: Outcome
    entry: Entry | None
    put: Put | None = None
    ours: bool = False


def says_nothing(mapping: Mapping, place: Place, change: Change) -> bool:
    """Whether a record shows no item before or after it: a tombstone came or went. It moves no content and is left out."""
    return not any(live(image, place.key, mapping.stamp) for image in (change.old, change.new))


def old_key_of(mapping: Mapping, place: Place, change: Change) -> Item:
    """The key of the old item that a v2 record is about: that of the image whose fields lead to its key.

    Raises Poison when no image tells it.
    """
    poison = Poison(f"no image of the v2 item {place.key} in {place.table} tells its old item", reason="unknown_key")
    told: Item | None = None
    for image in (change.new, change.old):
        if image is None or is_bare(image, place.key, mapping.stamp):
            continue
        try:
            old = old_form(mapping, place, image)
            told = told or {name: old[name] for name in mapping.old.key_names}
            if v2_place(mapping, old) == (place.table, place.key):
                return {name: old[name] for name in mapping.old.key_names}
        except Poison as unreadable:
            poison = unreadable
    if told is None:
        raise poison
    return told


def reverse_places(mapping: Mapping, place: Place, entry: Entry, old_now: Item | None) -> list[Place]:
    """The v2 places to read for a record at ``place``: it, the one of the old item as it is now, and those that the ledger
    knows to be live."""
    places = {place.text: place} | {text: place_from(text) for text in entry.keys}
    now = old_image(mapping, old_now)
    try:
        home = Place(*v2_place(mapping, now)) if now is not None else place
    except Poison:  # it cannot be mapped: it has no place
        home = place
    return list({**places, home.text: home}.values())


def reverse_plan(
    mapping: Mapping, place: Place, change: Change, version: str, entry: Entry, found: Sequence[Found], now: float
) -> ReversePlan:
    """What becomes of a record of a v2 table, at ``version``, given the ledger entry and the known places read after it.

    ``now``: epoch seconds, for how long an item has been held. Raises Poison when v2 holds something that has no old item:
    then ``passed`` gives the entry that notes the record, and the key goes to quarantine.
    """
    if version <= entry.track(place).done:
        return ReversePlan("duplicate", None)
    author = authorship_on_v2(change, mapping.stamp, entry, place)
    alive = [one for one in found if live(one.item, one.place.key, mapping.stamp)]
    advanced = replace(_advanced(entry, place, version, author), keys=tuple(one.place.text for one in alive))
    if len(alive) > 1:
        held = replace(advanced, held_since=now if entry.held_since is None else entry.held_since)
        return ReversePlan("held", held, ours=author.ours)
    carried_back = author.ours and author.stamp is not None and (author.stamp.base or "") < entry.put
    freed = replace(advanced, held_since=None)
    if author.ours and not carried_back and entry.held_since is None:
        return ReversePlan("own", freed, ours=True)
    put = next_count(entry.put)
    written = _old_item(mapping, alive[0], entry.key, put) if alive else _buried(mapping, entry.key, put)
    outcome: Outcome = "carried_back" if author.ours else "applied"
    return ReversePlan(outcome, replace(freed, put=put), Put(mapping.old.table, written), ours=author.ours)


def passed(mapping: Mapping, place: Place, change: Change, version: str, entry: Entry) -> Entry | None:
    """The entry once a record is noted and nothing is written for it; None when the ledger has it already."""
    if version <= entry.track(place).done:
        return None
    return _advanced(entry, place, version, authorship_on_v2(change, mapping.stamp, entry, place))


def _advanced(entry: Entry, place: Place, version: str, author: Authorship) -> Entry:
    return entry.tracking(place, Track(version, author.seen))


def _old_item(mapping: Mapping, found: Found, key: Item, version: str) -> Item:
    """The old item that stands for the live v2 item, stamped."""
    old = carried(mapping, found)
    if any(old[name] != value for name, value in key.items()):
        raise _misplaced(found, "its fields name another old item")
    return {**old, mapping.stamp: encode_stamp(Stamp(version))}


def carried(mapping: Mapping, found: Found) -> Item:
    """The old item that reverse makes of a live v2 item, without its stamp. Raises Poison when there is none."""
    assert found.item is not None
    old = old_form(mapping, found.place, found.item)
    if mapping.stamp in old:
        raise _misplaced(found, f"its own attribute {mapping.stamp!r} has the stamp's name")
    v2 = forward(mapping, old)
    if (v2.table, v2.key) != (found.place.table, found.place.key):
        raise _misplaced(found, "its fields lead to another key")
    return old


def _buried(mapping: Mapping, key: Item, version: str) -> Item:
    return {**key, mapping.stamp: encode_stamp(Stamp(version, tombstone=True))}


def _misplaced(found: Found, why: str) -> Poison:
    return Poison(
        f"v2 item {found.place.key} of {found.place.table}: {why}",
        reason="v2_key_mismatch",
        remedy="correct the item on v2 (an item moves by a put at its new key and a delete at the old one), "
        "then `tablesplit quarantine retry`",
    )
