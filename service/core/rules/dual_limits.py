"""What phase `dual` cannot carry, judged by one old item before anything is copied.

In `dual` both sides carry a stamp: forward stamps what it writes on v2, reverse what it writes on the old table. An item needs room
for it on either side, and the attribute must not be the application's own: the first write of reverse would replace it.
"""

from typing import Literal

from service.core.item.size import MAX_ITEM_BYTES, item_bytes
from service.core.item.stamp import SEQUENCE_DIGITS, Stamp, encode_stamp, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.rules.ledger import count_version

Obstacle = Literal["own_stamp_attribute", "stamp_left", "old_too_big", "v2_too_big"]
"""own_stamp_attribute: the application has an attribute of its own under the stamp's name. stamp_left: a stamp of tablesplit is
there, from an earlier migration, or from this one once it is in `dual`. old_too_big, v2_too_big: over 400 KB with the stamp."""

KEY_HASH_BYTES = 32
"""More than the hash of the item's key takes in a stamp, with its name."""

PER_NAME_BYTES = 1
"""What an attribute's name in a list takes beside its text."""


def dual_obstacles(stamp_name: str, old: Item, v2: Item) -> tuple[Obstacle, ...]:
    """Why `dual` cannot carry an old item. ``v2``: its copy, with the stamp of the copy."""
    found: list[Obstacle] = []
    if stamp_name in old:
        found.append("stamp_left" if sound_stamp(old, stamp_name) is not None else "own_stamp_attribute")
    if item_bytes(without_stamp(old, stamp_name)) + _stamp_on_old(stamp_name) > MAX_ITEM_BYTES:
        found.append("old_too_big")
    if item_bytes(v2) + _added_on_v2(old) > MAX_ITEM_BYTES:
        found.append("v2_too_big")
    return tuple(found)


def _stamp_on_old(stamp_name: str) -> int:
    """The bytes of reverse's stamp on an old item."""
    return item_bytes({stamp_name: encode_stamp(Stamp(count_version(0, 0)))}) + KEY_HASH_BYTES


def _added_on_v2(old: Item) -> int:
    """The most bytes that a stamp on v2 has in `dual` beside those of the copy's: a base, the hash of the key, and the names of the
    fields that forward asks reverse to restore on the old table."""
    empty = item_bytes({"s": encode_stamp(Stamp(""))})
    base = item_bytes({"s": encode_stamp(Stamp("", base="0" * SEQUENCE_DIGITS))}) - empty
    return base + KEY_HASH_BYTES + sum(len(name.encode()) + PER_NAME_BYTES for name in old)
