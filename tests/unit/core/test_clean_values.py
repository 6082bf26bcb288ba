"""Clean values: the transform takes them as they are, with exactly the result that its rules give."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from service.core.item.compare import differences
from service.core.item.stamp import V2Item
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import CLEAN, CONVERTERS
from service.core.mapping.entity import Entity
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import content_before, forward
from service.errors import Poison
from tests.builders.mappings import CRM_LEAD, crm, shop
from tests.builders.random_mappings import mappings
from tests.builders.strategies import VALUES, items, mappable

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


@st.composite
def changed_items(draw: Any) -> tuple[Mapping, Item, Item]:
    """A mapping, and an item before and after a change of some attributes."""
    mapping = draw(st.one_of(mappings(), st.just(crm()), st.just(shop())))
    after = draw(items(mapping))
    others = sorted({"another", *after} - set(mapping.old.key_names))
    names = draw(st.lists(st.sampled_from(others), max_size=2, unique=True))
    before = {name: value for name, value in after.items() if name not in names}
    return mapping, before | {name: draw(VALUES) for name in names[1:]}, after


@RANDOM
@given(changed_items())
def test_the_content_before_a_change_is_that_of_the_transform(case: tuple[Mapping, Item, Item]) -> None:
    mapping, before, after = case
    assume(mappable(mapping, before) and mappable(mapping, after))
    v2, expected = forward(mapping, after), forward(mapping, before)
    assume(v2.entity == expected.entity)
    entity = mapping.entities[v2.entity]
    content = content_before(entity, before, after, v2)
    if content is not None:
        wrong = set(differences(content, expected.item))
        of_others = {rule.name for rule in entity.rules if rule.default is not None}
        assert wrong <= of_others | {name for name, _ in entity.derived}


@pytest.mark.parametrize(
    "change", [{"followers": {"N": "13"}}, {"name": {"S": "Bob"}}, {"status": {"S": "won"}}], ids=str
)
def test_the_content_before_a_change_of_plain_fields_is_made_from_what_is_after_it(change: Item) -> None:
    v2 = forward(crm(), {**LEAD, **change})
    entity = crm().entities[v2.entity]
    assert content_before(entity, LEAD, {**LEAD, **change}, v2) == forward(crm(), LEAD).item


@pytest.mark.parametrize(
    "change", [{"created_at": {"S": "2024-04-01"}}, {"strange": {"S": "x"}}, {"followers": {"S": "12"}}], ids=str
)
def test_the_content_before_other_changes_is_left_to_the_transform(change: Item) -> None:
    before = {**LEAD, **change}
    v2 = forward(crm(), LEAD)
    assert content_before(crm().entities[v2.entity], before, LEAD, v2) is None


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
