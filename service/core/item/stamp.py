"""A v2 item, and the stamp that tablesplit writes into it: version, residue, tombstone.

The stamp is one attribute (``_sync`` by default). Under the ledger rule old items carry one too.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import orjson

from service.core.item.wire import AttributeValue, Item
from service.errors import Poison

TOMBSTONE = "d"
"""In the stamp of a tombstone."""
GENERATION_DIGITS = 4
SEQUENCE_DIGITS = 40
COUNT_DIGITS = 20
REPEAT_DIGITS = 4
"""Of the number that follows the version of a change in the stamp of a write that repeats or repairs something."""
_DIGITS = rf"\d{{{GENERATION_DIGITS}}}\.(\d{{{SEQUENCE_DIGITS}}}|\d{{{COUNT_DIGITS}}})(\.\d{{{REPEAT_DIGITS},}})?"
VERSION = re.compile(_DIGITS, re.ASCII)
"""Any version in a stamp: of a change or a count, and of a write that repeats or repairs one. Other text there is no version,
although it compares with one: a later change would seem to be older."""


@lru_cache(maxsize=1024)  # of each change it is asked several times
def stream_version(generation: int, sequence_number: str) -> str:
    """The version of a change: 4-digit generation, a dot, the sequence number padded to 40 digits. Versions compare as text.

    Raises ValueError when either does not fit: DynamoDB gives no such number.
    """
    if not (sequence_number.isascii() and sequence_number.isdigit()) or len(sequence_number) > SEQUENCE_DIGITS:
        raise ValueError(f"not a stream sequence number: {sequence_number!r}")
    if not 0 <= generation < 10**GENERATION_DIGITS:
        raise ValueError(f"stream generation out of range: {generation}")
    return f"{generation:0{GENERATION_DIGITS}d}.{sequence_number:0>{SEQUENCE_DIGITS}}"


@lru_cache(maxsize=64)
def backfill_version(generation: int) -> str:
    """The version of a backfill copy: below every change of its generation."""
    return stream_version(generation, "0")


@dataclass(frozen=True, slots=True)
class Stamp:
    """The content of a stamp."""

    version: str
    """``stream_version``, or ``rules.ledger.count_version`` on an old item. Nothing else in a stamp orders writes."""
    content_hash: str | None = None
    """``content_hash`` of the item as tablesplit wrote it. It orders no writes; it shows what an item is without reading it."""
    residue: Item = field(default_factory=dict)
    """Original attributes that the inverse would not give back."""
    absent: frozenset[str] = frozenset()
    """Names of old attributes that the inverse would make although the old item lacks them."""
    base: str | None = None
    """Under the ledger rule only: the highest count of reverse's writes that the writer had seen."""
    tombstone: bool = False
    """The item was deleted at ``version``."""
    restore: frozenset[str] = frozenset()
    """Under the ledger rule only: the units that reverse must give back to the old table, because v2 refused its delete."""
    moved: frozenset[str] = frozenset()
    """Under the ledger rule only, on both writes of a move to another v2 key: the units that the change carried."""
    place: str | None = None
    """On an old item: ``key_hash`` of the v2 place whose record reverse has carried."""
    key_hash: str | None = None
    """``key_hash`` of the item's key. Under another key the stamp is a copy that the application made. None: written before this
    was added, and taken for the item's own."""


def encode_stamp(stamp: Stamp) -> AttributeValue:
    """The stamp as an attribute value, without the fields that are empty."""
    content: Item = {"v": {"S": stamp.version}}
    texts = (("h", stamp.content_hash), ("b", stamp.base), ("p", stamp.place), ("k", stamp.key_hash))
    for name, text in texts:
        if text is not None:
            content[name] = {"S": text}
    for name, names in (("a", stamp.absent), ("g", stamp.restore), ("m", stamp.moved)):
        if names:
            content[name] = {"SS": sorted(names)}
    if stamp.residue:
        content["r"] = {"M": stamp.residue}
    if stamp.tombstone:
        content[TOMBSTONE] = {"BOOL": True}
    return {"M": content}


