"""The verdict on a v2 item and an old item that were read one after the other: equal or different, and whether a difference lasts.

Validation uses it; the code that decides writes never does, so that one mistake cannot be in both. The verification of touched
keys uses ``fingerprint`` alone. The verdict shares with the writing code the mapping, the stamp and, under the ledger rule,
``images`` and ``units``.

Before the first `dual`, v2 must be exactly what ``forward`` makes of the old item. From then on, *both ways*, the application may
have written v2 in its own shape; then v2 must represent the old item, unit by unit, with our stamps removed from both.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from hashlib import blake2b

import orjson

from service.core.item.compare import differences, equal
from service.core.item.stamp import Stamp, V2Item, is_bare_tombstone, sound_stamp, without_stamp
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.inverse import inverse_by_stamp
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key, v2_place
from service.core.rules.images import old_image, v2_form
from service.core.rules.ledger import Place
from service.core.rules.units import differing, old_units, shown
from service.errors import Poison


class Kind(StrEnum):
    """The result of comparing the two readings of one pair."""

    EQUAL = "equal"
    MISSING = "missing"
    """v2 lacks the item."""
    EXTRA = "extra"
    """v2 has an item here, and no old item belongs to it."""
    MISMATCH = "mismatch"
    QUARANTINED = "quarantined"
    """The old item cannot be mapped, or its key is in quarantine."""
    HELD = "held"
    """The item is live at two v2 places; an operator must decide."""
    GONE = "gone"
    """Neither side has an item here."""
    TOMBSTONE = "tombstone"
    """v2 has a bare tombstone here, and no old item belongs to it."""
    UNINDEXED = "unindexed"
    """An index of v2 lacks the item."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An old key and a v2 key that belong together."""

    entity: str
    old_key: Item | None
    """None: the v2 item does not show it."""
    table: str | None
    """The v2 table; None: the old item cannot be mapped."""
    v2_key: Item | None
    """None: the old item cannot be mapped."""


@dataclass(frozen=True, slots=True)
class Source:
    """An old item as read, and its v2 item by the mapping."""

    item: Item
    pair: Pair
    expected: V2Item | None
    """None: the item cannot be mapped."""
    reason: str = ""
    """The reason when it cannot be mapped."""
    image: Item | None = None
    """Compared both ways: the item as the application sees it. None: v2 must be exactly ``expected``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The verdict on one pair."""

    kind: Kind
    pair: Pair
    fields: tuple[str, ...] = ()
    """The attributes that differ; the stamp's name when the stamp is missing, damaged, or does not give the old item back. For an
    item that cannot be read or mapped: the reason."""
    inverse_failed: bool = False
    """The contents agree, but the inverse of the v2 item is not the old item."""
    moved_to: Pair | None = None
    """The pair to which the old item belongs now, when it is another one."""


@dataclass(frozen=True, slots=True)
class PairFingerprints:
    """The fingerprints of one reading of a pair: v2, then the old table. None: no item."""

    v2: str | None
    old: str | None


def source(mapping: Mapping, old: Item, *, both_ways: bool = False) -> Source | None:
    """The old item with its v2 item by the mapping; None: it stays behind, or, compared both ways, it is a bare tombstone."""
    image = _image(mapping, old, both_ways=both_ways)
    return None if image is None else _source_of_image(mapping, old, image, both_ways=both_ways)


def belongs_at(mapping: Mapping, pair: Pair, old: Item, *, both_ways: bool) -> bool:
    """Whether the key of the old item ``old`` belongs at the pair's v2 key. Quicker than its ``source``: the item's other
    attributes are not looked at, so it may be one that cannot be mapped."""
    image = _image(mapping, old, both_ways=both_ways)
    try:
        return image is not None and v2_place(mapping, image) == (pair.table, pair.v2_key)
    except Poison:
        return False


def _image(mapping: Mapping, old: Item, *, both_ways: bool) -> Item | None:
    if both_ways:
        return old_image(mapping, old)
    return None if mapping.leaves_out(old) else old


def _source_of_image(mapping: Mapping, old: Item, image: Item, *, both_ways: bool) -> Source:
    key = old_key(mapping, old)
    kept = image if both_ways else None
    try:
        expected = forward(mapping, image)
    except Poison as poison:
        return Source(old, Pair(mapping.entity_name_of(old), key, None, None), None, poison.reason, kept)
    return Source(old, Pair(expected.entity, key, expected.table, expected.key), expected, image=kept)


def judge(mapping: Mapping, pair: Pair, v2: Item | None, old: Source | None) -> Finding:
    """The verdict on a pair: ``v2`` is the item at its v2 key, ``old`` the item at its old key."""
    stray = misplaced(mapping, pair, v2, old)
    if stray is not None:
        return stray
    assert old is not None  # misplaced() returned a finding otherwise
    assert old.expected is not None
    if v2 is None or is_tombstone_at(mapping, pair.table, v2):
        return Finding(Kind.MISSING, pair)
    if old.image is not None:
        return _compare_back(mapping, pair, v2, old.image)
    return _compare_forward(mapping, pair, v2, old.item, old.expected)


