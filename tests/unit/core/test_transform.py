"""Items that have no v2 item, and the inverse after edits in v2."""

import pytest

from service.core.item.stamp import backfill_version, stamped
from service.core.item.wire import AttributeValue, Item
from service.core.mapping.convert import hook_converter
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import Mapping
from service.core.mapping.transform import forward, v2_place
from service.errors import Poison
from tests.builders.mappings import CRM_LEAD as LEAD
from tests.builders.mappings import crm, shop

VERSION = backfill_version(1)
ORDER: Item = {
    "hash": {"S": "ORDER/ann/7"},
    "kind": {"S": "ORDER"},
    "id": {"S": "7"},
    "customer": {"S": "ann"},
    "placed": {"S": "2024-03-05"},
    "paid": {"BOOL": True},
}


def nested(levels: int) -> AttributeValue:
    value: AttributeValue = {"S": "x"}
    for _ in range(levels):
        value = {"L": [value]}
    return value


def without(item: Item, *names: str) -> Item:
    return {name: value for name, value in item.items() if name not in names}


UNMAPPABLE = {
    "no entity": (
        without(LEAD, "entity_type"),
        "unknown_entity",
        "entity_type is absent; the mapping knows LEAD, DEAL, RESOURCE, PIPELINE",
    ),
    "unknown entity": (
        {**LEAD, "entity_type": {"S": "lead"}},
        "unknown_entity",
        "entity_type is 'lead'; the mapping knows LEAD, DEAL, RESOURCE, PIPELINE",
    ),
    "entity that is no text": (
        {**LEAD, "entity_type": {"N": "1"}},
        "unknown_entity",
        "entity_type is '1'; the mapping knows LEAD, DEAL, RESOURCE, PIPELINE",
    ),
    "no id": (without(LEAD, "id"), "no_id", "id is absent, or not of type string"),
    "empty id": ({**LEAD, "id": {"S": ""}}, "no_id", "id is absent, or not of type string"),
    "NULL id": ({**LEAD, "id": {"NULL": True}}, "no_id", "id is absent, or not of type string"),
    "list for an id": ({**LEAD, "id": {"L": []}}, "no_id", "id is absent, or not of type string"),
    "another id": (
        {**LEAD, "id": {"S": "8"}},
        "key_mismatch",
        "pk should be 'LEAD#8' by the mapping's old_key",
    ),
    "another sort key": (
        {**LEAD, "sk": {"S": "NOTE#1"}},
        "key_mismatch",
        "sk should be 'METADATA' by the mapping's old_key",
    ),
    "binary key": (
        {**LEAD, "pk": {"B": "AAE="}},
        "key_mismatch",
        "pk should be 'LEAD#7' by the mapping's old_key",
    ),
    "too big": (
        {**LEAD, "notes": {"S": "x" * 409_300}},
        "too_big",
        "the v2 item would take 409657 bytes, 409600 are allowed",
    ),
    "too deep": (
        {**LEAD, "notes": nested(31)},
        "too_deep",
        "custom_fields would nest 32 lists and maps, 31 are allowed",
    ),
    "too deep in the residue": (
        {**LEAD, "name": nested(30)},
        "too_deep",
        "name would nest 32 lists and maps, 31 are allowed",
    ),
    "index key too long": (
        {**LEAD, "status": {"S": "é" * 1021}},
        "key_too_long",
        "GSI1PK would take 2049 bytes, 2048 are allowed",
    ),
    "sort key too long": (
        {**LEAD, "id": {"S": "x" * 1017}, "pk": {"S": "LEAD#" + "x" * 1017}},
        "key_too_long",
        "SK would take 1025 bytes, 1024 are allowed",
    ),
}


@pytest.mark.parametrize("row", UNMAPPABLE)
def test_an_item_without_a_transform_is_poison_with_reason_and_old_key(row: str) -> None:
    item, reason, message = UNMAPPABLE[row]
    with pytest.raises(Poison) as poison:
        forward(crm(), item)
    pk, sk = (next(iter(item[name].values())) for name in ("pk", "sk"))
    assert (poison.value.reason, str(poison.value)) == (reason, f"old item pk={pk} sk={sk}: {message}")
    assert poison.value.remedy


def test_items_at_the_limits_have_a_transform() -> None:
    at_the_limits: Item = {
        **LEAD,
        "id": {"S": "x" * 1016},
        "pk": {"S": "LEAD#" + "x" * 1016},
        "status": {"S": "é" * 1020 + "x"},
        "notes": nested(30),
        "name": nested(29),
    }
    forward(crm(), at_the_limits)


def test_a_place_is_known_even_of_an_item_that_is_too_big() -> None:
    item, _, _ = UNMAPPABLE["too big"]
    assert v2_place(crm(), item) == ("CRM-Leads-v2", forward(crm(), LEAD).key)


def back(mapping: Mapping, old: Item, *removed: str, **edits: AttributeValue) -> Item:
    """The inverse of the v2 item of ``old`` after an edit."""
    v2 = forward(mapping, old)
    item = {**without(stamped(v2, VERSION, mapping.stamp), *removed), **edits}
    return inverse(mapping, item, v2.table)


