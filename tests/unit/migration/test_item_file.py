"""The item that an operator gives in a file: both forms of JSON, and one clear line for anything that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.core.item.json_text import item_from_json
from service.core.item.wire import Item
from service.core.mapping.transform import old_key as old_key_of
from service.errors import Misconfigured
from service.migration.settlement.item_file import MAX_FILE_BYTES, read_item_file
from tests.builders.designs import items_of, mapping_of
from tests.builders.small_crm import MAPPING, lead, old_key

KEY = old_key("LEAD", "a")


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ('"text"', {"S": "text"}),
        ("1.50", {"N": "1.5"}),
        ("12345678901234567890123456789012345678", {"N": "12345678901234567890123456789012345678"}),
        ("true", {"BOOL": True}),
        ("null", {"NULL": True}),
        ('[1, "a", []]', {"L": [{"N": "1"}, {"S": "a"}, {"L": []}]}),
        ('{"S": "a map, in plain JSON"}', {"M": {"S": {"S": "a map, in plain JSON"}}}),
    ],
)
def test_plain_json_becomes_typed_values(plain: str, value: Item) -> None:
    assert item_from_json(f'{{"pk": "LEAD#a", "x": {plain}}}', "pk")["x"] == value


@pytest.mark.parametrize(("written", "kept"), [("1.0", "1"), ("-1e3", "-1000"), ("0.10", "0.1"), ("-0", "0")])
def test_a_number_is_taken_as_dynamodb_gives_it_back(written: str, kept: str) -> None:
    assert item_from_json(f'{{"pk": {{"S": "LEAD#a"}}, "x": {{"N": "{written}"}}}}', "pk")["x"] == {"N": kept}


@pytest.mark.parametrize(
    "value",
    [
        {"S": ""},
        {"N": "-10000000000"},
        {"B": "AAE="},
        {"BOOL": False},
        {"NULL": True},
        {"L": [{"S": "a"}, {"M": {"n": {"N": "1"}}}]},
        {"SS": ["a", "b"]},
        {"NS": ["1", "2"]},
        {"BS": ["AAE="]},
    ],
)
def test_dynamodb_json_is_taken_as_it_is(value: Item) -> None:
    item = {"pk": {"S": "LEAD#a"}, "x": value}
    assert item_from_json(json.dumps(item), "pk") == item


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"S": 5}, "x: text is needed"),
        ("text", 'x: one type and its value are needed, like {"S": "text"}'),
        ({"S": "a", "N": "1"}, 'x: one type and its value are needed, like {"S": "text"}'),
        ({"X": "a"}, "x: 'X' is not a DynamoDB type (one of S, N, B, BOOL, NULL, L, M, SS, NS, BS)"),
        ({"N": "1,5"}, "x: not a number that DynamoDB can hold (at most 38 digits)"),
        ({"N": "1" * 39}, "x: not a number that DynamoDB can hold (at most 38 digits)"),
        ({"N": True}, "x: not a number that DynamoDB can hold (at most 38 digits)"),
        ({"N": "NaN"}, "x: not a number that DynamoDB can hold (at most 38 digits)"),
        ({"B": "not base64!"}, "x: base64 text is needed"),
        ({"B": "é"}, "x: base64 text is needed"),
        ({"BOOL": "true"}, "x: true or false is needed"),
        ({"NULL": False}, "x: NULL takes true"),
        ({"L": "a"}, "x: L takes a list"),
        ({"L": [{"S": "a"}, {"M": {"y": {"S": 1}}}]}, "x[1].y: text is needed"),
        ({"M": []}, "x: M takes an object"),
        ({"SS": []}, "x: a set takes a list that is not empty"),
        ({"SS": ["a", "a"]}, "x: the set has a member twice"),
        ({"NS": ["1", "b"]}, "x[1]: not a number that DynamoDB can hold (at most 38 digits)"),
        ({"NS": ["1", "1.0"]}, "x: the set has a member twice"),
    ],
)
def test_what_is_wrong_in_dynamodb_json_is_named(value: Any, message: str) -> None:
    with pytest.raises(ValueError) as wrong:
        item_from_json(json.dumps({"pk": {"S": "LEAD#a"}, "x": value}), "pk")
    assert str(wrong.value) == message


@pytest.mark.parametrize("item", [{}, {"company": {"S": "Acme"}, "updated_at": {"S": "2024"}}])
def test_a_file_with_the_conflicts_own_item_is_read(tmp_path: Path, item: Item) -> None:
    path = tmp_path / "item.json"
    path.write_text(json.dumps(lead("a", **item)))
    assert read_item_file(path, MAPPING, KEY) == lead("a", **item)


def test_what_the_old_application_makes_of_the_items_fields_is_added(tmp_path: Path) -> None:
    mapping, (item, *_) = mapping_of("users-typedorm"), items_of("users-typedorm")
    key, path = old_key_of(mapping, item), tmp_path / "item.json"
    without = {name: value for name, value in item.items() if not name.startswith("GSI1")}
    path.write_text(json.dumps(without))
    assert read_item_file(path, mapping, key) == item
    path.write_text(json.dumps({**without, "GSI1SK": {"S": "own"}}))
    assert read_item_file(path, mapping, key) == {**item, "GSI1SK": {"S": "own"}}


DEEP = '{"pk": "LEAD#a", "x": ' + "[" * 5000 + "]" * 5000 + "}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"pk":\n  oops}', "{path}:2: not JSON: Expecting value"),
        ("[]", "{path}: it must hold one JSON object, the item"),
        ('{"pk": "LEAD#a", "pk": "x"}', "{path}: 'pk' is given twice in one object"),
        ('{"pk": "LEAD#a", "x": NaN}', "{path}: x: not a number that DynamoDB can hold (at most 38 digits)"),
        ('{"pk": "LEAD#a", "x": 1e126}', "{path}: x: not a number that DynamoDB can hold (at most 38 digits)"),
        (json.dumps(lead("b")), "{path}: it describes the old item pk=LEAD#b sk=METADATA, not pk=LEAD#a sk=METADATA"),
        ('{"x": "y"}', "{path}: it describes the old item pk=(absent) sk=(absent), not pk=LEAD#a sk=METADATA"),
        (json.dumps(lead("a", _sync={"S": "x"})), "{path}: _sync is tablesplit's own attribute"),
        (
            json.dumps(lead("a", entity_type={"S": "GOBLIN"})),
            "{path}: old item pk=LEAD#a sk=METADATA: entity_type is 'GOBLIN'; the mapping knows LEAD, DEAL",
        ),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "item.json"
    path.write_text(text)
    with pytest.raises(Misconfigured) as wrong:
        read_item_file(path, MAPPING, KEY)
    assert wrong.value.message == message.replace("{path}", str(path))
    assert wrong.value.remedy


def test_a_file_that_cannot_be_read_is_told_in_one_line(tmp_path: Path) -> None:
    missing, large, binary, deep = (tmp_path / name for name in ("missing", "large", "binary", "deep"))
    large.write_bytes(b" " * (MAX_FILE_BYTES + 1))
    binary.write_bytes(b"\xff\xfe")
    deep.write_text(DEEP)
    for path, message in (
        (missing, f"cannot read {missing}: No such file or directory"),
        (tmp_path, f"cannot read {tmp_path}: Is a directory"),
        (large, f"{large} is larger than {MAX_FILE_BYTES} bytes"),
        (binary, f"{binary}: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        (deep, f"{deep}: it nests too deeply"),
    ):
        with pytest.raises(Misconfigured) as wrong:
            read_item_file(path, MAPPING, KEY)
        assert wrong.value.message == message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"pk": "LEAD#a", "x": 1e99999999999999999999}', "x: not a number that DynamoDB can hold (at most 38 digits)"),
        ('{"pk": {"S": "a"}, "x": {"N": "1e99999999999999999999"}}', "x: not a number that DynamoDB can hold"),
        ('{"pk": "LEAD#a", "x": "\\ud800"}', "it has half a surrogate pair, which DynamoDB cannot hold"),
        ('{"pk": "LEAD#a", "\\ud800": 1}', "it has half a surrogate pair, which DynamoDB cannot hold"),
    ],
)
def test_a_huge_exponent_and_half_a_character_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "item.json"
    file.write_text(text)
    with pytest.raises(Misconfigured) as refused:
        read_item_file(file, MAPPING, KEY)
    assert str(refused.value).startswith(f"{file}: {reason}")
