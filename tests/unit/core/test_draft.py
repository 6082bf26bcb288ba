"""Drafts of mappings: of the public designs, the demonstration's table, and odd samples."""

import base64

import pytest

from service.core.mapping.draft import MAX_KINDS, draft, guessed_indexes
from service.core.mapping.draft_check import Tried, try_draft, with_failures
from service.core.mapping.transform import forward
from service.errors import Misconfigured
from service.rehearsal.demo.items import old_items
from tests.builders.designs import DESIGNS, items_of, mapping_of
from tests.builders.drafts import drafted, item, loaded

LEFT_OUT = {"invoices-onetable": 4, "users-typedorm": 14}
INDEXES: dict[str, dict[str, list[str]]] = {
    "banking": {"GSI1": ["GSI1PK", "GSISK"], "GSI2": ["GSI2PK", "GSISK"]},
    "complaints": {"by-customer": ["customer_id", "PK"], "escalations": ["escalated_to", "escalation_time"]},
    "game": {"inverted": ["SK", "PK"], "open": ["map", "open_timestamp"]},
}


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("design", DESIGNS)
def test_the_draft_of_a_design_maps_each_of_its_items_without_residue(design: str, known: bool) -> None:
    items = items_of(design)
    text = draft(items, mapping_of(design).old.key_names, INDEXES.get(design, {}) if known else {}, design)
    left = LEFT_OUT.get(design, 0)
    assert try_draft(text, items) == Tried(len(items), len(items) - left, left)
    mapping = loaded(text)
    for one in items:
        if not mapping.leaves_out(one):
            assert forward(mapping, one).residue == {}


@pytest.mark.parametrize("design", ["invoices-onetable", "tasks-electrodb", "users-typedorm"])
def test_the_templates_of_index_attributes_are_those_of_the_mapping_written_by_hand(design: str) -> None:
    by_hand = mapping_of(design)
    found = loaded(draft(items_of(design), by_hand.old.key_names, {}, design))
    for name, entity in by_hand.entities.items():
        made = {attribute: template.text for attribute, template in found.entities[name].old_made.items()}
        if design != "tasks-electrodb":  # an id in small letters may be taken as one of the values that the key has so
            assert made == {attribute: template.text for attribute, template in entity.old_made.items()}
        assert made.keys() == entity.old_made.keys()


@pytest.mark.parametrize("design", ["game", "complaints"])
def test_kinds_are_told_by_the_shapes_of_keys_alone(design: str) -> None:
    by_hand = mapping_of(design)
    items = items_of(design)
    found = loaded(draft(items, by_hand.old.key_names, {}, design))
    assert found.old.entity is None
    pairs = {(by_hand.entity_name_of(one), found.entity_name_of(one)) for one in items}
    assert len(pairs) == len(by_hand.entities) == len(found.entities)


def test_the_demonstrations_table_with_its_dirty_values() -> None:
    items = list(old_items(120))
    text = draft(items, ("pk", "sk"), {}, "crm")
    assert try_draft(text, items) == Tried(len(items), len(items))
    assert set(loaded(text).entities) == {"LEAD", "DEAL", "RESOURCE", "PIPELINE"}


def test_one_item_makes_a_draft() -> None:
    items = [item(pk="USER#a81", sk="PROFILE", email="a@example.com")]
    text = drafted(items)
    assert "# one item only" in text
    assert try_draft(text, items).mapped == 1


def test_a_single_item_whose_key_is_words_has_a_value_in_its_key() -> None:
    items = [item(pk="CONFIG", sk="CONFIG", size={"N": "3"})]
    assert try_draft(drafted(items), items).mapped == 1


def test_no_items_make_no_draft() -> None:
    with pytest.raises(Misconfigured, match="no items"):
        drafted([])


def test_an_item_without_the_key_is_named() -> None:
    with pytest.raises(Misconfigured, match="item 2 of the sample has no key attribute sk"):
        drafted([item(pk="A#1", sk="A"), item(pk="A#2")])


def test_number_and_binary_keys_are_fields_of_their_types() -> None:
    items = [
        {"device": {"B": base64.b64encode(bytes([number])).decode()}, "at": {"N": f"{number}.5"}, "level": {"N": "3"}}
        for number in range(9)
    ]
    text = drafted(items, "device", "at")
    assert "key_types: {device: binary, at: number}" in text
    assert try_draft(text, items).mapped == 9