EDITS = {
    "text number": (
        crm(),
        {**LEAD, "followers": {"S": "85"}},
        {"followers": {"N": "86"}},
        {**LEAD, "followers": {"N": "86"}},
    ),
    "edited and put back": (
        crm(),
        {**LEAD, "followers": {"S": "85"}},
        {"followers": {"N": "85"}},
        {**LEAD, "followers": {"S": "85"}},
    ),
    "default that was invented": (crm(), LEAD, {"status": {"S": "won"}}, {**LEAD, "status": {"S": "won"}}),
    "new unmapped attribute": (crm(), LEAD, {"score": {"N": "1"}}, {**LEAD, "score": {"N": "1"}}),
    "gathered map replaced": (
        crm(),
        {**LEAD, "notes": {"S": "a"}},
        {"custom_fields": {"M": {"hint": {"S": "b"}}}},
        {**LEAD, "hint": {"S": "b"}},
    ),
    "gathered map that is no map": (
        crm(),
        LEAD,
        {"custom_fields": {"S": "b"}},
        {**LEAD, "custom_fields": {"S": "b"}},
    ),
    "collision kept": (
        crm(),
        {**LEAD, "PK": {"N": "1"}},
        {"name": {"S": "Ann"}},
        {**LEAD, "PK": {"N": "1"}, "name": {"S": "Ann"}},
    ),
    "default made of an edited field": (
        crm(),
        LEAD,
        {"created_at": {"S": "2025-01-01"}},
        {**LEAD, "created_at": {"S": "2025-01-01"}, "updated_at": {"S": "2024-03-05"}},
    ),
    "default made of an edited field that follows": (
        crm(),
        LEAD,
        {"created_at": {"S": "2025-01-01"}, "updated_at": {"S": "2025-01-01"}},
        {**LEAD, "created_at": {"S": "2025-01-01"}},
    ),
    "alias": (
        shop(),
        {**ORDER, "sum": {"S": "5"}},
        {"total": {"N": "6"}},
        {**ORDER, "total": {"N": "6"}, "label": {"S": "{ann} owes 5"}},
    ),
    "own name with an alias beside it": (
        shop(),
        {**ORDER, "total": {"N": "5"}, "sum": {"N": "9"}},
        {"total": {"N": "6"}, "label": {"S": "{ann} owes 6"}},
        {**ORDER, "total": {"N": "6"}, "sum": {"N": "9"}},
    ),
    "transform": (
        shop(),
        {**ORDER, "weight": {"N": "2"}},
        {"weight": {"N": "3000"}},
        {**ORDER, "weight": {"N": "3"}},
    ),
}


@pytest.mark.parametrize("row", EDITS)
def test_after_edits_in_v2(row: str) -> None:
    mapping, old, edits, expected = EDITS[row]
    assert back(mapping, old, **edits) == expected


def test_an_item_without_a_stamp_comes_back_as_it_is() -> None:
    v2 = forward(crm(), LEAD)
    assert inverse(crm(), v2.item, v2.table) == {
        **LEAD,
        **without(v2.item, *v2.key, "GSI1PK", "GSI1SK", "GSI2PK", "GSI2SK"),
    }


IMPOSSIBLE = {
    "no id": (["id"], {}, "no_id", "the v2 item has no id"),
    "tombstone": (
        [],
        {"_sync": {"M": {"v": {"S": VERSION}, "d": {"BOOL": True}}}},
        "tombstone",
        "a tombstone has no old item",
    ),
    "damaged stamp": (
        [],
        {"_sync": {"S": "x"}},
        "damaged_stamp",
        "attribute '_sync' is not a tablesplit stamp",
    ),
    "old key attribute": (
        [],
        {"pk": {"S": "LEAD#8"}},
        "name_collision",
        "two values would go to the old attribute 'pk'; rename one in v2",
    ),
    "gathered under the name of a field": (
        [],
        {"custom_fields": {"M": {"id": {"S": "8"}}}},
        "name_collision",
        "two values would go to the old attribute 'id'; rename one in v2",
    ),
    "same name gathered and not": (
        [],
        {"custom_fields": {"M": {"x": {"S": "1"}}}, "x": {"S": "2"}},
        "name_collision",
        "two values would go to the old attribute 'x'; rename one in v2",
    ),
}


@pytest.mark.parametrize("row", IMPOSSIBLE)
def test_a_v2_item_that_has_no_old_one_is_poison(row: str) -> None:
    removed, edits, reason, message = IMPOSSIBLE[row]
    with pytest.raises(Poison) as poison:
        back(crm(), LEAD, *removed, **edits)
    assert (poison.value.reason, str(poison.value)) == (reason, message)


def test_the_old_key_attributes_may_be_in_v2_when_they_have_the_same_values() -> None:
    assert back(crm(), LEAD, entity_type={"S": "LEAD"}, pk={"S": "LEAD#7"}) == LEAD


def test_entities_that_share_a_table_are_distinguished_by_their_keys() -> None:
    refund: Item = {"hash": {"S": "REFUND/7"}, "kind": {"S": "REFUND"}, "id": {"S": "7"}}
    for old in (ORDER, refund):
        assert back(shop(), old) == old
    with pytest.raises(Poison, match="no entity of the mapping has this key in table Orders-v2"):
        inverse(shop(), {"PK": {"S": "X"}, "SK": {"S": "-"}}, "Orders-v2")


def test_a_shard_spreads_keys_and_is_always_the_same_for_one_id() -> None:
    keys = [
        forward(shop(), {**ORDER, "id": {"S": str(i)}, "hash": {"S": f"ORDER/ann/{i}"}}).key["PK"]["S"]
        for i in range(99)
    ]
    assert keys[7] == "O02#7"
    assert len({key.partition("#")[0] for key in keys}) == 16


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("1 / 0", "fails:f failed: ZeroDivisionError: division by zero"),
        ("'text'", "fails:f gave 'text', not an attribute value or None"),
        ("{'X': 1}", "fails:f gave {'X': 1}, not an attribute value or None"),
    ],
)
def test_a_transform_that_fails_makes_its_item_poison(answer: str, message: str) -> None:
    with pytest.raises(Poison) as poison:
        hook_converter("fails:f", lambda name: lambda value: eval(answer))({"S": "x"})
    assert (poison.value.reason, str(poison.value)) == ("transform_failed", message)
