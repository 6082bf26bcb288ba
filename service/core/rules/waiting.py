"""The units of an item that wait in quarantine, and the values from which a later change of them is judged."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from service.core.item.change import Change
from service.core.item.compare import differences
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.images import old_image
from service.core.rules.units import Form, changed_units, is_among, members, old_units, written_units

WHOLE = ""
"""Stands for the whole item among the units that wait."""


class Waiting(NamedTuple):
    """What waits for one key."""

    units: tuple[str, ...] = ()
    """As they are remembered; ``WHOLE`` for the whole item."""
    changes: Sequence[Change] = ()
    """The changes that wait, oldest first."""
    done: dict[str, int] = {}  # noqa: RUF012 (never changed)
    """By unit, how many of the changes do not count for it: what it waited for then is done."""

    @property
    def whole(self) -> bool:
        """Whether the whole item waits."""
        return WHOLE in self.units

    def whole_from(self, old: Item | None) -> Item | None:
        """The image from which a change of the old table is judged whose own old image is ``old``.

        If the whole item waits: that before the first change; without a change, the backfill could not copy the item, and v2 has
        never had it.
        """
        if not self.whole:
            return old
        return self.changes[0].old if self.changes else None

    def attributes_of_whole(self, mapping: Mapping, old: Item | None) -> tuple[str, ...]:
        """If updates of the whole item wait, the names of the old attributes that they have written: ``old`` is the item after
        them. They have no units together, since the item may have become one of another entity, or of none."""
        first = old_image(mapping, self.changes[0].old) if self.whole and self.changes else None
        return () if first is None or old is None else tuple(differences(first, old))

    def bases(self, mapping: Mapping) -> Form:
        """By unit, the value before the first change of the old table that waits with it."""
        bases: Form = {}
        for number, change in enumerate(self.changes if not self.whole else ()):
            before, after = (old_units(mapping, old_image(mapping, image)) for image in (change.old, change.new))
            for step in changed_units(before, after):
                counts = all(number >= self.done.get(name, 0) for name in members(step.unit))
                if counts and is_among(step.unit, self.units):
                    bases.setdefault(step.unit, step.before)
        return bases

    def holds(self, mapping: Mapping, change: Change, units: Collection[str]) -> bool:
        """Whether ``units``, as they are remembered, wait already, and a change of the old table has written none of them."""
        if self.whole or not set(units) <= set(self.units):
            return False
        before, after = (old_units(mapping, old_image(mapping, image)) for image in (change.old, change.new))
        return not any(is_among(step.unit, units) for step in written_units(before, after))

    def replaced_by(self, mapping: Mapping, change: Change) -> tuple[str, ...]:
        """The units that wait and that a write of reverse's on the old item has replaced: v2's application wrote them, so what
        waits is lost. If the whole item waits, it does."""
        if self.whole:
            return (WHOLE,)
        before, after = (old_units(mapping, old_image(mapping, image)) for image in (change.old, change.new))
        changed = [step.unit for step in changed_units(before, after)]
        return tuple(name for name in self.units if any(name in members(unit) for unit in changed))

    def healed_by(self, left: Collection[str]) -> tuple[str, ...]:
        """The units that wait no longer, when those ``left`` still do."""
        return tuple(unit for unit in self.units if unit not in left)
