"""What a mapping cannot say is refused with the reason: one old item as several v2 items, several as one."""

import pytest

from service.core.mapping.mapping import load_mapping
from service.core.rules.guarded import copy_write
from service.errors import WrongMapping

TEXT = """\
version: 1
name: one
old: {table: old, partition_key: pk, sort_key: sk}
entities:
  ORDER:
    table: orders
    old_key: {pk: "ORDER#{id}", sk: "LINE#{line}"}
    key: {PK: "ORDER#{id}", SK: "{line}"}
    fields: {total: {type: int}}
  SUM:
    table: sums
    old_key: {pk: "SUM#{id}", sk: "{line}"}
    key: {PK: "SUM#{id}", SK: "{line}"}
    fields: {total: {type: int}}
"""
ROWS = {
    "one old item as two v2 items of two tables": (
        'pk: "SUM#{id}", sk: "{line}"',
        'pk: "ORDER#{id}", sk: "LINE#{line}"',
        "12: ORDER and SUM could read the same old key; an old item becomes one v2 item, from which it comes back",
    ),
    "one old item as two v2 items of one table": (
        'table: sums\n    old_key: {pk: "SUM#{id}", sk: "{line}"}',
        'table: orders\n    old_key: {pk: "ORDER#{id}", sk: "LINE#{line}"}',
        "12: ORDER and SUM could read the same old key; an old item becomes one v2 item, from which it comes back",
    ),
    "an entity written twice": (
        "  SUM:",
        "  ORDER:",
        "10: key 'ORDER' is given twice, first at line 5; remove one of them",
    ),
    "several old items of one entity as one v2 item": (
        'key: {PK: "ORDER#{id}", SK: "{line}"}',
        'key: {PK: "ORDER#{id}"}',
        "8: two old items could get the same v2 key, and only one would come back: a key template must hold {line}",
    ),
    "old items of two entities as one v2 item": (
        'table: sums\n    old_key: {pk: "SUM#{id}", sk: "{line}"}\n    key: {PK: "SUM#{id}"',
        'table: orders\n    old_key: {pk: "SUM#{id}", sk: "{line}"}\n    key: {PK: "ORDER#{id}"',
        "13: ORDER and SUM share a table and could get the same key, and only one would come back; let a key template begin",
    ),
    "a value that is made of several items": (
        "fields: {total: {type: int}}",
        "fields: {total: {type: int, sum_of: ORDER}}",
        "9: unknown key 'sum_of'; known here: ",
    ),
}


@pytest.mark.parametrize(("part", "other", "message"), ROWS.values(), ids=ROWS)
def test_it_is_refused_with_the_reason(part: str, other: str, message: str) -> None:
    assert part in TEXT
    with pytest.raises(WrongMapping) as refused:
        load_mapping(TEXT.replace(part, other, 1), source="m.yaml")
    assert str(refused.value).startswith(f"m.yaml:{message}")


def test_as_it_stands_each_old_item_becomes_one_v2_item_of_its_own() -> None:
    mapping = load_mapping(TEXT, source="m.yaml")
    keys = [("ORDER#1", "LINE#1"), ("ORDER#1", "LINE#2"), ("SUM#1", "1")]
    puts = [copy_write(mapping, {"pk": {"S": pk}, "sk": {"S": sk}}, generation=1) for pk, sk in keys]
    assert len({(put.table, put.item["PK"]["S"], put.item["SK"]["S"]) for put in puts}) == 3
