"""Where an old item belongs: the quick answer, and that of its whole transform."""

from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from service.core.item.wire import AttributeValue, Item
from service.core.mapping.mapping import Mapping
from service.core.rules.verdict import Kind, belongs_at, misplaced, source
from tests.builders.mappings import CRM_LEAD as LEAD
from tests.builders.mappings import crm
from tests.builders.random_mappings import mappings
from tests.builders.strategies import items, mappable

RANDOM = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=30)


@st.composite
def cases(draw: Any) -> tuple[Mapping, list[Item]]:
    mapping = draw(mappings())
    found = [draw(items(mapping)) for _ in range(2)]
    assume(all(mappable(mapping, item) for item in found))
    return mapping, found


@RANDOM
@given(cases(), st.booleans())
def test_the_key_alone_tells_where_an_item_belongs(case: tuple[Mapping, list[Item]], both_ways: bool) -> None:
    mapping, (first, second) = case
    there = source(mapping, first, both_ways=both_ways)
    assert there is not None
    assert belongs_at(mapping, there.pair, first, both_ways=both_ways)
    other = source(mapping, second, both_ways=both_ways)
    stray = misplaced(mapping, there.pair, {}, other)
    assert belongs_at(mapping, there.pair, second, both_ways=both_ways) == (stray is None)


def test_an_item_that_cannot_be_mapped_belongs_where_its_key_says() -> None:
    there = source(crm(), LEAD)
    assert there is not None
    deep: AttributeValue = {"S": "x"}
    for _ in range(40):
        deep = {"L": [deep]}
    unmapped = {**LEAD, "notes": deep}
    stray = misplaced(crm(), there.pair, {}, source(crm(), unmapped))
    assert stray is not None
    assert stray.kind is Kind.QUARANTINED
    assert belongs_at(crm(), there.pair, unmapped, both_ways=False)


def test_an_item_whose_key_cannot_be_mapped_belongs_nowhere() -> None:
    there = source(crm(), LEAD)
    assert there is not None
    assert not belongs_at(crm(), there.pair, {**LEAD, "id": {"S": "8"}}, both_ways=False)
    assert not belongs_at(crm(), there.pair, {**LEAD, "created_at": {"S": "2024-04-05"}}, both_ways=False)
