"""The units of an item: when two values are the same, what a change has changed, and the names under which units are remembered."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.core.item.compare import equal
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.mapping import Mapping
from service.core.rules.unit_writes import names_of, under_present_names, with_units
from service.core.rules.units import (
    ABSENT,
    GROUP,
    UnitChange,
    Value,
    changed_units,
    counter,
    counters,
    difference,
    differing,
    is_among,
    merge_of,
    number_of,
    old_units,
    remembered,
    same,
    shown,
    v2_units,
    written_units,
)
from tests.builders.dual_lead import LEAD, MAPPING, PRICE, by_application, by_forward, element, form_of, lead
from tests.builders.mappings import crm, merge_mapping, parcels, shop
from tests.builders.marshalled import marshalled
from tests.builders.strategies import items

SETS: AttributeValue = {"SS": ["a", "b"]}


def units(**contents: str | int | AttributeValue) -> list[str]:
    """The units in which a lead differs from one without these attributes."""
    return sorted(differing(old_units(MAPPING, lead()), old_units(MAPPING, lead(**contents))))


def test_no_item_has_no_units() -> None:
    assert old_units(MAPPING, None) == {}


def test_the_attributes_of_the_key_are_no_units() -> None:
    assert old_units(MAPPING, lead()).keys() & {"pk", "sk"} == set()


@pytest.mark.parametrize("dirty", ["85", ' "85" ', "85.7"])
def test_a_dirty_original_and_its_normal_form_are_one_value(dirty: str) -> None:
    clean, original = (old_units(MAPPING, lead(followers=content))["followers"] for content in (85, dirty))
    assert same(clean, original)
    assert clean.raw != original.raw


def parcel(**contents: AttributeValue) -> Item:
    own: Item = {"pk": {"S": "PARCEL#7"}, "sk": {"S": "META"}, "kind": {"S": "PARCEL"}, "id": {"S": "7"}}
    return {**own, "created_at": {"N": "1709633000"}, **contents}


@pytest.mark.parametrize(
    "contents",
    [
        {"created_at": {"N": "1.709633E+9"}},
        {"created_at": {"S": "1,709,633,000"}},
        {"created_at": {"S": "2024-03-05T10:03:20Z"}},
        {"created_at": {"S": "2024-03-05T11:03:20.7+01:00"}},
        {"sent": {"N": "951825600500.0"}},
        {"size": {"S": "{}"}},
        {"size": {"S": "much"}},
        {"extra": {"NULL": True}},
        {"steps": {"S": ""}},
    ],
)
def test_a_time_in_another_notation_is_one_value_and_so_is_a_map_in_text(contents: dict[str, AttributeValue]) -> None:
    before, after = (old_units(parcels(), item) for item in (parcel(), parcel(**contents)))
    assert differing(before, after) == frozenset()


def test_a_list_that_was_marshalled_twice_is_the_same_value_as_the_list_and_as_v2s() -> None:
    """Also as v2's copy of an earlier version, which left it as it was."""
    steps = [{"M": {"S": {"S": "a"}, "at": {"N": "1"}}}]
    once, twice = parcel(steps={"L": steps}), parcel(steps={"L": [marshalled(step) for step in steps]})
    assert differing(old_units(parcels(), once), old_units(parcels(), twice)) == frozenset()
    assert differing(old_units(parcels(), twice), v2_units(parcels(), twice, twice)) == frozenset()


def test_two_dirty_originals_with_one_normal_form_are_one_value_and_their_change_was_written() -> None:
    before, after = (old_units(MAPPING, lead(followers=content)) for content in ("many", "lots"))
    assert differing(before, after) == frozenset()
    assert [change.unit for change in written_units(before, after)] == ["followers"]


def test_an_absent_field_is_the_same_as_its_default() -> None:
    assert units(status="new", company="", followers=0, tags={"L": []}) == []


def test_a_field_by_another_alias_is_the_same_value() -> None:
    assert differing(old_units(MAPPING, lead(phase="won")), old_units(MAPPING, lead(stage="won"))) == frozenset()
    assert units(phase="won") == ["stage"]


def test_what_v2_holds_where_the_mapping_makes_another_value_has_no_normal_form() -> None:
    now = form_of(by_application(lead(), followers="many"))["followers"]
    assert now == Value({"followers": {"S": "many"}}, None)
    assert same(now, old_units(MAPPING, lead(followers="many"))["followers"])
    assert not same(now, old_units(MAPPING, lead(followers="lots"))["followers"]), "both are 0 in normal form"
    assert not same(now, old_units(MAPPING, lead())["followers"])


