"""The images of an item as both directions compare them: old items without our stamp, v2 items taken back to their old form."""

from functools import cached_property

from service.core.item.stamp import is_bare_tombstone, own_stamp, sound_stamp, without_stamp
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import old_key, v2_place
from service.core.rules.ledger import Place, is_count
from service.core.rules.units import Form, v2_units
from service.errors import Poison


def old_image(mapping: Mapping, image: Item | None) -> Item | None:
    """An image of the old table as the application sees it: without a stamp of ours, its own or copied from another item. None also
    for a bare tombstone, and for an item that stays behind."""
    if image is None or mapping.leaves_out(image) or is_bare_tombstone(image, old_key(mapping, image), mapping.stamp):
        return None
    stamp = sound_stamp(image, mapping.stamp)
    if stamp is None or not is_count(stamp.version):  # the application's own attribute under that name is content
        return image
    return without_stamp(image, mapping.stamp)


def old_form(mapping: Mapping, place: Place, item: Item) -> Item:
    """The old item that a live v2 item represents. Raises Poison when there is none.

    A stamp that is a copy of another item's, or the stamp of a tombstone to which the application has added attributes, says
    nothing about this item.
    """
    stamp = own_stamp(item, place.key, mapping.stamp)
    foreign = stamp is None and sound_stamp(item, mapping.stamp) is not None
    if foreign or (stamp is not None and stamp.tombstone):
        item = without_stamp(item, mapping.stamp)
    return inverse(mapping, item, place.table)


class V2Image:
    """A live v2 item as it is, or was before or after a record; its old form and its units are made once."""

    def __init__(self, mapping: Mapping, place: Place, item: Item) -> None:
        self.place = place
        self.item = item
        self._mapping = mapping

    @cached_property
    def old(self) -> Item:
        """Its old form. Raises Poison when there is none."""
        return old_form(self._mapping, self.place, self.item)

    @cached_property
    def form(self) -> Form:
        """Its units. Raises Poison when it has no old form."""
        return v2_units(self._mapping, self.old, self.item)

    @cached_property
    def form_if_any(self) -> Form:
        """Its units; none if it has no old form."""
        try:
            return self.form
        except Poison:
            return {}


def v2_form(mapping: Mapping, place: Place, item: Item) -> Form:
    """The units of a live v2 item. Raises Poison when it has no old form."""
    return V2Image(mapping, place, item).form


def place_of_old(mapping: Mapping, old: Item | None) -> Place | None:
    """The v2 place where an old item, or an image of it, belongs; None for no item (``old_image``), or when it cannot be mapped."""
    image = old_image(mapping, old)
    try:
        return Place(*v2_place(mapping, image)) if image is not None else None
    except Poison:
        return None
