"""Whether both sides of one item agree under the ledger rule: for verification and for trimming the ledger."""

from typing import NamedTuple

from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.images import old_image, place_of_old, v2_form
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import PlaceReading
from service.core.rules.units import differing, old_units
from service.core.rules.verdict import fingerprint
from service.errors import Poison


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


def agree(mapping: Mapping, sides: BothSides) -> bool:
    """Whether the one live v2 item represents the old item, unit by unit in either form, or neither side has an item."""
    image = old_image(mapping, sides.old)
    live = [reading for reading in sides.v2 if reading.is_live(mapping.stamp)]
    if not live or image is None or len(live) > 1:
        return not live and image is None
    (reading,) = live
    try:
        return reading.item is not None and not differing(
            v2_form(mapping, reading.place, reading.item), old_units(mapping, image)
        )
    except Poison:
        return False


def forgettable(mapping: Mapping, entry: Entry, sides: BothSides) -> bool:
    """Whether the ledger entry may be deleted, because the old item shows all that it holds: both sides agree, the item is not
    held, and it lives only where the old item belongs."""
    place = place_of_old(mapping, sides.old)
    lives = [reading.place.text for reading in sides.v2 if reading.is_live(mapping.stamp)]
    expected = [] if place is None else [place.text]
    return entry.reverse.held_since is None and lives == expected and agree(mapping, sides)