def test_a_v2_item_has_the_units_of_its_old_item_however_dirty() -> None:
    dirty = lead(followers="1,054", phase="x", note={"L": []}, tags="a, b", visits="3")
    assert differing(form_of(by_forward(dirty)), old_units(MAPPING, dirty)) == frozenset()


def test_without_the_residue_a_v2_item_has_the_same_units() -> None:
    dirty = lead(followers="85", visits="3", phase="x", company={"NULL": True})
    assert differing(form_of(by_application(dirty)), old_units(MAPPING, dirty)) == frozenset()


def test_an_attribute_that_is_named_as_v2s_key_differs_from_nothing_but_is_written() -> None:
    """v2 can have it only in the residue, and loses that with the stamp."""
    without, first, second = (old_units(MAPPING, item) for item in (lead(), lead(PK="a"), lead(PK="b")))
    assert differing(first, second) == differing(without, first) == frozenset()
    assert [
        [change.unit for change in written_units(before, after)]
        for before, after in ((first, second), (without, first))
    ] == [["PK"], ["PK"]]


def test_a_group_is_one_unit() -> None:
    assert units(amount=3) == units(currency="EUR") == units(amount=3, currency="EUR") == [PRICE]


def test_a_group_with_an_odd_member_on_v2_is_the_same_only_as_it_is() -> None:
    now = form_of(by_application(lead(currency="EUR"), amount="free"))[PRICE]
    assert now.normal is None
    assert same(now, old_units(MAPPING, lead(currency="EUR", amount="free"))[PRICE])
    assert not same(now, old_units(MAPPING, lead(currency="EUR"))[PRICE])


@pytest.mark.parametrize(
    ("contents", "elements"),
    [
        ({"tags": {"L": [{"S": "b"}, {"S": "a"}]}}, [element("tags", "a"), element("tags", "b")]),
        ({"tags": "b, a"}, [element("tags", "a"), element("tags", "b")]),
        ({"tags": {"L": [{"S": "a"}, {"S": "a"}]}}, [element("tags", "a")]),
        ({"tags": {"L": [{"M": {}}, {"S": "a"}]}}, ["tags"]),
        ({"tags": {"L": [{"L": []}]}}, ["tags"]),
        ({"labels": SETS}, [element("labels", "a"), element("labels", "b")]),
        ({"labels": "a"}, ["labels"]),
        ({"labels": {"NS": ["1.0", "2"]}}, ['labels\0{"N":"1"}', 'labels\0{"N":"2"}']),
    ],
)
def test_a_union_has_a_unit_for_each_scalar(contents: dict[str, AttributeValue], elements: list[str]) -> None:
    assert units(**contents) == elements


def test_an_element_is_one_value_whether_a_list_or_a_text_holds_it() -> None:
    assert differing(
        old_units(MAPPING, lead(tags="a, b")), old_units(MAPPING, lead(tags={"L": [{"S": "b"}, {"S": "a"}]}))
    ) == (frozenset())


def test_of_an_unknown_entity_each_attribute_is_a_unit() -> None:
    ghost = {**lead(phase="x", amount=1), "entity_type": {"S": "GHOST"}}
    assert old_units(MAPPING, ghost).keys() == ghost.keys() - {"pk", "sk"}
    assert (merge_of(None, "visits"), counters(None, ["visits"])) == ("v2", frozenset())
    assert names_of(None, "phase") == ("phase",)


def test_a_default_that_moves_with_another_field_is_changed_and_not_written() -> None:
    before, after = old_units(MAPPING, lead("2024-03")), old_units(MAPPING, lead("2024-05"))
    assert [change.unit for change in changed_units(before, after)] == ["created_at", "updated_at"]
    assert [change.unit for change in written_units(before, after)] == ["created_at"]


def test_a_rewriting_in_normal_form_is_written() -> None:
    """The old side's application has cleaned its value: old keeps what it wrote, and v2 has it already."""
    before, after = old_units(MAPPING, lead(followers="85")), old_units(MAPPING, lead(followers=85))
    assert [change.unit for change in written_units(before, after)] == ["followers"]


def test_an_attribute_that_both_lack_is_no_change() -> None:
    assert changed_units(old_units(MAPPING, lead()), old_units(MAPPING, lead())) == []


NUMBERS: list[tuple[Value, str | None, str | None]] = [
    (ABSENT, "0", None),
    (Value({"likes": {"N": "2.5"}}, ({"N": "2.5"},)), "2.5", "2.5"),
    (Value({"likes": {"S": "2"}}, ({"S": "2"},)), None, None),
    (Value({"likes": {"N": "2"}}, None), None, None),
    (Value({}, ({"N": "0"},)), "0", "0"),
    (Value({}, None), None, None),
    (Value({}, ({"N": "1"}, {"N": "2"})), None, None),
]
"""A value, its number as a counter, its number."""


