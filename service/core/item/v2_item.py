"""A v2 item as the transform makes it, and with its stamp as it is written."""

from dataclasses import dataclass
from hashlib import blake2b

import orjson

from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.wire import Item


@dataclass(frozen=True, slots=True)
class V2Item:
    """What an old item becomes: ``item`` with key, index attributes, fields and unmapped attributes, without
    a stamp.

    residue, absent: what the inverse needs beyond ``item`` to give the old item back; both go into the stamp.
    """

    entity: str
    table: str
    key: Item
    item: Item
    residue: Item
    absent: frozenset[str]


def stamped(v2: V2Item, version: str, stamp_name: str, *, base: str | None = None) -> Item:
    """The whole item to write at ``version``: ``v2.item`` and its stamp, with residue and content hash."""
    stamp = Stamp(version, content_hash(v2.item), v2.residue, v2.absent, base)
    return {**v2.item, stamp_name: encode_stamp(stamp)}


def content_hash(item: Item) -> str:
    """16 hex digits over an item without its stamp: a diagnostic that decides nothing."""
    return blake2b(orjson.dumps(item, option=orjson.OPT_SORT_KEYS), digest_size=8).hexdigest()