def misplaced(mapping: Mapping, pair: Pair, v2: Item | None, old: Source | None) -> Finding | None:
    """The finding when no old item belongs to the pair's v2 key, or the old item cannot be mapped; None when one belongs here."""
    if old is not None and old.expected is None:
        return Finding(Kind.QUARANTINED, pair, (old.reason,))
    if old is not None and (old.pair.table, old.pair.v2_key) == (pair.table, pair.v2_key):
        return None
    moved_to = old.pair if old is not None else None
    if v2 is None:
        return Finding(Kind.GONE, pair, moved_to=moved_to)
    return Finding(Kind.TOMBSTONE if is_tombstone_at(mapping, pair.table, v2) else Kind.EXTRA, pair, moved_to=moved_to)


def pair_of(mapping: Mapping, table: str, item: Item) -> Pair:
    """The pair of a v2 item. Its old key is made from the item's fields by the mapping, whatever its stamp says."""
    key = {name: item[name] for name in mapping.tables[table].key_names}
    entity = mapping.entity_at(table, item)
    if entity is None or any(rule.required and rule.name not in item for rule in entity.key_rules):
        return Pair(mapping.entity_name_at(table, item), None, table, key)
    try:
        old = {name: template.value(item) for name, template in entity.old_key.items()}
    except Poison:  # v2's application has written what cannot be an old key
        return Pair(entity.name, None, table, key)
    return Pair(entity.name, old, table, key)


def lasts(before: PairFingerprints, after: PairFingerprints) -> bool:
    """Whether a difference in both readings is real, and not a change that sync has yet to apply.

    Each reading reads v2 first and then old, and sync was caught up in between. Suppose that v2 holds X in both readings, that old
    holds A in both, and that X is not A's transform. The change that made A was in the stream when the first reading ended, so it
    has been applied by the second. Versions at a key only grow, and X was there before and after: so X is as new as A. But X was
    read before A, so X is not newer. If old were read first, the last step would fail: X could come from a change after A.

    Both ways, with both lanes caught up in between: the records of X and A were read, and neither led to a write, which would
    have changed a stamp. The only mistake possible is with an application that puts back X, stamp included, after another write of
    its own. Even then the repair, which carries v2 to old, is right.
    """
    return before == after


def as_written(old: Source, v2: Item) -> Source:
    """The source by which ``v2`` is looked up in its indexes: compared both ways, v2's own index attributes count."""
    if old.image is None or old.expected is None:
        return old
    return replace(old, expected=replace(old.expected, item=v2))


def fingerprint(item: Item | None) -> str | None:
    """A text that is equal for equal items, sets in any order. None for an absent item."""
    if item is None:
        return None
    text = orjson.dumps({name: _ordered(value) for name, value in item.items()}, option=orjson.OPT_SORT_KEYS)
    return blake2b(text, digest_size=16).hexdigest()


def is_tombstone_at(mapping: Mapping, table: str | None, item: Item) -> bool:
    """Whether what was read at a v2 key is a bare tombstone. False without a table."""
    return table is not None and is_bare_tombstone(item, mapping.tables[table].key_names, mapping.stamp)


def _compare_forward(mapping: Mapping, pair: Pair, live: Item, old: Item, expected: V2Item) -> Finding:
    fields = differences(expected.item, without_stamp(live, mapping.stamp))
    stamp = sound_stamp(live, mapping.stamp)
    sound = stamp is not None and not stamp.tombstone
    inverse_failed = (
        not fields and stamp is not None and sound and not _inverse_is(mapping, live, stamp, expected.table, old)
    )
    if not sound or inverse_failed:
        fields = [*fields, mapping.stamp]
    return Finding(Kind.MISMATCH if fields else Kind.EQUAL, pair, tuple(fields), inverse_failed)


def _compare_back(mapping: Mapping, pair: Pair, live: Item, image: Item) -> Finding:
    assert pair.table is not None
    assert pair.v2_key is not None
    try:
        now = v2_form(mapping, Place(pair.table, pair.v2_key), live)
        fields = shown(differing(now, old_units(mapping, image)))
    except Poison as poison:
        return Finding(Kind.MISMATCH, pair, (poison.reason,))
    return Finding(Kind.MISMATCH if fields else Kind.EQUAL, pair, fields)


def _inverse_is(mapping: Mapping, live: Item, stamp: Stamp, table: str, old: Item) -> bool:
    """``live``: beside its stamp it is a transform, so it is readable."""
    entity = mapping.entity_at(table, live)
    try:
        return entity is not None and equal(inverse_by_stamp(entity, live, stamp), old)
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
