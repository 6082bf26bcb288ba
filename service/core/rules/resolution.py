"""What an operator's choice in a conflict writes on v2: a new application write, which reverse carries to the old table.

Its stamp has no base and the version of a repair, so that nobody takes it for forward's.
"""

from collections.abc import Iterable, Sequence

from service.core.item.compare import equal
from service.core.item.v2_item import V2Item, stamped
from service.core.item.wire import Item
from service.core.item.write import Check, Put, Update
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.rules.authorship import live
from service.core.rules.guarded import REPAIR_VERSION
from service.core.rules.ledger import Entry, Place, place_from
from service.core.rules.ledger_writes import Found, burial, replacement, unchanged


def resolution_places(mapping: Mapping, known: Iterable[Place], entry: Entry, old: Item | None) -> list[Place]:
    """The v2 places to read before v2 can become ``old`` (None: nothing): those known of the conflict, those that the ledger
    knows to be live, and the one where ``old`` belongs. Raises Poison when it belongs nowhere."""
    places = [*known, *map(place_from, entry.keys)]
    if old is not None:
        v2 = forward(mapping, old)
        places.append(Place(v2.table, v2.key))
    return list({place.text: place for place in places}.values())


def resolution_writes(mapping: Mapping, old: Item | None, found: Sequence[Found]) -> tuple[Put | Update | Check, ...]:
    """v2 becomes ``old``: at its own key, with a tombstone wherever else an item lives, if every place is as it was read.

    Raises Poison when ``old`` cannot be mapped, or an item has too many attributes to compare.
    """
    v2 = forward(mapping, old) if old is not None else None
    return tuple(_write(mapping, v2, one) for one in found)


def _write(mapping: Mapping, v2: V2Item | None, there: Found) -> Put | Update | Check:
    if v2 is not None and Place(v2.table, v2.key).text == there.place.text:
        written = there.item is not None and equal(there.item, stamped(v2, REPAIR_VERSION, mapping.stamp))
        return unchanged(mapping, there) if written else replacement(mapping, there, v2, REPAIR_VERSION, None)
    if live(there.item, there.place.key, mapping.stamp):
        return burial(mapping, there, REPAIR_VERSION, None)
    return unchanged(mapping, there)
