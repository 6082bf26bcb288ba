"""Clean values: the transform takes them as they are, with exactly the result that its rules give."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.core.item.stamp import V2Item
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import CLEAN, CONVERTERS
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.errors import Poison
from tests.builders.mappings import CRM_LEAD, crm, shop
from tests.builders.random_mappings import mappings
from tests.builders.strategies import VALUES, items

RANDOM = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=60)
LEAD: Item = {**CRM_LEAD, "name": {"S": "Ann"}, "followers": {"N": "12"}, "tags": {"L": [{"S": "hot"}]}}


def by_rules(mapping: Mapping) -> Mapping:
    """The mapping by which the rules decide about every value, clean or not."""
    return with_entities(mapping, lambda entity: replace(entity, steps=_without_clean(entity)))


def with_entities(mapping: Mapping, change: Any) -> Mapping:
    return replace(mapping, entities={name: change(entity) for name, entity in mapping.entities.items()})


def _without_clean(entity: Entity) -> tuple[Any, ...]:
    return tuple(step._replace(tag="", may_be_absent=False) for step in entity.steps)


def outcome(mapping: Mapping, item: Item) -> V2Item | tuple[str, str]:
    """The v2 item, or why there is none."""
    try:
        return forward(mapping, item)
    except Poison as poison:
        return poison.reason, poison.message


@st.composite
def cases(draw: Any) -> tuple[Mapping, Item]:
    """A mapping, and an item which it may refuse: some have an attribute too few, or one of any value."""
    mapping = draw(st.one_of(mappings(), st.just(crm()), st.just(shop())))
    item = draw(items(mapping))
    name = draw(st.none() | st.sampled_from(sorted(item)))
    changed = {} if name is None else draw(st.just({}) | VALUES.map(lambda value: {name: value}))
    return mapping, {other: value for other, value in item.items() if other != name or name is None} | changed


@RANDOM
@given(cases())
def test_the_result_is_that_of_the_rules(case: tuple[Mapping, Item]) -> None:
    mapping, item = case
    assert outcome(mapping, item) == outcome(by_rules(mapping), item)


@settings(max_examples=300)
@given(st.sampled_from(sorted(CLEAN)), VALUES)
def test_a_converter_gives_a_clean_value_back_as_it_is(kind: str, value: AttributeValue) -> None:
    tag, holds = CLEAN[kind]
    content = value.get(tag)
    if content and (holds is None or holds(content)):
        assert CONVERTERS[kind](value) is value


def test_no_converter_is_asked_about_a_clean_value() -> None:
    def refuse(value: AttributeValue) -> AttributeValue:
        raise AssertionError(value)

    def refusing(entity: Entity) -> Entity:
        steps = [step._replace(rule=replace(step.rule, convert=refuse)) for step in entity.steps]
        return replace(entity, steps=tuple(steps))

    mapping = with_entities(crm(), refusing)
    assert forward(mapping, LEAD) == forward(crm(), LEAD)
    with pytest.raises(AssertionError):
        forward(mapping, {**LEAD, "followers": {"S": "12"}})
