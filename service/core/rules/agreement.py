"""Whether both sides of one item agree under the ledger rule, and how they differ: for verification and for trimming the ledger."""

from typing import Literal, NamedTuple

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.images import old_image, place_of_old, v2_form
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.units import differing, old_units, shown
from service.core.rules.verdict import fingerprint
from service.errors import Poison

DifferenceKind = Literal["missing_on_v2", "missing_on_old", "fields", "unreadable", "two_live_keys"]
"""fields: both sides have the item. unreadable: what v2 has stands for no old item."""


class BothSides(NamedTuple):
    """Both sides of one item as read: first the known v2 places, then the old item."""

    v2: tuple[PlaceReading, ...]
    old: Item | None

    @property
    def fingerprint(self) -> tuple[str | None, ...]:
        """Equal for equal readings of the same places."""
        return (fingerprint(self.old), *(fingerprint(reading.item) for reading in self.v2))


def places_of(entry: Entry) -> list[Place]:
    """Every v2 place that the ledger knows of an item, live at the last reading or not."""
    texts = dict.fromkeys((*(place.text for place in entry.places), *entry.reverse.tracks))
    return [place_from(text) for text in texts]


class Difference(NamedTuple):
    """How both sides of an item differ; names only, no values."""

    kind: DifferenceKind
    entity: str
    places: tuple[Place, ...]
    """The live v2 places. Where none is live: the place where the old item belongs, if it can be mapped."""
    fields: tuple[str, ...] = ()
    """The old attributes that differ, by name; of an unreadable item the reason."""


def agree(mapping: Mapping, sides: BothSides) -> bool:
    """Whether the one live v2 item represents the old item, unit by unit in either form, or neither side has an item."""
    image = old_image(mapping, sides.old)
    live = _live(mapping, sides)
    if not live or image is None or len(live) > 1:
        return not live and image is None
    try:
        return not _differing(mapping, live[0], image)
    except Poison:
        return False


def describe_difference(mapping: Mapping, sides: BothSides) -> Difference:
    """How both sides of an item differ that do not ``agree``."""
    image, live = old_image(mapping, sides.old), _live(mapping, sides)
    home = place_of_old(mapping, sides.old)
    places = tuple(reading.place for reading in live) or ((home,) if home is not None else ())
    entity = _entity(mapping, sides.old, places)
    if len(live) > 1:
        return Difference("two_live_keys", entity, places)
    if not live or image is None:
        return Difference("missing_on_old" if live else "missing_on_v2", entity, places)
    try:
        return Difference("fields", entity, places, _differing(mapping, live[0], image))
    except Poison as poison:
        return Difference("unreadable", entity, places, (poison.reason,))


def _live(mapping: Mapping, sides: BothSides) -> list[PlaceReading]:
    return [reading for reading in sides.v2 if reading.is_live(mapping.stamp)]


def _differing(mapping: Mapping, reading: PlaceReading, image: Item) -> tuple[str, ...]:
    """The fields in which a live v2 item and an old image differ: the one comparison of this file. Raises Poison when the v2 item
    stands for no old item."""
    assert reading.item is not None
    return shown(differing(v2_form(mapping, reading.place, reading.item), old_units(mapping, image)))


def _entity(mapping: Mapping, old: Item | None, places: tuple[Place, ...]) -> str:
    """The entity of the first place; without a place, the one that the old item names, if the mapping knows it."""
    if places:
        return mapping.entity_name_at(places[0].table, places[0].key)
    return mapping.entity_name_of(old)


def forgettable(mapping: Mapping, entry: Entry, sides: BothSides) -> bool:
    """Whether the ledger entry may be deleted, because the old item shows all that it holds: both sides agree, the item is not
    held, and it lives only where the old item belongs."""
    place = place_of_old(mapping, sides.old)
    lives = [reading.place.text for reading in sides.v2 if reading.is_live(mapping.stamp)]
    expected = [] if place is None else [place.text]
    return entry.reverse.held_since is None and lives == expected and agree(mapping, sides)
