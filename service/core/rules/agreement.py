"""Whether both sides of one old item agree under the ledger rule: what re-verification and trimming ask."""

from typing import NamedTuple

from service.core.item.compare import equal
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import v2_place
from service.core.rules.authorship import live
from service.core.rules.forward import old_form, old_image
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import Found
from service.core.rules.verdict import fingerprint
from service.errors import Poison


class BothSides(NamedTuple):
    """The known v2 places of an item as read, and then its old item."""

    found: tuple[Found, ...]
    old: Item | None

    @property
    def fingerprint(self) -> tuple[str | None, ...]:
        """Equal for equal readings of the same places."""
        return (fingerprint(self.old), *(fingerprint(one.item) for one in self.found))


def places_of(entry: Entry) -> list[Place]:
    """Every v2 place that the ledger knows of an item, live when last looked at or not."""
    return [place_from(text) for text in dict.fromkeys((*entry.keys, *entry.tracks))]


def home(mapping: Mapping, old: Item | None) -> Place | None:
    """The v2 place of an old item; None where there is no item, or none that can be mapped."""
    image = old_image(mapping, old)
    try:
        return Place(*v2_place(mapping, image)) if image is not None else None
    except Poison:
        return None


def agree(mapping: Mapping, sides: BothSides) -> bool:
    """Whether the one live v2 item stands for the old item, or neither side has one."""
    image = old_image(mapping, sides.old)
    alive = [one for one in sides.found if live(one.item, one.place.key, mapping.stamp)]
    if not alive or image is None or len(alive) > 1:
        return not alive and image is None
    (one,) = alive
    try:
        return one.item is not None and equal(old_form(mapping, one.place, one.item), image)
    except Poison:
        return False


def forgettable(mapping: Mapping, entry: Entry, sides: BothSides) -> bool:
    """Whether the old item tells all that the ledger entry does: both sides agree, nothing is held, and the one place that is
    known to be live is where the old item belongs."""
    place = home(mapping, sides.old)
    keys = () if place is None else (place.text,)
    return entry.held_since is None and entry.keys == keys and agree(mapping, sides)
