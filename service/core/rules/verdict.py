"""The verdict: what a v2 item and an old item, read one after the other, say about one place, and when a
difference lasts.

Used by validation and never by the code that writes: of the two, only the mapping is common, and what stands for what under
the ledger rule. Before the first `dual` v2 must be exactly what ``forward`` makes of the old item. From then on, *both ways*,
the application may have written v2 in its own shape: then v2 must stand for the old item, our stamps off both.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b

import orjson

from service.core.item.compare import differences, equal
from service.core.item.stamp import Stamp, decode_stamp
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import V2Item, forward, old_key
from service.core.rules.forward import old_form, old_image
from service.core.rules.ledger import Place
from service.errors import Poison

UNKNOWN_ENTITY = "unknown"
"""Where items are counted whose entity the mapping does not know."""


class Kind(StrEnum):
    """What two readings of one place say. GONE: neither side has anything here; TOMBSTONE: nothing but a bare
    tombstone. HELD: the item lives at two v2 places, which an operator must settle."""

    EQUAL = "equal"
    MISSING = "missing"
    EXTRA = "extra"
    MISMATCH = "mismatch"
    QUARANTINED = "quarantined"
    HELD = "held"
    GONE = "gone"
    TOMBSTONE = "tombstone"
    UNINDEXED = "unindexed"


@dataclass(frozen=True, slots=True)
class Pair:
    """One old key and one v2 key that belong together. ``old_key`` is None when the v2 item does not tell it,
    ``table`` and ``v2_key`` are None when the old item cannot be mapped."""

    entity: str
    old_key: Item | None
    table: str | None
    v2_key: Item | None


@dataclass(frozen=True, slots=True)
class Source:
    """An old item as read, its place, and its transform (None: ``reason`` says why there is none).

    image: compared both ways, the item as the application sees it; None: v2 must be exactly what ``forward`` makes.
    """

    item: Item
    place: Pair
    expected: V2Item | None
    reason: str = ""
    image: Item | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What the readings say about ``place``.

    fields: the attributes that differ; the stamp's own name when it is missing, damaged, or does not give the
    old item back; why, for an item that cannot be read or mapped.
    inverse_failed: the contents agree, but the inverse of the v2 item is not the old item.
    now: where the old item belongs by now, when that is another place.
    """

    kind: Kind
    place: Pair
    fields: tuple[str, ...] = ()
    inverse_failed: bool = False
    now: Pair | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """Fingerprints of one v2 reading and the old reading that followed it."""

    v2: str | None
    old: str | None


def source(mapping: Mapping, old: Item, *, both_ways: bool = False) -> Source | None:
    """The old item with what the mapping makes of it; None: compared both ways it is a bare tombstone, and so no item."""
    image = old_image(mapping, old) if both_ways else old
    return None if image is None else _source(mapping, old, image, both_ways=both_ways)


def _source(mapping: Mapping, old: Item, image: Item, *, both_ways: bool) -> Source:
    key = old_key(mapping, old)
    kept = image if both_ways else None
    try:
        expected = forward(mapping, image)
    except Poison as poison:
        named = old.get(mapping.old.entity, {}).get("S", "")
        entity = named if named in mapping.entities else UNKNOWN_ENTITY
        return Source(old, Pair(entity, key, None, None), None, poison.reason, kept)
    return Source(old, Pair(expected.entity, key, expected.table, expected.key), expected, image=kept)


def judge(mapping: Mapping, place: Pair, v2: Item | None, old: Source | None) -> Finding:
    """What ``v2``, the item at the place's v2 key, and ``old``, the item at its old key, say about the
    place."""
    stray = misplaced(mapping, place, v2, old)
    if stray is not None:
        return stray
    assert old is not None  # misplaced() has answered for these
    assert old.expected is not None
    if v2 is None or is_bare(mapping, place.table, v2):
        return Finding(Kind.MISSING, place)
    if old.image is not None:
        return _compared_back(mapping, place, v2, old.image)
    return _compared(mapping, place, v2, old.item, old.expected)


def misplaced(mapping: Mapping, place: Pair, v2: Item | None, old: Source | None) -> Finding | None:
    """The finding when no old item belongs at the place, or it cannot be mapped; None when one belongs
    here."""
    if old is not None and old.expected is None:
        return Finding(Kind.QUARANTINED, place, (old.reason,))
    if old is not None and (old.place.table, old.place.v2_key) == (place.table, place.v2_key):
        return None
    now = old.place if old is not None else None
    if v2 is None:
        return Finding(Kind.GONE, place, now=now)
    return Finding(Kind.TOMBSTONE if is_bare(mapping, place.table, v2) else Kind.EXTRA, place, now=now)


