"""The author of a change: the application, or tablesplit (DESIGN section 4).

Comparing the content with a hash in the stamp would not work: an application that puts back an earlier image, stamp included,
would be taken for tablesplit, and its write would be lost.
"""

from collections.abc import Callable
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import Stamp, content_hash, is_bare_tombstone, own_stamp, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.rules.ledger import count_version, is_count


class Authorship(NamedTuple):
    """The author of a change."""

    ours: bool
    """Whether tablesplit made the change."""
    seen: str
    """The highest stamp version that the stream has shown of the item, this change included."""
    stamp: Stamp | None
    """The stamp of the new image."""


def authorship_on_old(change: Change, stamp_name: str, seen: str) -> Authorship:
    """The author of a change of the old table, of which the counts up to ``seen`` have been seen.

    It is ours if and only if its new stamp differs from the previous one and is above every count seen for this item. A Put by
    the application drops the stamp, an Update keeps it, putting back an earlier image brings an earlier stamp back, and a copy
    under another key brings the stamp of that key.
    """
    return _authorship(change, stamp_name, seen, lambda stamp: is_count(stamp.version))


def authorship_on_v2(change: Change, stamp_name: str, seen: str, epoch: int) -> Authorship:
    """The author of a change of a v2 table, once the ledger rule is in force there. ``seen``: at its place; ``epoch``: of the
    entry.

    As on the old table; but a stamp counts only when its base is of the entry's epoch. A stamp without a base, or with the base of
    an earlier epoch, was written before this entry was made, and all those records have been read: the application has put it back.
    """
    floor = count_version(epoch, 0)
    return _authorship(change, stamp_name, seen, lambda stamp: (stamp.base or "") >= floor)


def has_base(change: Change, stamp_name: str) -> bool:
    """Whether the new image carries a stamp of the ledger rule."""
    stamp = sound_stamp(change.new, stamp_name)
    return stamp is not None and stamp.base is not None


def made_by_guarded_rule(change: Change, stamp_name: str) -> bool:
    """Whether tablesplit made a change of a v2 table before the first `dual`. It decides nothing but an alert.

    A backfill copy or a change has a version above the previous one. A repair keeps the version, and its stamp has the hash of the
    content that it wrote. The removal of a bare tombstone is a purge.
    """
    before, after = sound_stamp(change.old, stamp_name), sound_stamp(change.new, stamp_name)
    if change.new is None:
        return is_bare_tombstone(change.old, change.key, stamp_name)
    if after is None or (before is not None and after.version < before.version):
        return False
    if before is None or after.version > before.version or is_bare_tombstone(change.new, change.key, stamp_name):
        return True
    return after.content_hash == content_hash(without_stamp(change.new, stamp_name))


def _authorship(change: Change, stamp_name: str, seen: str, genuine: Callable[[Stamp], bool]) -> Authorship:
    before, after = own_stamp(change.old, change.key, stamp_name), own_stamp(change.new, change.key, stamp_name)
    highest = max(seen, before.version if before is not None and genuine(before) else "")
    if change.new is None:
        return Authorship(is_bare_tombstone(change.old, change.key, stamp_name), highest, None)
    ours = after is not None and after != before and genuine(after) and after.version > highest
    return Authorship(ours, after.version if ours and after is not None else highest, after)


def by_ledger_rule(item: Item, stamp_name: str) -> bool:
    """Whether the ledger rule wrote an item, old or v2: its stamp has a base, or its version is a count."""
    stamp = sound_stamp(item, stamp_name)
    return stamp is not None and (stamp.base is not None or is_count(stamp.version))


def live(image: Item | None, key: Item, stamp_name: str) -> bool:
    """Whether an image is an item: there is one, and it is not a bare tombstone."""
    return image is not None and not is_bare_tombstone(image, key, stamp_name)
