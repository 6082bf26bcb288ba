"""The records of v2 tables, by the old items that they belong to."""

from collections.abc import Iterable
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.stamp import is_bare_tombstone
from service.core.item.wire import Item, key_text
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key, v2_place
from service.core.rules.authorship import live
from service.core.rules.images import old_form
from service.core.rules.ledger import Place
from service.errors import Poison


class V2Record(NamedTuple):
    """A record of a v2 table, and the old item that it belongs to."""

    change: Change
    item: str
    """The text of the old key; empty: the record shows none."""
    key: Item
    """The old key."""
    poison: Poison | None
    """Why it shows none."""


def record_of(mapping: Mapping, place: Place, change: Change) -> V2Record:
    """The record of ``place`` with its old key."""
    try:
        key = old_key_of(mapping, place, change)
    except Poison as poison:
        return V2Record(change, "", {}, poison)
    return V2Record(change, key_text(key), key, None)


class V2Page:
    """Records of a v2 table that are read together, each looked at once."""

    def __init__(self, mapping: Mapping, changes: Iterable[Change]) -> None:
        self.records: dict[str, V2Record] = {}
        """By sequence number; without those that show no item."""
        self.places: dict[str, list[Place]] = {}
        """By the text of an old key, the places at which a record has left the item. So a move is known as one, whichever of its
        two records comes first."""
        for change in changes:
            place = Place(change.table, change.key)
            if shows_no_item(mapping, place, change):
                continue
            record = self.records[change.sequence] = record_of(mapping, place, change)
            if live(change.new, change.key, mapping.stamp):
                self.places.setdefault(record.item, []).append(place)


def shows_no_item(mapping: Mapping, place: Place, change: Change) -> bool:
    """Whether a record has no item before or after it: a tombstone was written or purged. It carries no content and is skipped."""
    return not any(live(image, place.key, mapping.stamp) for image in (change.old, change.new))


def old_key_of(mapping: Mapping, place: Place, change: Change) -> Item:
    """The key of the old item of a v2 record: that of the image whose fields lead to ``place``, else of the first readable image.

    Raises Poison when no image shows it.
    """
    poison = Poison(f"no image of the v2 item {place.key} in {place.table} shows its old key", reason="unknown_key")
    first: Item | None = None
    for image in (change.new, change.old):
        if image is None or is_bare_tombstone(image, place.key, mapping.stamp):
            continue
        try:
            old = old_form(mapping, place, image)
            first = first or old_key(mapping, old)
            if v2_place(mapping, old) == (place.table, place.key):
                return old_key(mapping, old)
        except Poison as unreadable:
            poison = unreadable
    if first is None:
        raise poison
    return first


def item_that_waits(mapping: Mapping, place: Place, waiting: Iterable[Change]) -> Item | None:
    """The key of the old item whose records wait for ``place``, oldest first; None: none of them shows it.

    v2's application may make an item unreadable and then delete it. The record of the delete shows no old key then; those that
    wait do.
    """
    for change in waiting:
        record = record_of(mapping, place, change)
        if record.poison is None:
            return record.key
    return None