def test_hundreds_of_kinds_are_refused_in_one_line() -> None:
    items = [item(pk="#".join(["A"] * number), sk="B") for number in range(1, 300)]
    with pytest.raises(Misconfigured, match=f"at most {MAX_KINDS}"):
        drafted(items)


def test_what_a_field_lacks_is_said_on_its_line() -> None:
    items = [item(pk=f"USER#{number}a", sk="PROFILE", GSI1PK=f"{number}@example.com") for number in range(10)]
    for one in items[3:]:
        one["email"] = one["GSI1PK"]
    text = drafted(items, GSI1=["GSI1PK"])
    (line,) = [line for line in text.splitlines() if line.strip().startswith("GSI1PK:")]
    assert "# no template found" in line


def test_a_template_that_few_items_do_not_follow_is_doubted() -> None:
    items = [
        item(pk=f"USER#{number}a", sk="PROFILE", name=f"N {number}", GSI1PK=f"NAME#N {number}") for number in range(20)
    ]
    items[7]["GSI1PK"] = {"S": "NAME#other"}
    text = drafted(items, GSI1=["GSI1PK"])
    assert 'GSI1PK: "NAME#{name}"  # 1 of 20 items have another value, and keep it' in text
    assert try_draft(text, items).mapped == 20


def test_a_sparse_index_attribute_is_made_of_an_optional_value() -> None:
    items = [item(pk=f"USER#{number}a", sk="PROFILE") for number in range(6)]
    for number, one in enumerate(items[:4]):
        one |= item(email=f"{number}@example.com", GSI1PK=f"MAIL#{number}@example.com")
    text = drafted(items, GSI1=["GSI1PK"])
    assert 'GSI1PK: "MAIL#{email?}"' in text
    assert "email: {type: string}  # 2 of 6 items have no email" in text
    assert try_draft(text, items).mapped == 6


def test_padded_numbers_and_capital_letters_are_found() -> None:
    items = [
        item(pk=f"SHOP#S{number}XY", sk=f"ORDER#{number:06}", shop=f"s{number}xy", order={"N": str(number)})
        for number in range(5, 16)
    ]
    text = drafted(items)
    assert 'old_key: {pk: "SHOP#{shop:upper}", sk: "ORDER#{order:pad6}"}' in text
    assert try_draft(text, items).mapped == 11


def test_relations_without_attributes_do_not_stay_behind() -> None:
    users = [
        item(pk=f"USER#u{number}x", sk="PROFILE", id=f"u{number}x", email=f"{number}@e.org") for number in range(5)
    ]
    members = [item(pk=f"GROUP#g{number}y", sk=f"USER#u{number}x") for number in range(5)]
    groups = [item(pk=f"GROUP#g{number}y", sk="GROUP", group=f"g{number}y") for number in range(5)]
    unique = [item(pk=f"MAIL#{number}@e.org", sk="MAIL") for number in range(5)]
    items = users + members + groups + unique
    tried = try_draft(drafted(items), items)
    assert (tried.left_out, tried.mapped, tried.failures) == (5, 15, [])


def test_items_that_the_draft_cannot_map_are_named_at_its_top() -> None:
    items = [item(pk=f"USER#{number}a", sk="PROFILE", _type="User") for number in range(30)] + [
        item(pk="USER#x1", sk="PROFILE")
    ]
    text = drafted(items)
    tried = try_draft(text, items)
    assert (tried.mapped, len(tried.failures)) == (30, 1)
    top = with_failures(text, tried).splitlines()[0]
    assert top.startswith("# Not mapped: ")
    assert "USER#x1" in top
    loaded(with_failures(text, tried))


def test_one_name_with_keys_of_two_shapes_becomes_two_entities() -> None:
    items = [item(pk=f"A#{number}x", sk="A", _type="Thing", size={"N": "1"}) for number in range(40)]
    items += [item(pk=f"A#{number}x#old", sk="A", _type="Thing") for number in range(2)]
    items += [item(pk=f"B#{number}x", sk="B", _type="Other") for number in range(5)]
    text = drafted(items)
    assert try_draft(text, items).mapped == 47
    assert {"Thing_1", "Thing_2", "Other"} == set(loaded(text).entities)


def test_indexes_are_guessed_by_the_names_of_attributes() -> None:
    items = [item(pk="a", sk="b", GSI1PK="c", GSI1SK="d", gs2sk="e", gs2pk="f", task="g")]
    assert guessed_indexes(items, ("pk", "sk")) == {"GSI1": ["GSI1PK", "GSI1SK"], "gs2": ["gs2pk", "gs2sk"]}
