"""Checks that DynamoDB will accept a v2 item, with the stamp that it will carry."""

import orjson

from service.core.item.size import (
    MAX_CONTAINERS,
    MAX_ITEM_BYTES,
    MAX_SORT_KEY_BYTES,
    KeyLimits,
    containers,
    item_bytes,
    value_bytes,
)
from service.core.item.stamp import SEQUENCE_DIGITS, V2Item, backfill_version, item_text, stamped
from service.core.item.wire import Item, unreadable_names
from service.core.mapping.entity import Entity
from service.errors import Poison

STAMP_CONTAINERS = 2
"""The residue is inside two maps: the stamp, and its ``r``."""

_STAMP_ROOM = 1024
"""Bytes: more than a stamp takes apart from its residue."""


def text_of_item(item: Item) -> bytes:
    """``item_text``. Raises Poison (``too_deep``) where it nests too deeply for that."""
    try:
        return item_text(item)
    except orjson.JSONEncodeError:
        _require_depth(item, 0)
        raise


def check_limits(entity: Entity, v2: V2Item, stamp_name: str) -> None:
    """Raise Poison (``key_too_long``, ``too_deep``, ``too_big``) when DynamoDB would refuse the stamped item."""
    if len(v2.text) > MAX_SORT_KEY_BYTES:  # else no attribute of it takes as much
        check_key(entity.key_limits, v2.item)
        check_key(entity.index_limits, v2.item)
    residue = orjson.dumps(v2.residue) if v2.residue else b""
    _check_depth(v2.item, v2.text, 0)
    _check_depth(v2.residue, residue, STAMP_CONTAINERS)
    # An item's JSON is always longer than its size as DynamoDB counts it.
    if len(v2.text) + len(residue) + _STAMP_ROOM > MAX_ITEM_BYTES:
        _check_size(v2, stamp_name)


def check_key(limits: KeyLimits, item: Item) -> None:
    """Raise Poison (``key_too_long``) when an attribute of ``item`` takes more than the limit that it has in a key."""
    for name, limit in limits:
        value = item.get(name)
        if value is None:  # of an index that the item is not in
            continue
        text = value.get("S")
        if text is not None and len(text) * 4 <= limit:  # UTF-8 has at most 4 bytes for a character
            continue
        size = value_bytes(value)
        if size > limit:
            raise Poison(f"{name} would take {size} bytes, {limit} are allowed", reason="key_too_long")


def _check_depth(item: Item, text: bytes, outer: int) -> None:
    """``text``: the item as JSON, which has each list and map in one of two forms; so they are no deeper than these are many."""
    if text.count(b'{"L":') + text.count(b'{"M":') + outer <= MAX_CONTAINERS:
        return
    _require_depth(item, outer)


def _require_depth(item: Item, outer: int) -> None:
    for name, value in item.items():
        depth = containers(value) + outer if "M" in value or "L" in value else 0
        if depth > MAX_CONTAINERS:
            raise Poison(f"{name} would nest {depth} lists and maps, {MAX_CONTAINERS} are allowed", reason="too_deep")


def _check_size(v2: V2Item, stamp_name: str) -> None:
    # With room for the base that the ledger rule adds, so that an item that fits before the first `dual` also fits afterwards.
    size = item_bytes(stamped(v2, backfill_version(0), stamp_name, base="0" * SEQUENCE_DIGITS))
    if size > MAX_ITEM_BYTES:
        raise Poison(f"the v2 item would take {size} bytes, {MAX_ITEM_BYTES} are allowed", reason="too_big")


def require_readable(item: Item) -> None:
    """Raises Poison (``unreadable_text``) when a text of the item has half a surrogate pair."""
    names = unreadable_names(item)
    if names:
        raise Poison(
            f"{', '.join(names)}: a text in it has half a surrogate pair, which is no Unicode",
            reason="unreadable_text",
            remedy="write the item again with whole characters: the change settles it",
        )
