"""Whether a claimed write was made, by the item as it was read and by the opposite half of the ledger."""

import pytest

from service.core.item.stamp import Stamp
from service.core.item.wire import Item
from service.core.rules.evidence import was_put, was_written
from service.core.rules.ledger import (
    Entry,
    ForwardHalf,
    ReverseClaim,
    ReverseHalf,
    Track,
    next_version,
    place_name,
)
from service.core.rules.ledger_writes import stamp_value
from tests.builders.dual_lead import (
    EPOCH,
    KEY,
    MAPPING,
    MAY,
    by_application,
    count,
    lead,
    place,
    reading,
    stamped_v2,
    version,
)


def entry(forward: ForwardHalf | None = None, reverse: ReverseHalf | None = None) -> Entry:
    return Entry(KEY, EPOCH, forward or ForwardHalf(seen=count(0)), reverse or ReverseHalf(count(5)))


def old_with(stamp: Stamp, key: Item = KEY) -> Item:
    return {**lead(), "_sync": stamp_value(key, stamp)}


OTHER_KEY: Item = {"pk": {"S": "LEAD#8"}, "sk": {"S": "METADATA"}}
PUTS: dict[str, tuple[Item | None, ForwardHalf, bool]] = {
    "nothing shows it": (lead(), ForwardHalf(seen=count(0)), False),
    "there is no old item": (None, ForwardHalf(seen=count(0)), False),
    "the old item has its stamp": (old_with(Stamp(count(3))), ForwardHalf(seen=count(0)), True),
    "the old item has the stamp of another write": (old_with(Stamp(count(2))), ForwardHalf(seen=count(0)), False),
    "the old item has a copy of another item's stamp": (
        old_with(Stamp(count(3)), OTHER_KEY),
        ForwardHalf(seen=count(0)),
        False,
    ),
    "forward has passed it": (lead(), ForwardHalf(seen=count(3), passed={place_name(place().text): count(3)}), True),
    "forward has passed a later write of the place": (
        None,
        ForwardHalf(seen=count(4), passed={place_name(place().text): count(4)}),
        True,
    ),
    "forward has passed an earlier write": (
        lead(),
        ForwardHalf(seen=count(2), passed={place_name(place().text): count(2)}),
        False,
    ),
    "forward has passed a later write of another place": (
        lead(),
        ForwardHalf(seen=count(4), passed={place_name(place(MAY).text): count(4)}),
        False,
    ),
}
"""The old item, forward's half; whether reverse's write with count 3, for a record of March, is known to have been made."""


@pytest.mark.parametrize("row", PUTS)
def test_a_write_of_reverses(row: str) -> None:
    old, half, known = PUTS[row]
    assert was_put(MAPPING, place(), count(3), old, entry(half)) is known


def v2(number: str, month: str | None = None) -> Item:
    stamped = stamped_v2(Stamp(number, base=count(0)), by_application(lead()))
    return stamped if month is None else {**stamped, "_sync": stamped_v2(Stamp(number), {}, month)["_sync"]}


def half(**tracks: Track) -> ReverseHalf:
    months = {"march": place().text, "may": place(MAY).text}
    return ReverseHalf(count(0), tracks={months[name]: track for name, track in tracks.items()})


CLAIMED = ReverseHalf(count(0), claims={place().text: ReverseClaim("", version(50), "w", count(1), ())})
WRITES: dict[str, tuple[Item | None, ReverseHalf, bool]] = {
    "nothing shows it": (v2(version(40)), half(), False),
    "there is no item": (None, half(), False),
    "the item has its stamp": (v2(version(50)), half(), True),
    "the item has the stamp of a later write of the same claim": (v2(next_version(version(50))), half(), True),
    "the item has the stamp of another change": (v2(version(51)), half(), False),
    "the item has a copy of another item's stamp": (v2(version(50), MAY), half(), False),
    "reverse has passed it": (None, half(march=Track(seen=version(50))), True),
    "reverse has passed a later one": (None, half(march=Track(seen=version(51))), True),
    "reverse has passed an earlier one": (None, half(march=Track(seen=version(49))), False),
    "reverse has passed it at another place": (None, half(may=Track(seen=version(50))), False),
    "reverse has claimed a write after passing it": (None, CLAIMED, True),
}
"""The item at the place, reverse's half; whether forward's write at version 50 is known to have been made."""


@pytest.mark.parametrize("row", WRITES)
def test_a_write_of_forwards(row: str) -> None:
    item, reverse, known = WRITES[row]
    assert was_written(MAPPING, version(50), reading(item), entry(reverse=reverse)) is known


def test_a_second_write_of_one_move_is_not_shown_by_the_stamp_of_the_first() -> None:
    again = next_version(version(50))
    assert not was_written(MAPPING, again, reading(v2(version(50))), entry())
    assert was_written(MAPPING, again, reading(v2(again)), entry())
