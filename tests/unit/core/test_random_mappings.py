"""For any mapping that is accepted: every item comes back, no two share a v2 key, and an edit gives a consistent old item."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from service.core.item.stamp import backfill_version, stamped, without_stamp
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.made import made_otherwise
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, old_key, v2_place
from service.errors import Poison
from tests.builders.random_mappings import mappings
from tests.builders.strategies import items, mappable

RANDOM = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=20)


@st.composite
def cases(draw: Any, count: int) -> tuple[Mapping, list[Item]]:
    mapping = draw(mappings())
    found = [draw(items(mapping)) for _ in range(count)]
    assume(all(mappable(mapping, item) for item in found))
    return mapping, found


@RANDOM
@given(cases(1))
def test_the_item_comes_back_byte_for_byte(case: tuple[Mapping, list[Item]]) -> None:
    mapping, (item,) = case
    v2 = forward(mapping, item)
    assert v2_place(mapping, item) == (v2.table, v2.key)
    assert inverse(mapping, stamped(v2, backfill_version(1), mapping.stamp), v2.table) == item


@RANDOM
@given(cases(2))
def test_two_items_never_share_a_v2_key(case: tuple[Mapping, list[Item]]) -> None:
    mapping, (first, second) = case
    assume(old_key(mapping, first) != old_key(mapping, second))
    assert v2_place(mapping, first) != v2_place(mapping, second)


@RANDOM
@given(cases(1), st.data())
def test_an_edit_gives_an_item_that_the_old_application_would_have_written(
    case: tuple[Mapping, list[Item]], data: st.DataObject
) -> None:
    mapping, (item,) = case
    v2 = forward(mapping, item)
    entity = mapping.entities[v2.entity]
    texts = [rule.name for rule in entity.rules if rule.type == "string" and not rule.required]
    assume(texts)
    edited = stamped(v2, backfill_version(1), mapping.stamp) | {
        data.draw(st.sampled_from(texts)): {"S": data.draw(st.text("ab#:", min_size=1, max_size=5))}
    }
    old = inverse(mapping, edited, v2.table)
    assert old_key(mapping, old) == old_key(mapping, item)
    untouched = {name for name in entity.old_made if old.get(name) == item.get(name)}
    assert made_otherwise(entity, old, without_stamp(edited, mapping.stamp)).keys() <= untouched


@RANDOM
@given(cases(1))
def test_without_its_stamp_the_old_item_is_consistent(case: tuple[Mapping, list[Item]]) -> None:
    mapping, (item,) = case
    v2 = forward(mapping, item)
    entity = mapping.entities[v2.entity]
    old = inverse(mapping, v2.item, v2.table)
    assert made_otherwise(entity, old, v2.item) == {}
    assert old_key(mapping, old) == old_key(mapping, item)
    assert mapping.entity_of(old) is entity
    try:
        again = forward(mapping, old)
    except Poison as poison:
        pytest.fail(poison.message)
    assert again.item == v2.item
