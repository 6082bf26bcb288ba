"""Key patterns: what is read from a key, which templates can be read, and which cannot be taken for each other."""

import pytest

from service.core.item.wire import Item
from service.core.mapping.inverse import inverse
from service.core.mapping.key_pattern import are_disjoint, is_readable, key_pattern
from service.core.mapping.mapping import load_mapping
from service.core.mapping.template import KeyType, parse_template
from service.core.mapping.transform import forward, v2_place
from service.errors import Misconfigured, Poison


@pytest.mark.parametrize(
    ("template", "separator", "text", "read"),
    [
        ("USER#{id}", None, "USER#7", {"id": "7"}),
        ("USER#{id}", None, "USER#7#x", {"id": "7#x"}),
        ("USER#{id}", "#", "USER#7#x", None),
        ("USER#{id}", None, "USER#", None),
        ("USER#{id}", None, "user#7", None),
        ("{a}#{b}", "#", "x#y", {"a": "x", "b": "y"}),
        ("{a}#{b}", "#", "x#y#z", None),
        ("{a}::{b}", "::", "x:#::y", {"a": "x:#", "b": "y"}),
        ("{n:pad4}{id}", None, "0012x", {"n": "0012", "id": "x"}),
        ("{n:pad4}{id}", None, "12x", None),
        ("{day:month}#{id}", None, "2024-02#a#b", {"day": "2024-02", "id": "a#b"}),
        ("{id:shard16}.{id}", None, "07.x", {"id": "x"}),
        ("line\n{id}", None, "line\nof\n", {"id": "of\n"}),
        ("A.B", None, "AxB", None),
    ],
)
def test_reading(template: str, separator: str | None, text: str, read: dict[str, str] | None) -> None:
    assert key_pattern(parse_template(template), separator).read({"S": text}) == read


def test_a_key_attribute_of_another_type_reads_like_nothing() -> None:
    pattern = key_pattern(parse_template("{n}", "N"), None)
    assert (pattern.read({"N": "7"}), pattern.read({"S": "7"}), pattern.read(None)) == ({"n": "7"}, None, None)


@pytest.mark.parametrize(
    ("template", "separator", "readable"),
    [
        ("{a}", None, True),
        ("{a}#{b}", None, False),
        ("{a}#{b}", "#", True),
        ("{a}{b}#{c}", "#", False),
        ("{a:pad3}{b}", None, True),
        ("{a:lower}#{b:upper}", "#", True),
        ("constant", None, True),
    ],
)
def test_readable(template: str, separator: str | None, readable: bool) -> None:
    assert is_readable(parse_template(template), separator) is readable


@pytest.mark.parametrize(
    ("first", "second", "separator", "disjoint"),
    [
        ("USER#{id}", "ORDER#{id}", None, True),
        ("USER#{id}", "USER#{id}#ORDER#{o}", None, False),
        ("USER#{id}", "USER#{id}#ORDER#{o}", "#", True),
        ("{a}#{b}", "{a}#METADATA", "#", False),
        ("{a}#x{b}", "{a}#y{b}", "#", True),
        ("METADATA", "INFO", None, True),
        ("METADATA", "{a}", None, False),
        ("METADATA", "META{n:pad2}", None, True),
        ("{a}-old", "{a}-new", None, True),
        ("{a}", "{b}", None, False),
        ("", "{b}", None, True),
    ],
)
def test_disjoint(first: str, second: str, separator: str | None, disjoint: bool) -> None:
    for here, there in ((first, second), (second, first)):
        assert are_disjoint(parse_template(here), parse_template(there), separator) is disjoint


def test_keys_of_two_types_are_never_the_same() -> None:
    kinds: tuple[KeyType, KeyType] = ("S", "N")
    assert are_disjoint(*(parse_template("{a}", kind) for kind in kinds), None)


TEXT = """
version: 2
name: two
old: {table: old, partition_key: pk, sort_key: sk%s}
entities:
  thing:
    table: things
    old_key: {pk: "{a}", sk: "{b}"}
    key: {PK: "{a}#{b}"}
    fields:
      note: {type: string}
"""


def test_without_a_separator_two_values_could_be_read_in_two_ways() -> None:
    """a#b and c, and a and b#c, would have one v2 key."""
    with pytest.raises(
        Misconfigured,
        match=r"two old items could get the same v2 key, and only one would come back: .* or say in old.separator",
    ):
        load_mapping(TEXT % "", source="two.yaml")


def old(first: str, second: str) -> Item:
    return {"pk": {"S": first}, "sk": {"S": second}}


def test_a_value_that_holds_the_separator_could_be_another_items_key() -> None:
    mapping = load_mapping(TEXT % ', separator: "#"', source="two.yaml")
    assert v2_place(mapping, old("a", "b")) == ("things", {"PK": {"S": "a#b"}})
    for item in (old("a#b", "c"), old("a", "b#c")):
        with pytest.raises(Poison) as refused:
            forward(mapping, item)
        assert refused.value.reason == "key_mismatch"
    with pytest.raises(Poison, match="a holds '#', which separates the values in a key"):
        inverse(mapping, {"PK": {"S": "x"}, "a": {"S": "a#b"}, "b": {"S": "c"}}, "things")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        ('old_key: {pk: "A#{x}", sk: S}', 'old_key: {pk: "B#{x}", sk: S}', True),
        ('old_key: {pk: "A#{x}", sk: S}', 'old_key: {pk: "A#{x}", sk: T}', True),
        ('old_key: {pk: "A#{x}", sk: S}', 'old_key: {pk: "A#{x}", sk: "{y}"}', False),
        (
            'when: {kind: [a, b]}\n    old_key: {pk: "A#{x}", sk: S}',
            'when: {kind: c}\n    old_key: {pk: "A#{x}", sk: S}',
            True,
        ),
        (
            'when: {kind: [a, b]}\n    old_key: {pk: "A#{x}", sk: S}',
            'when: {kind: b}\n    old_key: {pk: "A#{x}", sk: S}',
            False,
        ),
    ],
)
def test_two_entities_must_be_told_apart(first: str, second: str, told: bool) -> None:
    fields = "fields: {kind: {type: string, required: true}}"
    text = f"""
version: 2
name: two
old: {{table: old, partition_key: pk, sort_key: sk}}
entities:
  one:
    table: ones
    {first}
    key: [x]
    {fields if "[" in first else "fields: {note: {type: string}}"}
  two:
    table: twos
    {second}
    key: {"[x, y]" if "{y}" in second else "[x]"}
    fields: {{note: {{type: string}}}}
"""
    if told:
        assert len(load_mapping(text, source="two.yaml").entities) == 2
    else:
        with pytest.raises(Misconfigured, match="one and two could read the same old key"):
            load_mapping(text, source="two.yaml")
