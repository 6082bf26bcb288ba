"""Old items tried on a mapping, without any table: each one there and back, and all of them together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from service.core.item.stamp import V2Item, backfill_version, stamped
from service.core.item.wire import Item, key_text, plain_key
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.errors import Poison

Outcome = Literal["given_back", "not_given_back", "rejected", "left_out"]


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """An old item there and back."""

    v2: V2Item
    written: Item
    """The v2 item with its stamp, as the backfill writes it."""
    back: Item | None
    """The old item that the inverse makes of ``written``; None when it makes none."""
    failure: Poison | None
    """Why it makes none."""


def round_trip(mapping: Mapping, old: Item) -> RoundTrip:
    """``old`` there and back. Raises Poison when it has no v2 item: it would be quarantined."""
    v2 = forward(mapping, old)
    written = stamped(v2, backfill_version(1), mapping.stamp)
    try:
        return RoundTrip(v2, written, inverse(mapping, written, v2.table), None)
    except Poison as poison:
        return RoundTrip(v2, written, None, poison)


@dataclass(frozen=True, slots=True)
class TriedItem:
    """What became of one old item."""

    old_key: Item
    """Without the key attributes that the item does not have."""
    entity: str
    """UNKNOWN_ENTITY when the mapping has none for it."""
    outcome: Outcome
    v2: V2Item | None
    """None: the item is rejected, or left out."""
    reason: str = ""
    """Of the quarantine."""
    message: str = ""
    differs: tuple[str, ...] = ()
    """The old attributes that do not come back byte for byte."""

    def to_json(self) -> dict[str, Any]:
        """Its row of `mapping test --json`."""
        return {
            "old_key": plain_key(self.old_key),
            "entity": self.entity,
            "outcome": self.outcome,
            "table": self.v2 and self.v2.table,
            "key": self.v2 and plain_key(self.v2.key),
            "reason": self.reason,
            "message": self.message,
            "differs": list(self.differs),
        }


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A v2 key to which several old keys lead."""

    table: str
    key: Item
    old_keys: tuple[Item, ...]

    def to_json(self) -> dict[str, Any]:
        """Its row of `mapping test --json`."""
        return {"table": self.table, "key": plain_key(self.key), "old_keys": list(map(plain_key, self.old_keys))}


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of all items."""

    items: tuple[TriedItem, ...]
    shared: tuple[SharedKey, ...]

    @property
    def ok(self) -> bool:
        """Whether every item that is not left out has a v2 key of its own, and comes back byte for byte."""
        return not self.shared and all(item.outcome in ("given_back", "left_out") for item in self.items)

    def total(self, outcome: Outcome) -> int:
        """How many items ended so."""
        return sum(item.outcome == outcome for item in self.items)

    @property
    def entities(self) -> dict[str, int]:
        """The number of items by entity, without those that stay behind."""
        mapped = Counter(item.entity for item in self.items if item.outcome != "left_out")
        return dict(sorted(mapped.items()))

    @property
    def rejected(self) -> dict[str, int]:
        """The number of rejected items by reason."""
        reasons = Counter(item.reason for item in self.items if item.outcome == "rejected")
        return dict(sorted(reasons.items()))

    def to_json(self) -> dict[str, Any]:
        """The document of `mapping test --json`."""
        return {
            "result": "passed" if self.ok else "failed",
            "items": [item.to_json() for item in self.items],
            "entities": self.entities,
            "given_back": self.total("given_back"),
            "not_given_back": self.total("not_given_back"),
            "left_out": self.total("left_out"),
            "rejected": self.rejected,
            "shared_keys": [shared.to_json() for shared in self.shared],
        }


def try_items(mapping: Mapping, items: Iterable[Item]) -> Trial:
    """Try each of ``items`` on the mapping."""
    tried = tuple(_tried(mapping, item) for item in items)
    return Trial(tried, _shared_keys(tried))


def _tried(mapping: Mapping, old: Item) -> TriedItem:
    key = {name: old[name] for name in mapping.old.key_names if name in old}
    entity = mapping.entity_name_of(old)
    if mapping.leaves_out(old):
        return TriedItem(key, entity, "left_out", None)
    try:
        trip = round_trip(mapping, old)
    except Poison as poison:
        return TriedItem(key, entity, "rejected", None, poison.reason, poison.message)
    if trip.failure is not None:
        return TriedItem(key, entity, "not_given_back", trip.v2, trip.failure.reason, trip.failure.message)
    differs = differing_names(old, trip.back or {})
    return TriedItem(key, entity, "not_given_back" if differs else "given_back", trip.v2, differs=differs)


def differing_names(first: Item, second: Item) -> tuple[str, ...]:
    """The names of the attributes that are not the same in both items, byte for byte."""
    return tuple(sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name)))


def _shared_keys(tried: Sequence[TriedItem]) -> tuple[SharedKey, ...]:
    places: dict[tuple[str, str], dict[str, TriedItem]] = {}
    for item in tried:
        if item.v2 is not None:
            of_key = places.setdefault((item.v2.table, key_text(item.v2.key)), {})
            of_key.setdefault(key_text(item.old_key), item)  # the same old key twice is one item
    return tuple(
        SharedKey(table, next(v2.key for item in of_key.values() if (v2 := item.v2)), _old_keys(of_key))
        for (table, _), of_key in places.items()
        if len(of_key) > 1
    )


def _old_keys(of_key: dict[str, TriedItem]) -> tuple[Item, ...]:
    return tuple(item.old_key for item in of_key.values())