def decode_stamp(item: Item, name: str) -> Stamp | None:
    """The stamp of ``item`` under attribute ``name``; None when there is no such attribute.

    Raises Poison (``damaged_stamp``) when the attribute is there but is not a stamp.
    """
    value = item.get(name)
    if value is None:
        return None
    content: Any = value.get("M")
    try:
        return Stamp(
            version=_version_in(content),
            content_hash=_text_in(content, "h"),
            residue=content["r"]["M"] if "r" in content else {},
            absent=_names_in(content, "a"),
            base=_text_in(content, "b"),
            tombstone=bool(content[TOMBSTONE]["BOOL"]) if TOMBSTONE in content else False,
            restore=_names_in(content, "g"),
            moved=_names_in(content, "m"),
            place=_text_in(content, "p"),
            key_hash=_text_in(content, "k"),
        )
    except (KeyError, TypeError) as error:
        raise Poison(f"attribute {name!r} is not a tablesplit stamp", reason="damaged_stamp") from error


def _version_in(content: Any) -> str:
    version: str = content["v"]["S"]
    if VERSION.fullmatch(version) is None:
        raise TypeError(f"not a version: {version!r}")
    return version


def _text_in(content: Any, name: str) -> str | None:
    return content[name]["S"] if name in content else None


def _names_in(content: Any, name: str) -> frozenset[str]:
    return frozenset(content[name]["SS"]) if name in content else frozenset()


def sound_stamp(item: Item | None, name: str) -> Stamp | None:
    """The stamp of ``item``; None without an item, without a stamp, or with something else under the stamp's name."""
    try:
        return decode_stamp(item, name) if item is not None else None
    except Poison:
        return None


def own_stamp(item: Item | None, key: Item, name: str) -> Stamp | None:
    """As ``sound_stamp``, but None also for the stamp of another item, which the application has copied. ``key``: of the item."""
    stamp = sound_stamp(item, name)
    return None if stamp is None or stamp.key_hash not in (None, key_hash(key)) else stamp


def key_hash(key: Item) -> str:
    """8 hex digits over a key (key attributes only): two keys of one item by chance have the same in one of 4 billion cases."""
    return blake2b(orjson.dumps(key, option=orjson.OPT_SORT_KEYS), digest_size=4).hexdigest()


def without_stamp(item: Item, name: str) -> Item:
    """``item`` without the attribute ``name``."""
    content = dict(item)
    content.pop(name, None)
    return content


@dataclass(frozen=True, slots=True)
class V2Item:
    """The v2 item of an old item, without a stamp."""

    entity: str
    table: str
    key: Item
    item: Item
    """Key, index attributes, fields and unmapped attributes."""
    residue: Item
    """See ``Stamp.residue``."""
    absent: frozenset[str]
    """See ``Stamp.absent``."""
    text: bytes
    """``item_text`` of ``item``: made once, for its limits and its hash."""

    @property
    def content_hash(self) -> str:
        """``content_hash`` of ``item``."""
        return _hash_of(self.text)


def stamped(v2: V2Item, version: str, stamp_name: str, *, base: str | None = None) -> Item:
    """The whole item to write at ``version``: ``v2.item`` and its stamp, with residue and content hash."""
    stamp = Stamp(version, v2.content_hash, v2.residue, v2.absent, base)
    return {**v2.item, stamp_name: encode_stamp(stamp)}


def tombstone_item(key: Item, version: str, stamp_name: str, *, base: str | None = None) -> Item:
    """A bare tombstone: ``key``, and a stamp that marks the item as deleted at ``version``."""
    return {**key, stamp_name: encode_stamp(Stamp(version, base=base, tombstone=True))}


def is_bare_tombstone(item: Item | None, key_names: Collection[str], stamp_name: str) -> bool:
    """Whether ``item``, old or v2, is a bare tombstone: its key, and a stamp that marks it as deleted.

    An update by the application keeps the stamp and adds attributes; then it is an item again. So is one with a damaged stamp.
    """
    if item is None or len(item) != len(key_names) + 1 or item.keys() != {*key_names, stamp_name}:
        return False
    stamp = sound_stamp(item, stamp_name)
    return stamp is not None and stamp.tombstone


def content_hash(item: Item) -> str:
    """16 hex digits over an item without its stamp. Two items by chance have the same in one of 10**19 cases."""
    return _hash_of(item_text(item))


def item_text(item: Item) -> bytes:
    """``item`` as JSON without white space, its names in order."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def _hash_of(text: bytes) -> str:
    return blake2b(text, digest_size=8).hexdigest()
