"""The stamp: what is written of it, what is read back, and to whose key it belongs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.core.item.stamp import (
    Stamp,
    decode_stamp,
    encode_stamp,
    key_hash,
    own_stamp,
    sound_stamp,
    stream_version,
    without_stamp,
)
from service.core.item.wire import Item
from service.core.rules.ledger import count_version, next_version
from service.errors import Poison
from tests.builders.strategies import TEXTS, VALUES

KEY: Item = {"pk": {"S": "LEAD#7"}, "sk": {"S": "METADATA"}}
OTHER: Item = {"pk": {"S": "LEAD#8"}, "sk": {"S": "METADATA"}}
NAMES = st.frozensets(TEXTS.filter(bool), max_size=3)
MAYBE = st.none() | TEXTS
VERSION = stream_version(1, "5")

STAMPS = st.builds(
    Stamp,
    version=st.sampled_from([VERSION, count_version(1, 5), next_version(VERSION), next_version(count_version(1, 5))]),
    content_hash=MAYBE,
    residue=st.dictionaries(TEXTS.filter(bool), VALUES, max_size=2),
    absent=NAMES,
    base=MAYBE,
    tombstone=st.booleans(),
    restore=NAMES,
    moved=NAMES,
    place=MAYBE,
    key_hash=MAYBE,
)


@given(STAMPS)
def test_a_stamp_is_read_as_it_was_written(stamp: Stamp) -> None:
    assert decode_stamp({"_sync": encode_stamp(stamp)}, "_sync") == stamp


def test_what_is_empty_is_not_written() -> None:
    assert encode_stamp(Stamp("0001.5")) == {"M": {"v": {"S": "0001.5"}}}


def test_the_names_of_the_fields_in_a_stamp_stay_what_they_are() -> None:
    """Applications and earlier versions read them."""
    full = Stamp(
        "v1",
        content_hash="hash",
        residue={"a": {"S": "x"}},
        absent=frozenset({"b"}),
        base="b1",
        tombstone=True,
        restore=frozenset({"status"}),
        moved=frozenset({"id", "created_at"}),
        place="p1",
        key_hash="k1",
    )
    assert encode_stamp(full) == {
        "M": {
            "v": {"S": "v1"},
            "h": {"S": "hash"},
            "r": {"M": {"a": {"S": "x"}}},
            "a": {"SS": ["b"]},
            "b": {"S": "b1"},
            "d": {"BOOL": True},
            "g": {"SS": ["status"]},
            "m": {"SS": ["created_at", "id"]},
            "p": {"S": "p1"},
            "k": {"S": "k1"},
        }
    }


DAMAGED: list[Any] = [
    {"S": "mine"},
    {"M": {}},
    {"M": {"v": {"N": "1"}}},
    *({"M": {"v": {"S": text}}} for text in ("", "zzz", "1", f"{VERSION}x", f"{VERSION}.", f" {VERSION}", "9999.zzz")),
    {"M": {"v": {"S": VERSION}, "g": {"S": "status"}}},
    {"M": {"v": {"S": VERSION}, "k": {"N": "1"}}},
    {"M": {"v": {"S": VERSION}, "p": {"SS": ["a"]}}},
]


@pytest.mark.parametrize("value", DAMAGED)
def test_anything_else_under_the_name_is_a_damaged_stamp(value: Any) -> None:
    item = {**KEY, "_sync": value}
    with pytest.raises(Poison, match="not a tablesplit stamp") as caught:
        decode_stamp(item, "_sync")
    assert caught.value.reason == "damaged_stamp"
    assert sound_stamp(item, "_sync") is own_stamp(item, KEY, "_sync") is None


def test_an_item_without_the_attribute_has_no_stamp() -> None:
    assert decode_stamp(KEY, "_sync") is sound_stamp(None, "_sync") is own_stamp(None, KEY, "_sync") is None


def test_a_stamp_belongs_to_the_item_whose_key_it_was_made_for() -> None:
    stamp = Stamp(VERSION, key_hash=key_hash(KEY))
    item = {**OTHER, "_sync": encode_stamp(stamp)}
    assert own_stamp({**KEY, "_sync": item["_sync"]}, KEY, "_sync") == stamp
    assert own_stamp(item, OTHER, "_sync") is None
    assert sound_stamp(item, "_sync") == stamp


def test_a_stamp_of_an_earlier_version_belongs_to_the_item_that_has_it() -> None:
    assert own_stamp({"_sync": encode_stamp(Stamp(VERSION))}, OTHER, "_sync") == Stamp(VERSION)


def test_the_hash_of_a_key_is_short_and_does_not_depend_on_the_order_of_its_names() -> None:
    assert key_hash(KEY) == key_hash(dict(reversed(KEY.items()))) == "86448a89"
    assert key_hash(KEY) != key_hash(OTHER) != key_hash({"pk": {"N": "1"}}) != key_hash({"pk": {"S": "1"}})


def test_an_item_without_its_stamp_keeps_everything_else() -> None:
    assert without_stamp({**KEY, "_sync": {"S": "x"}, "a": {"N": "1"}}, "_sync") == {**KEY, "a": {"N": "1"}}
