"""DynamoDB-JSON as data: which maps hold an attribute value, and which only look like it."""

import json

import pytest
from hypothesis import assume, given

from service.core.item.wire import AttributeValue
from service.core.mapping.json_text import parse_list, parse_map
from service.core.mapping.marshalled import unmarshalled
from tests.builders.marshalled import marshalled
from tests.builders.strategies import VALUES


def m(**content: AttributeValue) -> AttributeValue:
    return {"M": content}


def texts(*parts: str) -> AttributeValue:
    return {"L": [{"S": part} for part in parts]}


TEXT, NUMBER, TRUE = {"S": "a"}, {"N": "1"}, {"BOOL": True}

HELD = {
    "text": (m(S=TEXT), TEXT),
    "empty text": (m(S={"S": ""}), {"S": ""}),
    "number": (m(N={"S": "-1.50"}), {"N": "-1.50"}),
    "binary": (m(B={"B": "AAE="}), {"B": "AAE="}),
    "binary as base64": (m(B={"S": "AAE="}), {"B": "AAE="}),
    "true": (m(BOOL=TRUE), TRUE),
    "false": (m(BOOL={"BOOL": False}), {"BOOL": False}),
    "null": (m(NULL=TRUE), {"NULL": True}),
    "list": (m(L={"L": [m(S=TEXT), m(N={"S": "1"})]}), {"L": [TEXT, NUMBER]}),
    "empty list": (m(L={"L": []}), {"L": []}),
    "map": (m(M=m(S=m(S=TEXT), x=m(L={"L": []}))), m(S=TEXT, x={"L": []})),
    "empty map": (m(M=m()), m()),
    "texts": (m(SS=texts("b", "a")), {"SS": ["b", "a"]}),
    "texts in a set": (m(SS={"SS": ["b", "a"]}), {"SS": ["b", "a"]}),
    "numbers": (m(NS=texts("2", "1.0")), {"NS": ["2", "1.0"]}),
    "numbers in a set of texts": (m(NS={"SS": ["2"]}), {"NS": ["2"]}),
    "binaries": (m(BS={"L": [{"B": "AAE="}, {"S": "/w=="}]}), {"BS": ["AAE=", "/w=="]}),
    "binaries in a set": (m(BS={"BS": ["AAE="]}), {"BS": ["AAE="]}),
}


@pytest.mark.parametrize("row", HELD)
def test_a_map_that_holds_an_attribute_value(row: str) -> None:
    value, held = HELD[row]
    assert unmarshalled(value) == held


NOT_HELD = {
    "no map": TEXT,
    "no name": m(),
    "two names": m(S=TEXT, N={"S": "1"}),
    "no type word": m(s=TEXT),
    "another word": m(BOOLEAN=TRUE),
    "a number for text": m(S=NUMBER),
    "a number for a number": m(N=NUMBER),
    "no number": m(N={"S": "1,054"}),
    "too many digits": m(N={"S": "1" * 39}),
    "no base64": m(B={"S": "x"}),
    "text for a boolean": m(BOOL={"S": "true"}),
    "not null": m(NULL={"BOOL": False}),
    "null for null": m(NULL={"NULL": True}),
    "a list of plain text": m(L=texts("a")),
    "a list with one plain text": m(L={"L": [m(S=TEXT), TEXT]}),
    "text for a list": m(L=TEXT),
    "a map of plain text": m(M=m(a=TEXT)),
    "a map with one plain text": m(M=m(a=m(S=TEXT), b=TEXT)),
    "text for a map": m(M=TEXT),
    "an empty set": m(SS={"L": []}),
    "text for a set": m(SS=TEXT),
    "texts twice": m(SS=texts("x", "x")),
    "numbers twice": m(NS=texts("1", "1.0")),
    "a set with no text": m(SS={"L": [TEXT, NUMBER]}),
    "no numbers": m(NS=texts("x")),
    "no binaries": m(BS=texts("x")),
}


@pytest.mark.parametrize("row", NOT_HELD)
def test_a_map_that_only_looks_like_it(row: str) -> None:
    assert unmarshalled(NOT_HELD[row]) is None


def test_a_map_whose_name_is_its_own_holds_no_value_but_one_inside_may() -> None:
    assert unmarshalled(m(S=TEXT), {"S"}) is None
    assert unmarshalled(m(M=m(S=m(S=TEXT))), {"S"}) == m(S=TEXT)


@given(VALUES)
def test_what_was_marshalled_is_unmarshalled(value: AttributeValue) -> None:
    assert unmarshalled(marshalled(value)) == value


@given(VALUES)
def test_in_text_it_is_the_same_value(value: AttributeValue) -> None:
    """The rule for native maps is the rule for JSON text."""
    assume(unmarshalled(value) is None)
    assert parse_list(json.dumps([value])) == {"L": [value]}
    assert parse_map(json.dumps({"a": value})) == {"M": {"a": value}}


MAPS_IN_TEXT = {
    "an object": ('{"a": 1, "b": {"c": [true, null]}}', m(a=NUMBER, b=m(c={"L": [TRUE, {"NULL": True}]}))),
    "an empty object": (" {} ", m()),
    "a map in DynamoDB-JSON": ('{"M": {"a": {"S": "a"}}}', m(a=TEXT)),
    "attributes in DynamoDB-JSON": ('{"a": {"S": "a"}, "b": {"N": "1"}}', m(a=TEXT, b=NUMBER)),
    "one plain attribute": ('{"a": {"S": "a"}, "b": 1}', m(a=m(S=TEXT), b=NUMBER)),
    "text in DynamoDB-JSON": ('{"S": "a"}', m(S=TEXT)),
    "an array": ("[1]", None),
    "other text": ("a, b", None),
    "no JSON": ("{a: 1}", None),
    "an empty name": ('{"": 1}', None),
    "too deep": ('{"a":' * 32 + "1" + "}" * 32, None),
}


@pytest.mark.parametrize("row", MAPS_IN_TEXT)
def test_a_map_in_text(row: str) -> None:
    text, value = MAPS_IN_TEXT[row]
    assert parse_map(text) == value