@pytest.mark.parametrize(("held", "counted", "number"), NUMBERS)
def test_an_absent_counter_is_zero_and_other_absent_values_are_no_number(
    held: Value, counted: str | None, number: str | None
) -> None:
    assert (counter(held), number_of(held)) == tuple(text and Decimal(text) for text in (counted, number))


def test_the_difference_of_a_counter_is_exact() -> None:
    large, small = "9" * 38, "-" + "9" * 38
    change = UnitChange("likes", *(Value({"likes": {"N": text}}, ({"N": text},)) for text in (small, large)))
    assert str(difference(change)) == "1" + "9" * 37 + "8"
    assert difference(change._replace(after=ABSENT)) is None
    assert difference(change._replace(before=Value({}, None))) is None


def test_the_counters_are_those_that_the_mapping_declares() -> None:
    names = ["visits", "followers", "likes", "stage", element("tags", "a"), PRICE]
    assert counters(LEAD, names) == {"visits", "likes"}
    assert [merge_of(LEAD, name) for name in names] == ["add", "v2", "add", "agree", "union", "v2"]


def test_a_group_is_remembered_by_its_fields_so_that_groups_may_change_meanwhile() -> None:
    assert remembered([PRICE, "status", element("tags", "a")]) == ("amount", "currency", "status", element("tags", "a"))
    assert is_among(PRICE, ("currency",))
    assert is_among("amount", remembered([PRICE])), "no longer in a group"
    assert is_among(f"status{GROUP}stage", ("stage",)), "since then in a group"
    assert not is_among(PRICE, ("status", "amount_of_something"))
    assert not is_among("tags", (element("tags", "a"),))


def test_people_are_shown_fields_without_their_elements() -> None:
    assert shown([element("tags", "b"), element("tags", "a"), "status"]) == ("status", "tags")


def test_the_inverse_goes_under_the_alias_that_the_old_application_uses() -> None:
    made = {"stage": {"S": "won"}, "note": {"S": "x"}}
    assert under_present_names(LEAD, lead(phase="lost"), made) == {"phase": {"S": "won"}, "note": {"S": "x"}}
    assert under_present_names(LEAD, lead(phase="lost", stage="lost"), made) == made
    assert under_present_names(LEAD, lead(), made) == made
    assert under_present_names(None, lead(phase="lost"), made) == made


def test_the_names_that_may_hold_a_unit() -> None:
    assert names_of(LEAD, "stage") == ("stage", "phase")
    assert names_of(LEAD, PRICE) == ("amount", "currency")
    assert names_of(LEAD, element("tags", "a")) == ("tags",)
    assert names_of(LEAD, "note") == ("note",)


ENTITIES = [(mapping(), name) for mapping in (crm, shop, parcels, merge_mapping) for name in mapping().entities]


@settings(max_examples=60)
@given(st.data(), st.sampled_from(ENTITIES))
def test_the_changed_units_turn_the_one_item_into_the_other(data: st.DataObject, of: tuple[Mapping, str]) -> None:
    """Exactly, where nothing is merged by difference or by element; otherwise to the same values."""
    mapping, name = of
    first, second = (data.draw(items(mapping, name)) for _ in range(2))
    second |= {key: first[key] for key in mapping.old.key_names}
    before, after = old_units(mapping, first), old_units(mapping, second)
    made = with_units(mapping.entities[name], first, before, changed_units(before, after))
    if mapping is merge_mapping():
        assert differing(old_units(mapping, made), after) == frozenset()
    else:
        assert equal(made, second)


MIXED: AttributeValue = {"L": [{"S": "a"}, {"M": {}}]}


@pytest.mark.parametrize("union", ["tags", "labels"])
def test_a_union_that_gets_what_is_no_scalar_keeps_its_elements(union: str) -> None:
    """Its elements leave one by one, and come back with the whole value: in whatever order, none may be missing."""
    scalars, mixed = lead(**{union: {"L": [{"S": "a"}]}}), lead(**{union: MIXED})
    for first, second in ((scalars, mixed), (mixed, scalars)):
        before, after = old_units(MAPPING, first), old_units(MAPPING, second)
        assert with_units(LEAD, first, before, changed_units(before, after)) == second


@settings(max_examples=60)
@given(st.data(), st.sampled_from(ENTITIES))
def test_what_did_not_change_stays_byte_for_byte(data: st.DataObject, of: tuple[Mapping, str]) -> None:
    mapping, name = of
    item: Item = data.draw(items(mapping, name))
    form = old_units(mapping, item)
    assert changed_units(form, form) == []
    assert with_units(mapping.entities[name], item, form, []) == item
