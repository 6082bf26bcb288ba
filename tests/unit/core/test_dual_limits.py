"""What `dual` cannot carry: an own attribute under the stamp's name, and items without room for a stamp."""

import pytest

from service.core.item.size import MAX_ITEM_BYTES, item_bytes
from service.core.item.stamp import Stamp, encode_stamp
from service.core.item.wire import Item
from service.core.rules.dual_limits import dual_obstacles
from service.core.rules.guarded import copy_write
from service.core.rules.ledger import count_version
from tests.builders.small_crm import MAPPING, by_reverse, deal, lead

REVERSE = item_bytes({MAPPING.stamp: encode_stamp(Stamp(count_version(1, 1)))})


def obstacles(old: Item) -> tuple[str, ...]:
    return dual_obstacles(MAPPING.stamp, old, copy_write(MAPPING, old, 1).item)


def of_size(size: int) -> Item:
    """A deal of so many bytes."""
    empty = item_bytes(deal("a", notes={"S": ""}))
    return deal("a", notes={"S": "x" * (size - empty)})


def test_an_ordinary_item_is_carried() -> None:
    assert obstacles(lead("a")) == ()


@pytest.mark.parametrize(
    "own", [{"S": "yes"}, {"M": {}}, {"M": {"v": {"N": "1"}}}, {"BOOL": True}, {"L": [{"S": "0001.1"}]}]
)
def test_an_own_attribute_under_the_name_of_the_stamp_is_not(own: Item) -> None:
    assert obstacles(lead("a", **{MAPPING.stamp: own})) == ("own_stamp_attribute",)


def test_a_stamp_of_tablesplit_is_told_from_an_own_attribute() -> None:
    assert obstacles(by_reverse(lead("a"))) == ("stamp_left",)


def test_an_old_item_needs_room_for_the_stamp_of_reverse() -> None:
    fits = of_size(MAX_ITEM_BYTES - REVERSE - 32)
    assert dual_obstacles(MAPPING.stamp, fits, {}) == ()
    assert dual_obstacles(MAPPING.stamp, of_size(MAX_ITEM_BYTES - REVERSE - 31), {}) == ("old_too_big",)
    stamped = by_reverse(fits)
    assert item_bytes(stamped) + 32 == MAX_ITEM_BYTES
    assert dual_obstacles(MAPPING.stamp, stamped, {}) == ("stamp_left",)  # its stamp is not counted twice


def test_a_v2_item_needs_room_for_what_dual_adds_to_the_stamp_of_the_copy() -> None:
    old = lead("a")
    names = sum(len(name) + 1 for name in old)
    room = (
        42 + 32 + names
    )  # a base of 40 digits under a name of one letter, with the map's byte for it; key hash; names
    assert dual_obstacles(MAPPING.stamp, old, {"x": {"S": "y" * (MAX_ITEM_BYTES - 1 - room)}}) == ()
    assert dual_obstacles(MAPPING.stamp, old, {"x": {"S": "y" * (MAX_ITEM_BYTES - room)}}) == ("v2_too_big",)
