"""Checks that DynamoDB will accept a v2 item, with the stamp that it will carry."""

from collections.abc import Iterable

import orjson

from service.core.item.size import (
    MAX_CONTAINERS,
    MAX_ITEM_BYTES,
    MAX_PARTITION_KEY_BYTES,
    MAX_SORT_KEY_BYTES,
    containers,
    item_bytes,
    value_bytes,
)
from service.core.item.stamp import SEQUENCE_DIGITS, V2Item, backfill_version, stamped
from service.core.item.wire import Item, unreadable_names
from service.core.mapping.entity import Entity
from service.errors import Poison

STAMP_CONTAINERS = 2
"""The residue is inside two maps: the stamp, and its ``r``."""

_STAMP_ROOM = 1024
"""Bytes: more than a stamp takes apart from its residue."""


def check_limits(entity: Entity, v2: V2Item, stamp_name: str) -> None:
    """Raise Poison (``key_too_long``, ``too_deep``, ``too_big``) when DynamoDB would refuse the stamped item."""
    check_key(entity.key, v2.item)
    for index, templates in entity.indexes.items():
        check_key(templates, v2.item, entity.partition_attributes.get(index, 1))
    _check_depth(v2.item, 0)
    _check_depth(v2.residue, STAMP_CONTAINERS)
    # An item's JSON is always longer than its size as DynamoDB counts it, and faster to make than the exact size.
    if len(orjson.dumps(v2.item)) + len(orjson.dumps(v2.residue)) + _STAMP_ROOM > MAX_ITEM_BYTES:
        _check_size(v2, stamp_name)


def check_key(templates: Iterable[str], item: Item, partition_attributes: int = 1) -> None:
    """Raise Poison (``key_too_long``) when DynamoDB would refuse the key or index key of ``item`` whose attributes ``templates``
    names, those of the partition key first. Each attribute of a key has the limit of that key."""
    for place, name in enumerate(templates):
        if name not in item:  # of an index that the item is not in
            continue
        limit = MAX_PARTITION_KEY_BYTES if place < partition_attributes else MAX_SORT_KEY_BYTES
        text = item[name].get("S")
        size = value_bytes(item[name]) if text is None else len(text) * 4
        if size > limit and (text is None or len(text.encode()) > limit):
            size = size if text is None else len(text.encode())
            raise Poison(f"{name} would take {size} bytes, {limit} are allowed", reason="key_too_long")


def _check_depth(item: Item, outer: int) -> None:
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
