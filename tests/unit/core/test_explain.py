"""An explanation says of each attribute which rule decided it, and its values are those that are written."""

from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from service.core.item.wire import Item
from service.core.mapping.explain import Edit, Explanation, explain
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward
from service.core.mapping.typed_text import edits_from_text, old_key_from_text
from service.errors import Misconfigured
from tests.builders.mappings import crm, shop
from tests.builders.small_crm import MAPPING, lead, old_key
from tests.builders.strategies import items, mappable

OLD = lead("a", followers={"S": "1,054"}, likes={"N": "3"}, PK={"S": "mine"})
ORDER = {
    "hash": {"S": "ORDER/c/7"},
    "kind": {"S": "ORDER"},
    "nr": {"S": "7"},
    "customer": {"S": "c"},
    "total": {"S": "x"},
    "done": {"S": "yes"},
    "weight": {"N": "2"},
}


def rules(explained: Explanation) -> tuple[dict[str, str], dict[str, str]]:
    """The rule of each v2 attribute, and of each old attribute that comes back."""
    return {row.name: row.rule for row in explained.made}, {row.name: row.rule for row in explained.back}


def test_each_attribute_has_the_rule_that_decided_it() -> None:
    made, back = rules(explain(MAPPING, OLD))
    assert made == {
        **dict.fromkeys(("PK", "SK"), "key_template"),
        **dict.fromkeys(("GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"), "index_template"),
        **dict.fromkeys(("id", "created_at"), "as_it_is"),
        **dict.fromkeys(("status", "company", "updated_at"), "default"),
        "followers": "converted",
        "custom_fields": "gathered",
        "_sync": "stamp",
    }
    assert back == {
        **dict.fromkeys(("pk", "sk"), "key_template"),
        "entity_type": "entity",
        **dict.fromkeys(("id", "created_at"), "field"),
        **dict.fromkeys(("followers", "PK"), "residue"),
        "likes": "gathered",
    }


def test_other_names_transforms_and_values_that_cannot_be_converted() -> None:
    explained = explain(shop(), ORDER)
    made, back = rules(explained)
    assert made["id"] == "alias"
    assert {row.name: row.why for row in explained.made}["paid"].startswith("alias done, converted to boolean; residue")
    assert (made["total"], made["weight"], made["lines"]) == ("default", "transform", "default")
    assert (back["nr"], back["total"], back["weight"]) == ("residue", "residue", "transform")
    assert explained.differs == ()


def test_an_item_that_goes_to_quarantine_is_explained_by_its_reason() -> None:
    explained = explain(MAPPING, {**OLD, "id": {"S": "b"}})
    assert explained.refusal is not None
    assert (explained.entity, explained.refusal.reason, explained.made) == ("LEAD", "key_mismatch", ())
    assert explained.to_json()["quarantined"]["reason"] == "key_mismatch"


def edit(*assignments: str) -> Edit:
    changes = edits_from_text(MAPPING, MAPPING.entities["LEAD"], assignments)
    edited = explain(MAPPING, OLD, changes).edit
    assert edited is not None
    return edited


def test_an_edit_shows_what_comes_back_changed_and_what_is_to_be_written_with_it() -> None:
    edited = edit("status=won", "followers=7")
    assert {row.name: row.value for row in edited.old} == {"status": {"S": "won"}, "followers": {"N": "7"}}
    assert [row.name for row in edited.beside] == ["GSI1PK"]
    assert not edited.moves
    assert edit("followers=1054").old == ()  # the original still makes it


def test_an_edit_of_what_the_key_is_made_of_moves_the_item() -> None:
    assert edit("created_at=2025-01-01").moves


def test_an_edit_that_cannot_be_carried_says_why() -> None:
    refusal = edit("likes=4").refusal
    assert refusal is not None
    assert refusal.reason == "name_collision"


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("followers=7", {"N": "7"}),
        ("status=", {"S": ""}),
        ("created_at=2024-01-02", {"S": "2024-01-02"}),
        ('followers={"S": "7"}', {"S": "7"}),
        ("company={x", {"S": "{x"}),
        ("unknown=7", {"S": "7"}),
    ],
)
def test_a_value_is_read_by_the_type_of_its_field(assignment: str, value: Item) -> None:
    (read,) = edits_from_text(MAPPING, MAPPING.entities["LEAD"], [assignment]).values()
    assert read == value


@pytest.mark.parametrize("assignment", ["status", "=x", "followers=many", "PK=x", "_sync=x"])
def test_what_is_no_edit_is_refused(assignment: str) -> None:
    with pytest.raises(Misconfigured):
        edits_from_text(MAPPING, MAPPING.entities["LEAD"], [assignment])


def test_an_old_key_is_read_as_messages_write_it() -> None:
    assert old_key_from_text(MAPPING, "pk=LEAD#a b sk=METADATA") == old_key("LEAD", "a b")
    assert old_key_from_text(shop(), "hash=ORDER/c/7") == {"hash": {"S": "ORDER/c/7"}}
    for text in ("LEAD#a", "pk=LEAD#a", "pk= sk=METADATA", "sk=METADATA pk=a"):
        with pytest.raises(Misconfigured):
            old_key_from_text(MAPPING, text)


@settings(max_examples=40)
@given(st.sampled_from([crm(), shop()]).flatmap(lambda mapping: st.tuples(st.just(mapping), items(mapping))))
def test_the_values_are_those_of_the_v2_item_and_of_the_old_one(pair: tuple[Mapping, Item]) -> None:
    mapping, old = pair
    assume(mappable(mapping, old))
    explained = explain(mapping, old)
    made: dict[str, Any] = {row.name: row.value for row in explained.made if row.value is not None}
    del made[mapping.stamp]
    assert made == forward(mapping, old).item
    assert {row.name: row.value for row in explained.back} == old
    assert explained.differs == ()