def place_of(mapping: Mapping, table: str, item: Item) -> Pair:
    """The place of a v2 item, its old key made by the mapping of the fields that it holds, whatever its stamp says."""
    key = {name: item[name] for name in key_names(mapping, table)}
    entity = mapping.entity_at(table, item)
    if entity is None or any(rule.required and rule.name not in item for rule in entity.key_rules):
        return Pair(entity_of_key(mapping, table, item), None, table, key)
    old = {name: {"S": template.render(item)} for name, template in entity.old_key.items()}
    return Pair(entity.name, old, table, key)


def entity_of_key(mapping: Mapping, table: str, item: Item) -> str:
    """The entity that a v2 item's key belongs to, whatever else the item holds."""
    entity = mapping.entity_at(table, item)
    return entity.name if entity is not None else UNKNOWN_ENTITY


def key_names(mapping: Mapping, table: str) -> tuple[str, ...]:
    """The key attributes of a v2 table, the partition key's first."""
    return next(tuple(entity.key) for entity in mapping.entities.values() if entity.table == table)


def lasts(before: Look, after: Look) -> bool:
    """Whether a difference seen in both looks is real, and not a change on its way.

    Both looks read v2 first, then old, and the sync was seen caught up in between. Suppose that v2 holds X at
    both looks and that old holds A at both, X not being A's transform. The change that made A was in the
    stream when the first look ended, so it has been applied since; versions at a key only grow, and X stood
    before and after: X is as new as A. But X was read before A, so X is not newer. Reading old first breaks
    the last step: X may then come from a change after A.

    Both ways, with both directions seen caught up: the record of X and that of A were handled in between, and neither
    led to a write, which would have changed a stamp. Only an application that puts back X, its stamp included, after
    another write of its own can be mistaken; what a repair does then, carrying v2 to old, is right all the same.
    """
    return before == after


def as_written(old: Source, v2: Item) -> Source:
    """The source for looking up ``v2`` in its indexes: compared both ways, by the index attributes that it has itself."""
    if old.image is None or old.expected is None:
        return old
    return replace(old, expected=replace(old.expected, item=v2))


def fingerprint(item: Item | None) -> str | None:
    """Equal for equal items, sets in any order. None for an absent item."""
    if item is None:
        return None
    text = orjson.dumps({name: _ordered(value) for name, value in item.items()}, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).hexdigest()


def key_text(key: Item) -> str:
    """A key as text: equal text, equal key."""
    return orjson.dumps(key, option=orjson.OPT_SORT_KEYS).decode()


def without(item: Item, name: str) -> Item:
    """``item`` less one attribute."""
    return {key: value for key, value in item.items() if key != name}


def is_bare(mapping: Mapping, table: str | None, item: Item) -> bool:
    """Whether a v2 item is a bare tombstone: a stamp that says so, and nothing else but the key."""
    if table is None:
        return False
    stamp = _stamp(mapping, item)
    return stamp is not None and stamp.tombstone and item.keys() == {*key_names(mapping, table), mapping.stamp}


def _compared(mapping: Mapping, place: Pair, live: Item, old: Item, expected: V2Item) -> Finding:
    fields = differences(expected.item, without(live, mapping.stamp))
    stamp = _stamp(mapping, live)
    sound = stamp is not None and not stamp.tombstone
    inverse_failed = sound and not fields and not _gives_back(mapping, live, expected.table, old)
    if not sound or inverse_failed:
        fields = [*fields, mapping.stamp]
    return Finding(Kind.MISMATCH if fields else Kind.EQUAL, place, tuple(fields), inverse_failed)


def _compared_back(mapping: Mapping, place: Pair, live: Item, image: Item) -> Finding:
    assert place.table is not None
    assert place.v2_key is not None
    try:
        fields = differences(image, old_form(mapping, Place(place.table, place.v2_key), live))
    except Poison as poison:
        return Finding(Kind.MISMATCH, place, (poison.reason,))
    return Finding(Kind.MISMATCH if fields else Kind.EQUAL, place, tuple(fields))


def _stamp(mapping: Mapping, item: Item) -> Stamp | None:
    """The item's stamp; None also when it is damaged."""
    try:
        return decode_stamp(item, mapping.stamp)
    except Poison:
        return None


def _gives_back(mapping: Mapping, live: Item, table: str, old: Item) -> bool:
    try:
        return equal(inverse(mapping, live, table), old)
    except Poison:
        return False


def _ordered(value: AttributeValue) -> AttributeValue:
    ((kind, content),) = value.items()
    if kind in ("SS", "NS", "BS"):
        return {kind: sorted(content)}
    if kind == "L":
        return {kind: [_ordered(element) for element in content]}
    if kind == "M":
        return {kind: {name: _ordered(inner) for name, inner in content.items()}}
    return value
