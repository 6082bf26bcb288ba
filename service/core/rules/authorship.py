"""Who made a change: the application, or tablesplit (DESIGN section 4).

Comparing content with a hash would not do: an application that puts back an earlier image, stamp included, would pass for us,
and its write would be lost.
"""

from collections.abc import Callable
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import Stamp, decode_stamp
from service.core.item.v2_item import content_hash
from service.core.item.wire import Item
from service.core.rules.ledger import Entry, Place, count_version, is_count
from service.errors import Poison


class Authorship(NamedTuple):
    """Who made a change, and the highest stamp version that its stream has shown of the item, this change included."""

    ours: bool
    seen: str
    stamp: Stamp | None


def authorship_on_old(change: Change, stamp_name: str, entry: Entry) -> Authorship:
    """Who made a change of the old table.

    Ours if and only if its new stamp differs from the one before and is above every count seen for this item. A Put by the
    application drops the stamp, an Update keeps it, writing back an earlier image brings an earlier one back.
    """
    return _authorship(change, stamp_name, entry.seen, lambda stamp: is_count(stamp.version))


def authorship_on_v2(change: Change, stamp_name: str, entry: Entry, place: Place) -> Authorship:
    """Who made a change of a v2 table, once the ledger rule is in force there.

    As on the old table. A stamp without a base, or with the base of an earlier epoch, was written before this entry began,
    and those records have all been read: it can only be an image that the application has put back.
    """
    floor = count_version(entry.epoch, 0)
    return _authorship(change, stamp_name, entry.track(place).seen, lambda stamp: (stamp.base or "") >= floor)


def has_base(change: Change, stamp_name: str) -> bool:
    """Whether the new image carries a stamp of the ledger rule."""
    stamp = _stamp(change.new, stamp_name)
    return stamp is not None and stamp.base is not None


def made_by_guarded_rule(change: Change, stamp_name: str) -> bool:
    """Whether tablesplit made a change of a v2 table before the first `dual`. It decides nothing but an alert.

    A copy or a change is stamped above what was there; a repair keeps the version, and its stamp tells the content that it
    wrote; the removal of a bare tombstone is ours.
    """
    before, after = _stamp(change.old, stamp_name), _stamp(change.new, stamp_name)
    if change.new is None:
        return is_bare(change.old, change.key, stamp_name)
    if after is None or (before is not None and after.version < before.version):
        return False
    if before is None or after.version > before.version or is_bare(change.new, change.key, stamp_name):
        return True
    return after.content_hash == content_hash({name: value for name, value in change.new.items() if name != stamp_name})


def _authorship(change: Change, stamp_name: str, seen: str, genuine: Callable[[Stamp], bool]) -> Authorship:
    before, after = _stamp(change.old, stamp_name), _stamp(change.new, stamp_name)
    known = max(seen, before.version if before is not None and genuine(before) else "")
    if change.new is None:
        return Authorship(is_bare(change.old, change.key, stamp_name), known, None)
    ours = after is not None and after != before and genuine(after) and after.version > known
    return Authorship(ours, after.version if ours and after is not None else known, after)


def by_ledger_rule(item: Item, stamp_name: str) -> bool:
    """Whether an item of either side was written by the ledger rule: its stamp has a base, or counts reverse's writes."""
    stamp = _stamp(item, stamp_name)
    return stamp is not None and (stamp.base is not None or is_count(stamp.version))


def is_bare(image: Item | None, key: Item, stamp_name: str) -> bool:
    """Whether an image is a bare tombstone: its key, and a stamp that says so. An update by the application adds to it."""
    if image is None or image.keys() != {*key, stamp_name}:
        return False
    stamp = _stamp(image, stamp_name)
    return stamp is not None and stamp.tombstone


def live(image: Item | None, key: Item, stamp_name: str) -> bool:
    """Whether an image is an item: there, and no bare tombstone."""
    return image is not None and not is_bare(image, key, stamp_name)


def _stamp(image: Item | None, name: str) -> Stamp | None:
    """The stamp of an image; None also for something else under its name, which the application wrote."""
    try:
        return decode_stamp(image, name) if image is not None else None
    except Poison:
        return None
