"""On generated items: the inverse of a v2 item is the old item, byte for byte (I7), and no two items share a key."""

import os
import time
from itertools import starmap

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.core.item.compare import equal
from service.core.item.stamp import V2Item, backfill_version, stamped
from service.core.item.wire import Item
from service.core.mapping.dates import moment_of
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from tests.builders.designs import DESIGNS, mapping_of
from tests.builders.mappings import crm, library, parcels, shop
from tests.builders.strategies import VALUES, items, mappable, stored

VERSION = backfill_version(1)
MAPPINGS = st.sampled_from([crm(), shop(), library(), parcels(), *map(mapping_of, DESIGNS)])
PAIRS = MAPPINGS.flatmap(lambda mapping: st.tuples(st.just(mapping), items(mapping)))


def written(mapping: Mapping, v2: V2Item) -> Item:
    return stamped(v2, VERSION, mapping.stamp)


@given(PAIRS)
def test_the_inverse_gives_the_old_item_back_byte_for_byte(pair: tuple[Mapping, Item]) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    assert inverse(mapping, written(mapping, v2), v2.table) == old


@given(PAIRS)
def test_the_inverse_gives_the_old_item_back_after_dynamodb_has_stored_it(pair: tuple[Mapping, Item]) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    as_read = stored(orjson.loads(orjson.dumps(written(mapping, v2))))
    assert equal(inverse(mapping, as_read, v2.table), old)


@given(PAIRS)
def test_forward_depends_on_nothing_but_the_item(pair: tuple[Mapping, Item]) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    assert forward(mapping, dict(sorted(old.items()))) == forward(mapping, dict(reversed(old.items())))


@given(PAIRS)
def test_the_place_is_where_forward_puts_the_item(pair: tuple[Mapping, Item]) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    assert v2_place(mapping, old) == (v2.table, v2.key)


@given(st.sampled_from([crm(), parcels()]).flatmap(lambda mapping: st.tuples(st.just(mapping), items(mapping))))
def test_what_forward_made_it_makes_again_of_the_item_that_v2_gives_back_without_a_stamp(
    pair: tuple[Mapping, Item],
) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    assert forward(mapping, inverse(mapping, v2.item, v2.table)).item == v2.item


@given(MAPPINGS.flatmap(lambda mapping: st.tuples(st.just(mapping), items(mapping), items(mapping))))
def test_two_old_items_never_share_a_v2_key(case: tuple[Mapping, Item, Item]) -> None:
    mapping, first, second = case
    assume(mappable(mapping, first) and mappable(mapping, second))
    assume([first[name] for name in mapping.old.key_names] != [second[name] for name in mapping.old.key_names])
    assert v2_place(mapping, first) != v2_place(mapping, second)


@given(items(crm(), "LEAD"), st.sampled_from(["name", "status", "bio_match", "tags", "website"]), VALUES)
def test_after_an_edit_in_v2_the_edited_field_comes_back_edited_and_the_others_as_they_were(
    old: Item, edited: str, value: dict[str, object]
) -> None:
    mapping = crm()
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    assume(not equal({"": v2.item.get(edited, {"NULL": True})}, {"": value}))
    back = inverse(mapping, {**written(mapping, v2), edited: value}, v2.table)
    assert back == {**old, edited: value}


@given(items(parcels()), st.sampled_from(["steps", "size", "extra", "seen"]), VALUES)
def test_after_an_edit_of_a_list_a_map_any_value_or_a_time_it_comes_back_as_v2_has_it(
    old: Item, edited: str, value: dict[str, object]
) -> None:
    mapping = parcels()
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    assume(not equal({"": v2.item.get(edited, {"NULL": True})}, {"": value}))
    back = inverse(mapping, {**written(mapping, v2), edited: value}, v2.table)
    aliases = set(mapping.entities["PARCEL"].fields[edited].names) - {edited}  # an alias without a value may come back
    assert {name: back[name] for name in back.keys() - aliases} == {
        **{name: old[name] for name in old.keys() - aliases},
        edited: value,
    }


@given(items(crm(), "DEAL"), st.sampled_from(["2024-01-01", "soon"]))
def test_a_field_removed_in_v2_is_removed_from_the_old_item(generated: Item, due: str) -> None:
    mapping, old = crm(), {**generated, "due_date": {"S": due}}
    assume(mappable(mapping, old))
    v2 = forward(mapping, old)
    item = {name: value for name, value in written(mapping, v2).items() if name != "due_date"}
    assert inverse(mapping, item, v2.table) == {name: value for name, value in old.items() if name != "due_date"}


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
def test_the_month_does_not_depend_on_the_local_time_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TZ", zone)
    time.tzset()
    moment_of.cache_clear()
    at_night = ("date", "2024-02-29T23:59:59"), ("date", "2024-03-01T00:30:00+01:00"), ("epoch", "1709251199")
    assert [moment.month for moment in starmap(moment_of, at_night) if moment] == [2, 2, 2]
    monkeypatch.undo()
    time.tzset()
