"""Old items out of a file, tried on a mapping: every form of the file, and what became of each item."""

import json
from dataclasses import replace

import pytest

from service.core.item.json_items import items_from_json
from service.core.mapping.mapping import Mapping
from service.core.mapping.trial import try_items
from tests.builders.small_crm import MAPPING, deal, lead

A, B = lead("a"), deal("b", value={"N": "1.5"})
LINES = "\n".join(map(json.dumps, (A, B)))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([A, B], indent=1),
        LINES,
        f"\n{LINES}\n\n",
        "\n".join(json.dumps({"Item": item}) for item in (A, B)),
        json.dumps([{"Item": A}, {"Item": B}]),
        json.dumps({"Items": [A, B], "Count": 2, "ConsumedCapacity": None}),
    ],
)
def test_each_form_of_a_file_has_the_items_byte_for_byte(text: str) -> None:
    assert items_from_json(text, "pk") == [A, B]


def test_one_object_is_one_item() -> None:
    assert items_from_json(json.dumps(A), "pk") == items_from_json(json.dumps({"Item": A}, indent=2), "pk") == [A]
    assert items_from_json("[]", "pk") == []
    assert items_from_json(json.dumps({"Item": {"S": "the key"}}), "Item") == [{"Item": {"S": "the key"}}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2", "line 1: not JSON: Expecting ',' delimiter"),
        ("", "line 1: not JSON: Expecting value"),
        (f"{LINES}\n{{", "line 3: not JSON: Expecting property name enclosed in double quotes"),
        (f'{LINES}\n{{"pk": "x"}}', 'line 3: pk: one type and its value are needed, like {"S": "text"}'),
        ("[7]", "item 1: a JSON object is needed, the item"),
        ('[{"pk": {"S": 7}}]', "item 1: pk: text is needed"),
        (f'{LINES}\n{{"pk": 1, "pk": 2}}', "line 3: 'pk' is given twice in one object"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ValueError) as wrong:
        items_from_json(text, "pk")
    assert str(wrong.value) == message


def test_items_are_given_back_rejected_and_counted() -> None:
    trial = try_items(MAPPING, [A, B, lead("c", id={"S": "d"}), {"pk": {"S": "x"}}])
    assert [item.outcome for item in trial.items] == ["given_back", "given_back", "rejected", "rejected"]
    assert trial.entities == {"DEAL": 1, "LEAD": 2, "unknown": 1}
    assert trial.rejected == {"key_mismatch": 1, "unknown_entity": 1}
    assert not trial.ok
    assert try_items(MAPPING, [A, B, A]).ok  # the same item twice is one


def broken(**changes: object) -> Mapping:
    """The mapping with a rule of LEAD changed, as no check would let it pass."""
    return replace(MAPPING, entities={**MAPPING.entities, "LEAD": replace(MAPPING.entities["LEAD"], **changes)})  # type: ignore[arg-type]


def test_what_does_not_come_back_is_named() -> None:
    (item,) = try_items(broken(gather=None, made=frozenset({"likes"})), [lead("a", likes={"N": "1"})]).items
    assert item.outcome == "not_given_back"
    assert "likes" in item.differs


def test_a_v2_key_of_two_items_is_named_with_their_old_keys() -> None:
    entity = MAPPING.entities["LEAD"]
    key = {"PK": entity.key["PK"], "SK": entity.key["PK"]}
    trial = try_items(broken(key=key, derived=(*entity.derived, *key.items())), [A, lead("c")])
    (shared,) = trial.to_json()["shared_keys"]
    assert shared["key"] == {"PK": "LEAD", "SK": "LEAD"}
    assert [key["pk"] for key in shared["old_keys"]] == ["LEAD#a", "LEAD#c"]
    assert not trial.ok
