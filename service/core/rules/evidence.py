"""Whether a claimed write was made, as far as the item that was read and the opposite half of the ledger show it."""

from service.core.item.stamp import own_stamp
from service.core.item.wire import Item
from service.core.mapping.mapping import Mapping
from service.core.rules.ledger import Entry, Place, is_write_of, place_name
from service.core.rules.ledger_writes import PlaceReading


def was_put(mapping: Mapping, place: Place, count: str, old: Item | None, entry: Entry) -> bool:
    """Whether reverse's write ``count`` of an old item, for a record of ``place``, is known to have been made, by the item as
    read or by forward's half. What forward has seen of another place shows nothing: the places' claims share one count."""
    stamp = own_stamp(old, entry.key, mapping.stamp)
    return (stamp is not None and stamp.version == count) or entry.forward.passed.get(
        place_name(place.text), ""
    ) >= count


def was_written(mapping: Mapping, version: str, reading: PlaceReading, entry: Entry) -> bool:
    """Whether forward's write at ``version`` of a place is known to have been made, by the item as read or by reverse's half."""
    stamp = own_stamp(reading.item, reading.place.key, mapping.stamp)
    return (stamp is not None and is_write_of(stamp.version, version)) or entry.reverse.seen_in_flight(
        reading.place
    ) >= version
