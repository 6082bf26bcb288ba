"""Keys of type number and binary, and indexes with several attributes in a key: mapped, given back, and declared."""

import pytest

from service.core.item.compare import equal
from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.mapping import load_mapping
from service.core.mapping.transform import forward, v2_place
from service.core.rules.guarded import copy_write
from service.core.rules.verdict import pair_of
from service.dynamodb.table_description import create_table_request, table_description
from service.dynamodb.tables import new_v2_table, table_differences
from service.errors import Misconfigured, Poison
from tests.builders.typed_keys import TYPED_TEXT, reading, readings

MAPPING = load_mapping(TYPED_TEXT, source="typed.yaml")
SHAPE = MAPPING.tables["readings"]


@pytest.mark.parametrize("old", readings(), ids=lambda old: f"{old['device']['B']} {old['at']['N']}")
def test_an_item_comes_back_and_its_key_is_of_its_types(old: Item) -> None:
    put = copy_write(MAPPING, old, 1)
    assert (put.item["PK"], put.item["SK"]) == (old["device"], old["at"])
    assert put.item["level_key"] == {"N": old["level"]["N"]}
    assert v2_place(MAPPING, old) == ("readings", {name: put.item[name] for name in ("PK", "SK")})
    assert equal(inverse(MAPPING, put.item, "readings"), old)
    assert pair_of(MAPPING, "readings", put.item).old_key == {name: old[name] for name in ("device", "at")}


def test_a_key_that_is_not_its_fields_is_refused() -> None:
    with pytest.raises(Poison, match="at should be '8' by the mapping's old_key") as poison:
        forward(MAPPING, {**reading("AAE=", "7"), "time": {"N": "8"}})
    assert poison.value.reason == "key_mismatch"


def test_a_field_that_v2_s_application_made_text_has_no_old_key() -> None:
    item = {**copy_write(MAPPING, reading("AAE=", "7"), 1).item, "time": {"S": "noon"}}
    with pytest.raises(Poison) as poison:
        inverse(MAPPING, item, "readings")
    assert poison.value.reason == "key_type"
    assert pair_of(MAPPING, "readings", item).old_key is None


def test_the_table_is_asked_for_with_types_and_whole_index_keys() -> None:
    request = create_table_request(new_v2_table("readings", SHAPE))
    types = {one["AttributeName"]: one["AttributeType"] for one in request["AttributeDefinitions"]}
    assert types == {
        "PK": "B",
        "SK": "N",
        "site_key": "S",
        "level_key": "N",
        "day_key": "S",
        "time_key": "N",
        "BID": "B",
    }
    by_site = next(index for index in request["GlobalSecondaryIndexes"] if index["IndexName"] == "BySite")
    assert [(one["AttributeName"], one["KeyType"]) for one in by_site["KeySchema"]] == [
        ("site_key", "HASH"),
        ("level_key", "HASH"),
        ("day_key", "RANGE"),
        ("time_key", "RANGE"),
        ("SK", "RANGE"),
        ("PK", "RANGE"),
    ]


def test_an_index_with_other_attributes_is_told_from_the_wanted_one() -> None:
    wanted = new_v2_table("readings", SHAPE)
    answer = {**create_table_request(wanted), "TableArn": "arn", "TableStatus": "ACTIVE"}
    assert table_differences(wanted, table_description(answer)) == []
    by_site = next(index for index in answer["GlobalSecondaryIndexes"] if index["IndexName"] == "BySite")
    by_site["KeySchema"][1]["KeyType"] = "RANGE"
    (difference,) = table_differences(wanted, table_description(answer))
    has, wants = (
        "site_key, (level_key, day_key, time_key, SK, PK)",
        "(site_key, level_key), (day_key, time_key, SK, PK)",
    )
    assert difference == f"index BySite has the key {has}, wanted {wants}"


def test_an_attribute_of_another_type_is_a_difference() -> None:
    wanted = new_v2_table("readings", SHAPE)
    answer = {**create_table_request(wanted), "TableArn": "arn", "TableStatus": "ACTIVE"}
    answer["AttributeDefinitions"] = [
        {**one, "AttributeType": "S"} if one["AttributeName"] == "SK" else one for one in answer["AttributeDefinitions"]
    ]
    assert table_differences(wanted, table_description(answer)) == ["attribute SK is of type S, wanted N"]


MISTAKES = {
    "text in a number": (
        'SK: "{time}"}\n    indexes',
        'SK: "t{time}"}\n    indexes',
        "'SK' is of type number: write just",
    ),
    "text for a number": (
        'level_key: "{level}", BID',
        'level_key: "{site}", BID',
        "with a field of type int or number or epoch or epoch_ms",
    ),
    "a binary in text": ("PK: binary, ", "", "'PK' is text: a binary field cannot be in it"),
    "an old key of another type": ("device: binary, ", "", "'device' is text: a binary field cannot be in it"),
    "a type of no key": ("BID: binary}", "BID: binary, extra: number}", "'extra' is no attribute of the key"),
    "an old type of no key": ("at: number}", "at: number, x: binary}", "'x' is no attribute of the old key"),
    "a fallback that is no number": (
        'level_key: "{level}", BID',
        'level_key: "{level|none}", BID',
        "'level_key' is of type number: write just",
    ),
    "five attributes to sort by": (
        "partition_attributes: {BySite: 2}",
        "partition_attributes: {ByLevel: 1}\n",
        "at most 4 attributes",
    ),
    "more attributes than there are": ("{BySite: 2}", "{ByLevel: 3}", "index 'ByLevel' has no 3 attributes"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_key_that_cannot_be_made_is_refused(mistake: str) -> None:
    part, other, message = MISTAKES[mistake]
    with pytest.raises(Misconfigured) as refused:
        load_mapping(TYPED_TEXT.replace(part, other), source="m.yaml")
    assert message in str(refused.value)
