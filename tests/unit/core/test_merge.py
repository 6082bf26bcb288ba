"""The three-way merge: which side wins each field, and what is an overlap."""

from typing import Any

import pytest

from service.core.item.compare import equal
from service.core.item.wire import Item
from service.core.rules.merge import three_way
from tests.builders.mappings import crm, shop

ORDER: Item = {
    "hash": {"S": "ORDER/ann/1"},
    "kind": {"S": "ORDER"},
    "id": {"S": "1"},
    "customer": {"S": "ann"},
    "placed": {"S": "2024-01-15"},
    "sum": {"N": "10"},
}


def text(value: str) -> Any:
    return {"S": value}


def number(value: str) -> Any:
    return {"N": value}


def changed(base: Item, changes: dict[str, Any]) -> Item:
    """``base`` with attributes set or removed."""
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


Changes = dict[str, Any]
"""By attribute; None: removed."""

ROWS: dict[str, tuple[Changes, Changes, Changes | None, tuple[str, ...]]] = {
    "neither side changes anything": ({}, {}, {}, ()),
    "only mine": ({}, {"sum": number("11")}, {"sum": number("11")}, ()),
    "only theirs": ({"sum": number("11")}, {}, {"sum": number("11")}, ()),
    "different fields": (
        {"sum": number("11")},
        {"label": text("x")},
        {"sum": number("11"), "label": text("x")},
        (),
    ),
    "one field, differently": ({"sum": number("11")}, {"sum": number("12")}, None, ("total",)),
    "one field, to the same value": ({"sum": number("11")}, {"sum": number("11.0")}, {"sum": number("11")}, ()),
    "a field by two of its aliases": ({"sum": number("11")}, {"total": number("12")}, None, ("total",)),
    "a field moved to another alias, the same on both sides": (
        {"sum": None, "total": number("10")},
        {"sum": None, "total": number("10")},
        {"sum": None, "total": number("10")},
        (),
    ),
    "a field moved to another alias, and changed": (
        {"sum": None, "total": number("10")},
        {"sum": number("12")},
        None,
        ("total",),
    ),
    "one side, and only the type": ({}, {"sum": text("10")}, {"sum": text("10")}, ()),
    "a type only, against a new value": ({"sum": number("11")}, {"sum": text("10")}, None, ("total",)),
    "both add an unmapped attribute": ({"note": text("a")}, {"note": text("b")}, None, ("note",)),
    "each adds an attribute of its own": (
        {"note": text("a")},
        {"memo": text("b")},
        {"note": text("a"), "memo": text("b")},
        (),
    ),
    "one side removes what the other leaves": (
        {"sum": None},
        {"note": text("a")},
        {"sum": None, "note": text("a")},
        (),
    ),
    "both remove": ({"sum": None}, {"sum": None}, {"sum": None}, ()),
    "one side removes what the other changes": ({"sum": None}, {"sum": number("12")}, None, ("total",)),
    "two overlaps, in order of name": (
        {"sum": number("11"), "note": text("a")},
        {"sum": number("12"), "note": text("b")},
        None,
        ("note", "total"),
    ),
    "mine leads to another v2 key": (
        {"sum": number("11")},
        {"placed": text("2024-02-15")},
        {"sum": number("11"), "placed": text("2024-02-15")},
        (),
    ),
}
"""Their changes, my changes, the changes of the merge (None: there is no merge), the overlap."""


@pytest.mark.parametrize("row", ROWS)
def test_merge_of_an_order(row: str) -> None:
    theirs, mine, merged, overlap = ROWS[row]
    merge = three_way(shop(), ORDER, changed(ORDER, theirs), changed(ORDER, mine))
    assert (merge.item is None, merge.overlap) == (merged is None, overlap)
    assert merged is None or merge.item is None or equal(merge.item, changed(ORDER, merged))


def test_an_item_without_a_known_entity_is_merged_by_attribute() -> None:
    base = changed(ORDER, {"kind": text("GHOST")})
    merge = three_way(shop(), base, changed(base, {"sum": number("1")}), changed(base, {"total": number("2")}))
    assert merge.item == changed(base, {"sum": number("1"), "total": number("2")})


DEAL: Item = {
    "pk": text("DEAL#1"),
    "sk": text("METADATA"),
    "entity_type": text("DEAL"),
    "id": text("1"),
    "created_at": text("2024-01-15"),
    "updated_at": text("2024-01-20T00:00:00Z"),
}

TOKENS: dict[str, tuple[Any, Any, Any]] = {
    "theirs is later": (text("2024-03-01"), text("2024-02-01"), text("2024-03-01")),
    "mine is later": (text("2024-02-01"), text("2024-03-01"), text("2024-03-01")),
    "numbers, by value": (number("9"), number("10"), number("10")),
    "one side has none": (None, text("2024-02-01"), text("2024-02-01")),
    "the other has none": (text("2024-02-01"), None, text("2024-02-01")),
    "they cannot be compared": (number("9"), text("2024-02-01"), number("9")),
    "only mine": (DEAL["updated_at"], text("2024-01-01"), text("2024-01-01")),
    "only theirs": (text("2024-01-01"), DEAL["updated_at"], text("2024-01-01")),
}
"""Their change token, mine, the one of the merge."""


@pytest.mark.parametrize("row", TOKENS)
def test_the_change_token_takes_the_larger(row: str) -> None:
    theirs, mine, merged = TOKENS[row]
    merge = three_way(
        crm(),
        DEAL,
        changed(DEAL, {"updated_at": theirs, "title": text("theirs")}),
        changed(DEAL, {"updated_at": mine, "stage": text("mine")}),
    )
    wanted = {"updated_at": merged, "title": text("theirs"), "stage": text("mine")}
    assert merge.item == changed(DEAL, wanted)


def test_the_change_token_does_not_hide_an_overlap() -> None:
    theirs = changed(DEAL, {"updated_at": text("2024-03-01"), "title": text("theirs")})
    mine = changed(DEAL, {"updated_at": text("2024-03-02"), "title": text("mine")})
    assert three_way(crm(), DEAL, theirs, mine).overlap == ("title",)
